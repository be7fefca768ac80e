"""The tables of a judged study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from harness.judge import Estimate
from harness.judge.arms import ArmSummary, RoleSummary
from harness.judge.study import StudySummary
from harness.report.text import Grid
from harness.scenarios.studies import CONTROL_KINDS, LADDER, arm_title

_MIB = 2**20
_GAINS = {"less": "bought", "more": "cost", "nothing": "nothing shown"}
_COSTS = {"less": "faster", "more": "slower", "nothing": "nothing shown"}


class _Column(NamedTuple):
    """A figure in a table: its name and heading, its divisor and decimals, and from where on it is worth telling."""

    figure: str
    heading: str
    divisor: float = 1.0
    digits: int = 2
    least: float | None = None


_ARM_COLUMNS = (
    _Column("wall_s", "finishes in s"),
    _Column("aggregate_tok_s", "tok/s", digits=1),
    _Column("ttft_ms", "TTFT ms", digits=0),
    _Column("measured_speedup", "speedup"),
    _Column("measured_efficiency_pct", "efficiency %", digits=1),
    _Column("jain_index", "Jain", digits=3),
    _Column("wait_s", "begins after s", least=0.005),
    _Column("load_s", "load s", least=0.005),
    _Column("model_bytes", "models MiB", _MIB, 0, 1.0),
    _Column("model_vram_bytes", "on GPU MiB", _MIB, 0, 1.0),
    _Column("rss_bytes", "RSS MiB", _MIB, 0, 1.0),
    _Column("gpu_memory_bytes", "GPU MiB", _MIB, 0, 1.0),
)
_RATIO_COLUMNS = (
    _Column("wall_s", "finishes in"),
    _Column("aggregate_tok_s", "tok/s"),
    _Column("ttft_ms", "TTFT"),
    _Column("end_to_end_ms", "end-to-end"),
    _Column("model_bytes", "models"),
    _Column("rss_bytes", "RSS"),
    _Column("gpu_memory_bytes", "GPU memory"),
)
_ROLE_COLUMNS = (
    _Column("service_s", "in requests s"),
    _Column("ttft_ms", "TTFT ms", digits=0),
    _Column("tpot_ms", "TPOT ms", digits=1),
    _Column("itl_p50_ms", "ITL p50 ms", digits=1),
    _Column("itl_p99_ms", "ITL p99 ms", digits=1),
    _Column("tok_s", "tok/s", digits=1),
)


def plus_minus(estimate: Estimate, digits: int, divisor: float = 1.0) -> str:
    """A point and half its interval."""
    point = f"{estimate.point / divisor:.{digits}f}"
    if estimate.low is None or estimate.high is None:
        return point
    return f"{point} +-{(estimate.high - estimate.low) / 2 / divisor:.{digits}f}"


def ratio(estimate: Estimate) -> str:
    """A ratio and its interval."""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.point:.2f}x"
    return f"{estimate.point:.2f}x ({estimate.low:.2f} to {estimate.high:.2f})"


Of = Callable[[_Column], Estimate | None]


def _table(
    title: str, corner: str, columns: Sequence[_Column], rows: Sequence[tuple[str, Of]], ratios: bool = False
) -> Grid:
    """A table of figures; a column that no row has, or in which nothing is worth telling, is left out."""

    def worth(column: _Column) -> bool:
        known = [found.point / column.divisor for _, of in rows if (found := of(column))]
        return bool(known) and (ratios or column.least is None or max(known) >= column.least)

    def cell(found: Estimate | None, column: _Column) -> str:
        if found is None:
            return "-"
        return ratio(found) if ratios else plus_minus(found, column.digits, column.divisor)

    shown = [column for column in columns if worth(column)]
    cells = [[name, *(cell(of(column), column) for column in shown)] for name, of in rows]
    return Grid(title, [[corner, *(column.heading for column in shown)], *cells])


def _figure(row: ArmSummary | RoleSummary) -> Of:
    return lambda column: row.estimates.get(column.figure)


def _against(row: ArmSummary) -> Of:
    return lambda column: row.against.get(column.figure)


def arm_grids(study: StudySummary) -> list[Grid]:
    """A table of the arms, one of their ratios to each reference, and what each arm is in words."""
    grids = [_table("the arms", "arm", _ARM_COLUMNS, [(arm.arm, _figure(arm)) for arm in study.arms])]
    for reference in dict.fromkeys(arm.reference for arm in study.arms if arm.reference):
        rows = [(arm.arm, _against(arm)) for arm in study.arms if arm.reference == reference]
        title = f"each arm over {reference}, paired block by block"
        grids.append(_table(title, f"against {reference}", _RATIO_COLUMNS, rows, ratios=True))
    titles = [(arm.arm, arm_title(arm.arm)) for arm in study.arms if ":" not in arm.arm]
    return grids + ([Grid("what each arm is", titles, (0, 1), headed=False)] if titles else [])


def role_grid(study: StudySummary) -> Grid:
    """A table of each agent in each arm."""
    rows = [(f"{arm.arm} {agent.role}", _figure(agent)) for arm in study.arms for agent in arm.agents]
    return _table("each agent in each arm", "agent", _ROLE_COLUMNS, rows)


def control_grid(study: StudySummary) -> Grid:
    """A table of what each agent pays beside idle, prefilling and decoding others, against their absence."""
    shown = {effect.arm: effect.shown for effect in study.effects}
    rows = [["agent", "the others", "time in requests", "TPOT", "TTFT", ""]]
    for arm in study.arms:
        kind, _, role = arm.arm.partition(":")
        if arm.reference is None or kind not in CONTROL_KINDS:
            continue
        against = next((agent.against for agent in arm.agents if agent.role == role), {})
        figures = [ratio(against[name]) if name in against else "-" for name in ("service_s", "tpot_ms", "ttft_ms")]
        rows.append([role, kind, *figures, _COSTS[shown[arm.arm]] if arm.arm in shown else ""])
    return Grid("what company costs each agent, over its absence", rows, (0, 1, 5))


def ladder_grid(study: StudySummary) -> Grid:
    """A table of what each remedy did, and of those that could not be tried."""
    rows = [["remedy", "finishes in", "efficiency %", "", ""]]
    for effect in study.effects:
        arm = study.arm(effect.arm)
        efficiency = arm.estimates.get("measured_efficiency_pct") if arm else None
        rows.append(
            [
                effect.arm,
                ratio(effect.estimate),
                plus_minus(efficiency, 1) if efficiency else "-",
                _GAINS[effect.shown],
                arm_title(effect.arm),
            ]
        )
    rows += [[step, "-", "-", "not tried", study.left_out[step]] for step in LADDER if step in study.left_out]
    return Grid("what each remedy did", rows, (0, 3, 4))
