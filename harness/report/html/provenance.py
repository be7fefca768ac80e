"""What the figures rest on: symptoms, invalid blocks, the instrument, the environment, and how to measure it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.judge import calibration_faults
from harness.records import Calibration, ServerInfo, Session
from harness.report.html.parts import Table, number, table
from harness.report.judged import JudgedSession
from harness.report.verdicts import symptom_words
from harness.scenarios import InstrumentLimits

_GIB = 2**30
_MIB = 2**20


def symptom_table(judged: JudgedSession) -> Table | None:
    """The symptoms of each block; None if there are none."""
    rows = [
        (scenario.name, str(index), symptom_words(symptom))
        for scenario in judged.scenarios
        for index, fired in scenario.symptoms.items()
        for symptom in fired
    ]
    return (
        table("symptoms of contention, block by block", ("scenario", "block", "symptom"), rows, (0, 2))
        if rows
        else None
    )


def invalid_table(judged: JudgedSession) -> Table | None:
    """The blocks that could not be judged, and why; None if there are none."""
    rows = [
        (name, str(index), reason)
        for name, blocks in judged.invalid.items()
        for index, reasons in blocks.items()
        for reason in reasons
    ]
    return table("blocks that could not be judged", ("scenario", "block", "why"), rows, (0, 2)) if rows else None


def instrument_table(judged: JudgedSession) -> tuple[Table | None, tuple[str, ...]]:
    """What the instrument is off by, beside its limits, and in what it is worse than them."""
    if not judged.session.calibrations:
        return None, ("the instrument's own error was not measured (--no-calibration)",)
    found = judged.session.calibrations[-1]
    limits = next((terms.instrument for terms in judged.terms.values() if terms.instrument), InstrumentLimits())
    faults = tuple(f"worse than its limit: {fault}" for fault in calibration_faults(found, limits))
    title = f"the instrument against a server of known times, {found.streams} streams, {found.tokens} tokens"
    return table(title, ("figure", "found", "limit"), _calibration_rows(found, limits)), faults


def _calibration_rows(found: Calibration, limits: InstrumentLimits) -> list[tuple[str, str, str]]:
    return [
        ("TTFT error, median, ms", number(found.ttft_bias_ms, 3), "-"),
        ("TTFT error, p99, ms", number(found.ttft_error_p99_ms, 3), f"{limits.ttft_ms:g}"),
        ("gap error, p99, ms", number(found.gap_error_p99_ms, 3), f"{limits.gap_ms:g}"),
        ("throughput error, %", number(found.throughput_error_pct, 3), "-"),
        ("tokens not told apart, %", number(100 * found.coalesced_share, 2), f"{100 * limits.coalesced_share:g}"),
        ("tokens lost or doubled", str(found.unaccounted_tokens), "0"),
        ("loop lag, p99, ms", number(found.loop_lag_p99_ms, 1), f"{limits.loop_lag_ms:g}"),
        ("CPU, s for 1000 tokens", number(found.cpu_s_per_1000_tokens, 3), "-"),
        ("stamps by", found.stamped_by, "-"),
        ("event loop", found.loop, "-"),
    ]


def environment_table(judged: JudgedSession) -> Table:
    """Host, versions, and what was asked for."""
    session = judged.session
    host = session.environment
    rows = [
        ("host", host.host),
        ("platform", host.platform),
        ("CPU", f"{host.cpu}, {host.cores} usable cores"),
        ("memory", f"{host.memory_bytes / _GIB:.1f} GiB"),
        ("GPU", "; ".join(host.gpus) or "none"),
        ("model", session.model),
        ("profile", session.profile),
        ("seed", str(session.seed)),
        ("coordinator's slots", str(session.max_concurrent)),
        ("blocks", f"{'' if judged.stopping.fixed else 'at most '}{judged.stopping.runs} a scenario"),
        *((f"version of {name}", version) for name, version in host.versions.items()),
        *((f"setting {name}", value) for name, value in session.settings.items()),
        ("journal", judged.journal),
    ]
    return table("environment", ("what", "value"), rows, (0, 1))


def server_table(session: Session) -> Table:
    """The servers, those of the base too."""
    sides = [("candidate", session.servers), *([("base", session.base.servers)] if session.base else [])]
    rows = [_server(side, info) for side, servers in sides for info in servers]
    headings = ("server", "side", "kind", "version", "model digest", "model MiB", "of it on GPU", "CPUs")
    return table("servers", headings, rows, (0, 1, 2, 3, 4, 7))


def _server(side: str, info: ServerInfo) -> tuple[str, ...]:
    cells = (info.url, side, info.kind, info.version, info.model_digest[:19])
    cpus = "all" if info.cpus is None else ",".join(map(str, info.cpus))
    return (*cells, f"{info.size / _MIB:.0f}", f"{info.size_vram / _MIB:.0f}", cpus)


def option_tables(session: Session) -> list[Table]:
    """The options that were sent with every request, by scenario and agent."""
    tables = [_options("options sent", session.options)]
    if session.base is not None:
        tables.append(_options("options sent to the base", session.base.options))
    return [each for each in tables if each is not None]


def _options(caption: str, options: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Table | None:
    names: Sequence[str] = list(dict.fromkeys(name for by in options.values() for sent in by.values() for name in sent))
    rows = [
        (scenario, role, *(f"{sent[name]:.15g}" if name in sent else "-" for name in names))
        for scenario, by_role in options.items()
        for role, sent in by_role.items()
    ]
    return table(caption, ("scenario", "agent", *names), rows, (0, 1)) if rows else None
