"""A published data set's own tables: over named units, by runtime or scenario, by configuration."""

from __future__ import annotations

from collections.abc import Mapping

from harness.judge.published import DatasetFigures, RunMeans, Spread, floor_percentile, upper_median
from harness.records.published import AgentTotals
from harness.report.text import aligned, printable
from harness.scenarios import ContentionRules

_SPREAD = ("guide's efficiency", "mean %", "SD pp", "CV %", "peak %", "lowest %")
_RUNTIME = ("", "runs", "peak", "mean", "median", "SD", "min", "CV %", "P5", "P25", "P75", "P95", "flagged", "tok/s")
_ALONE = "vs alone %"
_MEANS = ("speedup", "eff %", "SD", "TTFT d", "tok/s d", "flagged", "tok/s", _ALONE, "slow")
_PERCENTILES = (0.05, 0.25, 0.75, 0.95)
_SETTINGS = ("num_gpu", "num_ctx", "temperature")


def dataset_lines(dataset: DatasetFigures, rules: ContentionRules) -> list[str]:
    """A data set's heading, its figures over named units, and its tables."""
    n = len(dataset.whole.runs)
    models = ", ".join(sorted({run.run.model for run in dataset.whole.runs}))
    lines = [
        f"== {dataset.name}: {n} runs of two agents in {len(dataset.configurations)} configurations, {models}",
        f"recorded speedup is (d1 + d2) / wall in {dataset.same_speedup} of {n} runs, "
        f"recorded flag is speedup < 1.5 in {dataset.same_flag} of {n}",
        *_spread_lines(dataset),
        *_contention_lines(dataset, n),
        "",
        *(_runtime_lines(dataset) if len(dataset.runtimes) > 1 else _scenario_lines(dataset.scenarios, rules)),
        "",
        *_configuration_lines(dataset, rules),
    ]
    return [printable(line) for line in lines]


def _spread_lines(dataset: DatasetFigures) -> list[str]:
    units = [dataset.over_runs]
    if len(dataset.configurations) < len(dataset.whole.runs):
        units.append(dataset.over_configurations)
    prefix = f"{dataset.whole.first.runtime}/" if len(dataset.runtimes) == 1 else ""
    ends = [
        ("", *(each.over.removesuffix("s") for each in units)),
        ("best", *(each.peak_at.removeprefix(prefix) for each in units)),
        ("lowest", *(each.low_at.removeprefix(prefix) for each in units)),
    ]
    return [*aligned([_SPREAD, *map(_spread_row, units)], left={0}), *aligned(ends, left=range(3))]


def _spread_row(found: Spread) -> tuple[str, ...]:
    return (
        f"over {found.n} {found.over}",
        f"{found.mean:.3f}",
        _or_dash(found.sd, 3),
        _or_dash(found.cv_pct, 2),
        f"{found.peak:.3f}",
        f"{found.low:.3f}",
    )


def _contention_lines(dataset: DatasetFigures, n: int) -> list[str]:
    m, flagged, solo = len(dataset.configurations), dataset.whole.flagged, dataset.whole.solo
    contended = sum(configuration.flagged > 0 for configuration in dataset.configurations)
    runs, configurations = dataset.ttft_apart
    lines = [
        f"flagged: {flagged} of {n} runs ({100 * flagged / n:.1f} %), in {contended} of {m} configurations",
        f"agents' TTFTs more than 10 s apart (the guide's snippet, never recorded): {runs} of {n} runs, "
        f"in {configurations} of {m} configurations",
    ]
    if solo:
        lines.append(
            f"against {solo.rate.tok_s:.1f} tok/s alone: efficiency at most {solo.efficiency_pct:.1f} %; "
            f"symptoms in {solo.flagged} of {n} runs (throughput in {solo.slow}, efficiency in {solo.inefficient})"
        )
    return lines


def _runtime_lines(dataset: DatasetFigures) -> list[str]:
    rows = []
    for name, found in dataset.by_runtime.items():
        means = dataset.runtimes[name]
        rows.append(
            (
                name,
                str(found.n),
                f"{found.peak:.2f}",
                f"{found.mean:.2f}",
                f"{upper_median(found.values):.2f}",
                _or_dash(found.sd, 2),
                f"{found.low:.2f}",
                _or_dash(found.cv_pct, 1),
                *(f"{floor_percentile(found.values, share):.2f}" for share in _PERCENTILES),
                f"{means.flagged}/{found.n}",
                f"{means.tok_s:.1f}",
                f"{means.solo.efficiency_pct:.1f}" if means.solo else "-",
            )
        )
    title = "by runtime, eff % over runs (as in TR115 v2 the median is sorted[n // 2], a percentile sorted[int(p n)]):"
    return [title, *aligned([(*_RUNTIME, _ALONE), *rows], left={0}, indent="  ")]


def _scenario_lines(scenarios: Mapping[str, RunMeans], rules: ContentionRules) -> list[str]:
    rows = [(name, *_means_row(means)) for name, means in scenarios.items()]
    return ["by scenario, means over runs:", *aligned([("", *_heads(rules)), *rows], left={0}, indent="  ")]


def _configuration_lines(dataset: DatasetFigures, rules: ContentionRules) -> list[str]:
    """The configurations in columns, under a heading for each runtime, phase and scenario."""
    first = "gpu/ctx/temp" if any(map(_says_nothing, dataset.configurations)) else ""
    rows = [(_label(means), *_means_row(means)) for means in dataset.configurations]
    head, *lines = aligned([(first, *_heads(rules)), *rows], left={0}, indent="  ")
    told, group = ["by configuration, means over runs:", head], ""
    for means, line in zip(dataset.configurations, lines, strict=True):
        heading = ", ".join(part for part in (means.first.runtime, means.first.phase, means.first.scenario) if part)
        if heading != group:
            group = heading
            told.append(f" {heading}")
        told.append(line)
    return told


def _heads(rules: ContentionRules) -> tuple[str, ...]:
    return (*_MEANS, f"<{rules.efficiency_pct:g} %")


def _means_row(found: RunMeans) -> tuple[str, ...]:
    solo, n = found.solo, len(found.runs)
    return (
        f"{found.speedup:.3f}x",
        f"{found.efficiency_pct:.1f}",
        _or_dash(found.sd_pp, 2),
        f"{found.ttft_delta_ms:+.0f}",
        f"{found.throughput_delta_tok_s:+.2f}",
        f"{found.flagged}/{n}",
        f"{found.tok_s:.1f}",
        f"{solo.efficiency_pct:.1f}" if solo else "-",
        f"{solo.slow}/{n}" if solo else "-",
        f"{solo.inefficient}/{n}" if solo else "-",
    )


def _says_nothing(found: RunMeans) -> bool:
    """True if the configuration's name, such as ``test_001``, does not say what the agents were sent."""
    return "_g" not in found.first.configuration and "gpu" not in found.first.configuration


def _label(found: RunMeans) -> str:
    name = found.first.configuration.rpartition("/")[2].removeprefix(f"{found.first.scenario}_")
    if not _says_nothing(found):
        return name
    return f"{name}, {' + '.join(dict.fromkeys(map(_settings, found.first.totals)))}"


def _settings(totals: AgentTotals) -> str:
    known = [f"{totals.options[name]:g}" for name in _SETTINGS if name in totals.options]
    return "/".join(known) or "defaults"


def _or_dash(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
