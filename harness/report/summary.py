"""The summary for programs (``--summary-json``), documented in the README and versioned.

Format history:

1. (0.1) first.
2. (0.3) ``loss``, ``ledgers``, ``changes``, ``base``, ``slowdown`` and ``ttft_ratio``; gates tell when they were
   decided, their MDE, outliers and drift; ``stopping`` in place of ``runs``. Ratios are geometric means.
3. (0.4) ``fairness``, ``interference`` and ``resources`` of each scenario; ``studies``; a staggered start in ``loss``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import msgspec

from harness.judge import AgentFigures, Change, Estimate, Gate, ScenarioSummary
from harness.records import Calibration
from harness.report.interference import interference_json
from harness.report.judged import JudgedSession
from harness.report.loss import ledger_json, loss_json
from harness.report.resources import resources_json
from harness.report.study_json import study_json

SUMMARY_FORMAT = 3

_FIGURES = (
    "guide_efficiency_pct",
    "guide_speedup",
    "measured_efficiency_pct",
    "measured_speedup",
    "efficiency_bound_pct",
    "slowdown",
    "ttft_ratio",
    "fairness",
    "contention_rate",
    "aggregate_tok_s",
    "concurrent_wall_s",
    "sequential_estimate_s",
    "sequential_measured_s",
    "ttft_delta_ms",
    "ttft_delta_signed_ms",
    "throughput_delta_tok_s",
    "throughput_delta_signed_tok_s",
)


def _interval(estimate: Estimate) -> list[float] | None:
    return None if estimate.low is None or estimate.high is None else [estimate.low, estimate.high]


def _agent(agent: AgentFigures) -> dict[str, object]:
    return {
        "role": agent.role,
        **{f"solo_{name}": value for name, value in asdict(agent.solo).items()},
        **{f"concurrent_{name}": value for name, value in asdict(agent.concurrent).items()},
        "slowdown": agent.slowdown,
        "wait_ms": agent.wait_ms,
    }


def _gate(gate: Gate) -> dict[str, object]:
    return {
        "metric": gate.limit.metric,
        "side": gate.limit.side,
        "limit": gate.limit.value,
        "verdict": gate.verdict.value,
        "point": gate.estimate.point,
        "interval": _interval(gate.estimate),
        "n": gate.estimate.n,
        "method": gate.estimate.method,
        "decided_at": gate.decided_at,
        "mde_pct": gate.mde_pct,
        "worst_block": gate.worst_block,
        "worst_value": gate.worst_value,
        "outliers": list(gate.outliers),
        "verdict_without_outliers": gate.verdict_without,
        "drift_p": gate.drift_p,
    }


def _change(change: Change) -> dict[str, object]:
    return {
        "metric": change.metric,
        "against": change.against,
        "verdict": change.verdict.value,
        "ratio": change.ratio.point,
        "interval": _interval(change.ratio),
        "n": change.ratio.n,
        "method": change.ratio.method,
        "worse": change.worse,
        "worse_pct": change.worse_pct,
        "noise_pct": change.noise_pct,
        "decided_at": change.decided_at,
        "mde_pct": change.mde_pct,
        "too_good": change.too_good,
        "reason": change.reason or None,
    }


def _loss(scenario: ScenarioSummary) -> dict[str, object] | None:
    if scenario.loss is None:
        return None
    parts = [{"role": part.role, **loss_json(part.loss)} for part in scenario.agent_losses]
    return {**loss_json(scenario.loss), "agents": parts}


def _scenario(scenario: ScenarioSummary) -> dict[str, object]:
    found = scenario.estimates
    return {
        "verdict": scenario.verdict.value,
        "blocks": len(scenario.blocks),
        **{name: found[name].point if name in found else None for name in _FIGURES},
        "intervals": {name: _interval(found[name]) for name in _FIGURES if name in found},
        "overlap_only": scenario.overlap_only,
        "agents": [_agent(agent) for agent in scenario.agents],
        "gates": [_gate(gate) for gate in scenario.gates],
        "changes": [_change(change) for change in scenario.changes],
        "loss": _loss(scenario),
        "ledgers": [
            {"role": each.role, "solo": ledger_json(each.alone), "concurrent": ledger_json(each.together)}
            for each in scenario.ledgers
        ],
        "interference": interference_json(scenario.interference),
        "resources": resources_json(scenario.resources),
        "symptoms": {str(index): [asdict(s) for s in fired] for index, fired in scenario.symptoms.items()},
        "invalid_blocks": {str(index): list(reasons) for index, reasons in scenario.invalid.items()},
    }


def calibration_json(found: Calibration) -> str:
    """A calibration for programs (``python -m harness calibrate --json``), one line."""
    document = {
        "streams": found.streams,
        "tokens": found.tokens,
        "ttft_error_ms": {"p50": found.ttft_error_p50_ms, "p99": found.ttft_error_p99_ms},
        "gap_error_ms": {"p99": found.gap_error_p99_ms},
        "cpu_s_per_1000_tokens": found.cpu_s_per_1000_tokens,
        "loop_lag_ms": {"p99": found.loop_lag_p99_ms},
        "coalesced_share": found.coalesced_share,
        "ttft_bias_ms": found.ttft_bias_ms,
        "throughput_error_pct": found.throughput_error_pct,
        "unaccounted_tokens": found.unaccounted_tokens,
        "stamped_by": found.stamped_by,
        "loop": found.loop,
    }
    return msgspec.json.encode(document).decode()


def session_summary(judged: JudgedSession) -> dict[str, object]:
    """The summary of a session, from nothing but what its journal holds."""
    session = judged.session
    base = session.base
    return {
        "format": SUMMARY_FORMAT,
        "server": session.servers[0].kind,
        "model": session.model,
        "profile": session.profile,
        "seed": session.seed,
        "stopping": asdict(judged.stopping),
        "calibration": asdict(session.calibrations[-1]) if session.calibrations else None,
        "base": None if base is None else {"server": base.servers[0].kind, "model": base.model},
        "journal": judged.journal,
        "scenarios": {scenario.name: _scenario(scenario) for scenario in judged.scenarios},
        "studies": {study.name: study_json(study) for study in judged.studies},
    }


def summary_text(document: Mapping[str, object]) -> str:
    """The summary as it stands in a file."""
    return json_text(document)


def json_text(document: object) -> str:
    """JSON for people, too: indented, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"
