"""A preset's expected figures beside the measured ones, and where each setting came from: for people and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

from harness.judge import Estimate, ScenarioSummary
from harness.judge.published.spread import RUNS, spread
from harness.report.text import printable
from harness.scenarios.catalogue import CHIMERA, CHIMERA2, SCENARIOS, RunnerOptions
from harness.scenarios.presets import CONTENTION, EFFICIENCY_SD, Expected, Preset, with_preset

_LABELS = {
    "guide_efficiency_pct": ("efficiency (guide's)", " %", 1.0),
    "guide_speedup": ("speedup (guide's)", "x", 1.0),
    EFFICIENCY_SD: ("SD of efficiency (guide's)", " pp", 1.0),
    CONTENTION: ("contention", " %", 100.0),
}
_OPTIONS = tuple(each.name for each in fields(RunnerOptions))
Sent = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class SettingSource:
    """A setting, and which layer it comes from.

    Attributes:
        name: Its flag without the dashes, such as ``max-runs``.
        value: Its value as text.
        source: Such as ``command line``, ``environment HARNESS_MAX_RUNS``, ``settings.toml`` or ``preset production``.
        over: Values of lower layers that it was put over, the highest first, each with its source.
    """

    name: str
    value: str
    source: str
    over: tuple[tuple[str, str], ...] = ()


def not_asserted(preset: Preset, scenario: str, gpus: tuple[str, ...], model: str | None, sent: Sent | None) -> str:
    """Why the preset's figures bind nobody here, in words: whatever differs from what they were measured on.

    Args:
        preset: The preset.
        scenario: The scenario's name.
        gpus: The session's GPUs (``Environment.gpus``).
        model: The session's model, or None to not look at it.
        sent: What each role of the scenario sent (``Session.options[scenario]``), or None to not look at it.
    """
    reasons = []
    if not preset.made_for.has_gpus(gpus):
        reasons.append("another GPU" if gpus else "no GPU")
    if model not in (None, preset.made_for.model):
        reasons.append("another model")
    if sent is not None and scenario in SCENARIOS:
        agents = with_preset(SCENARIOS[scenario], preset).agents
        meant = {agent.role: agent.options.sent() for agent in agents}
        if len(sent) != len(meant):
            reasons.append(f"{len(sent)} agents")
        changed = [
            f"{role} {name} {sent[role].get(name, 'not sent')}"
            for role, options in meant.items()
            for name in _OPTIONS
            if role in sent and sent[role].get(name) != options.get(name)
        ]
        reasons += [f"other options: {', '.join(changed)}"] if changed else []
    return "; ".join(reasons) or "a figure of other sessions"


def _measured(metric: str, summary: ScenarioSummary) -> tuple[float, float | None, float | None] | None:
    """Point and interval, or None where there is none."""
    if metric == EFFICIENCY_SD:
        named = [(str(block.index), block.guide_efficiency_pct) for block in summary.blocks]
        sd = spread(RUNS, named).sd if named else None
        return None if sd is None else (sd, None, None)
    found: Estimate | None = summary.estimates.get(metric)
    return None if found is None else (found.point, found.low, found.high)


def _figure(each: Expected, summary: ScenarioSummary, where: str) -> str:
    label, unit, factor = _LABELS[each.metric]
    found = _measured(each.metric, summary)
    shown = "-"
    if found is not None:
        digits = 2 if unit in ("x", " pp") else 1
        point, low, high = found
        shown = f"{factor * point:.{digits}f}{unit}"
        if low is not None and high is not None:
            shown += f" ({factor * low:.{digits}f}..{factor * high:.{digits}f})"
    return f"expected ({each.source}, {where}): {label} {factor * each.value:g}{unit} | measured {shown}"


def preset_lines(
    preset: Preset,
    summary: ScenarioSummary,
    gpus: tuple[str, ...],
    *,
    model: str | None = None,
    sent: Sent | None = None,
) -> list[str]:
    """A scenario's expected figures, each beside the measured one and with why it is not asserted.

    Args:
        preset: The preset that was measured.
        summary: The scenario, judged.
        gpus: The session's GPUs (``Environment.gpus``).
        model: The session's model.
        sent: What each role of the scenario sent (``Session.options[scenario]``).
    """
    expected = [each for each in preset.expected if each.scenario == summary.name]
    if not expected:
        return [f"preset {preset.name}: nothing is expected of {summary.name}, nobody published runs of it"]
    why = not_asserted(preset, summary.name, gpus, model, sent)
    where = preset.made_for.gpu_words
    lines = [f"preset {preset.name} in {summary.name}: {preset.title}"]
    lines += [f"  {_figure(each, summary, where)}; not asserted: {why}" for each in expected]
    if any(each.metric == CONTENTION for each in expected):
        lines.append("  contention: the reports count speedups below 1.5; measured are symptoms against solo")
    if (found := summary.estimates.get("measured_efficiency_pct")) is not None:
        lines.append(
            f"  measured efficiency {found.point:.1f} %: against solo, which the reports did not run; nothing expected"
        )
    if summary.name in preset.remarks:
        lines.append(f"  {preset.remarks[summary.name]}")
    return lines


def preset_json(
    preset: Preset,
    summary: ScenarioSummary,
    gpus: tuple[str, ...],
    *,
    model: str | None = None,
    sent: Sent | None = None,
) -> dict[str, object]:
    """The same for programs; ``measured`` and ``interval`` are null where there is none."""
    figures = []
    for each in preset.expected:
        if each.scenario == summary.name:
            point, low, high = _measured(each.metric, summary) or (None, None, None)
            interval = None if low is None or high is None else [low, high]
            figures.append(
                {
                    "metric": each.metric,
                    "expected": each.value,
                    "source": each.source,
                    "measured": point,
                    "interval": interval,
                }
            )
    return {
        "name": preset.name,
        "made_for": asdict(preset.made_for),
        "same_gpu": preset.made_for.has_gpus(gpus),
        "asserted": False,
        "why": not_asserted(preset, summary.name, gpus, model, sent),
        "figures": figures,
    }


def source_lines(sources: Sequence[SettingSource]) -> list[str]:
    """Each setting with its source and what it was put over; what a preset alone says of both groups is one line."""
    groups = tuple(f"{group}-" for group in (CHIMERA, CHIMERA2))
    # A preset is the lowest layer, so its values are over nothing; it gives options of agents only.
    alone = [each for each in sources if each.source.startswith("preset ") and each.name.startswith(groups)]
    lines = [_source_line(each) for each in sources if each not in alone]
    by_group = {
        group: ", ".join(
            f"{each.name.removeprefix(group + '-')} = {each.value}"
            for each in alone
            if each.name.startswith(group + "-")
        )
        for group in (CHIMERA, CHIMERA2)
    }
    if by_group[CHIMERA] == by_group[CHIMERA2]:
        by_group = {f"{CHIMERA} and {CHIMERA2}": by_group[CHIMERA]}
    lines += [f"{group}: {said} ({alone[0].source})" for group, said in by_group.items() if said]
    return [printable(line) for line in lines]


def _source_line(each: SettingSource) -> str:
    over = "".join(f", over {value} from {source}" for value, source in each.over)
    return f"{each.name} = {each.value} ({each.source}{over})"


def sources_json(sources: Sequence[SettingSource]) -> list[dict[str, object]]:
    """The same for programs: each setting's name, value, source, and what it was put over."""
    return [
        {
            "name": each.name,
            "value": each.value,
            "source": each.source,
            "over": [{"value": value, "source": source} for value, source in each.over],
        }
        for each in sources
    ]
