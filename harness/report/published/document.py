"""Published runs for programs: one line of JSON."""

from __future__ import annotations

from dataclasses import asdict

import msgspec

from harness.judge.published import (
    Check,
    DatasetFigures,
    JudgedPublished,
    RunMeans,
    SoloComparison,
    Spread,
    upper_median,
)

PUBLISHED_FORMAT = 1
"""History: 1 (0.3) first."""


def published_json(judged: JudgedPublished) -> str:
    """The document, and a newline; ``cells`` is null if none were asked for."""
    document = {
        "format": PUBLISHED_FORMAT,
        "solo_rates": {model: asdict(rate) for model, rate in judged.rates.items()},
        "datasets": {dataset.name: _dataset(dataset) for dataset in judged.datasets},
        "guide": [
            {
                "figure": row.statistic,
                "figures": [_check(check) for check in row.checks],
                "printed_winner": row.printed_winner,
                "winner": row.winner.language if row.winner else None,
                "winner_column": row.winner.title if row.winner else None,
            }
            for row in judged.comparison.rows
        ],
        "reports": [_check(check) for check in judged.reports],
        "cells": None
        if judged.cells is None
        else {
            "expected": len(judged.cells),
            "reproduced": len(judged.cells) - len(judged.missed),
            "missed": [{**asdict(check.cell), "got": check.got} for check in judged.missed],
        },
    }
    return msgspec.json.encode(document).decode() + "\n"


def _dataset(found: DatasetFigures) -> dict[str, object]:
    return {
        "runs": len(found.whole.runs),
        "guide_efficiency_pct": {
            "runs": _spread(found.over_runs),
            "configuration_means": _spread(found.over_configurations),
            "by_runtime": {name: _spread(each) for name, each in found.by_runtime.items()},
        },
        "flagged_runs": found.whole.flagged,
        "same_speedup": found.same_speedup,
        "same_flag": found.same_flag,
        "against_solo": _solo(found.whole.solo),
        "scenarios": {name: _means(each) for name, each in found.scenarios.items()},
        "configurations": [_configuration(each) for each in found.configurations],
    }


def _spread(found: Spread) -> dict[str, object]:
    return {
        "n": found.n,
        "mean": found.mean,
        "sample_sd": found.sd,
        "cv_pct": found.cv_pct,
        "peak": found.peak,
        "peak_at": found.peak_at,
        "low": found.low,
        "low_at": found.low_at,
        "upper_median": upper_median(found.values),
    }


def _configuration(found: RunMeans) -> dict[str, object]:
    first = found.first
    return {
        "runtime": first.runtime,
        "phase": first.phase,
        "scenario": first.scenario,
        "configuration": first.configuration,
        **_means(found),
    }


def _means(found: RunMeans) -> dict[str, object]:
    return {
        "runs": len(found.runs),
        "guide_speedup": found.speedup,
        "guide_efficiency_pct": found.efficiency_pct,
        "sample_sd_pp": found.sd_pp,
        "ttft_delta_ms": found.ttft_delta_ms,
        "throughput_delta_tok_s": found.throughput_delta_tok_s,
        "tok_s": found.tok_s,
        "flagged_runs": found.flagged,
        "against_solo": _solo(found.solo),
    }


def _solo(found: SoloComparison | None) -> dict[str, object] | None:
    if found is None:
        return None
    return {
        "solo_tok_s": found.rate.tok_s,
        "efficiency_at_most_pct": found.efficiency_pct,
        "slow_runs": found.slow,
        "inefficient_runs": found.inefficient,
        "flagged_runs": found.flagged,
    }


def _check(found: Check) -> dict[str, object]:
    return {
        "figure": found.claim.statistic,
        "printed": found.claim.printed,
        "printed_in": found.claim.source,
        "column": found.column or None,
        "dataset": found.dataset,
        "reproduced": found.reproduced is not None,
        "raw_runs": [asdict(candidate) for candidate in found.candidates],
    }
