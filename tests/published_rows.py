"""Made-up published runs, in every format in which real ones come; durations in s, the first agent's always 10 s."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.judge.published import DatasetFigures, JudgedPublished, judge_published
from harness.records.published import ExpectedCell, PublishedRun, PublishedSession
from harness.store.published import read_published
from harness.store.published.rows import PairRow, row_of

Row = dict[str, Any]
OPTIONS = {"num_gpu": 80, "num_ctx": 512, "temperature": 0.5, "top_p": None, "top_k": None, "repeat_penalty": None}
DEFAULTS = dict.fromkeys(OPTIONS)


def pair_row(**changes: object) -> Row:
    """A tidied row of two agents of 10 s each within 10 s: speedup 2; 500 tokens of each at 50 tok/s."""
    row: Row = {
        "dataset": "TR999-made-up",
        "phase": "phase1",
        "config_id": "test_001",
        "scenario": "baseline_vs_chimera",
        "run": 1,
        "runtime": "python-asyncio",
        "model": "gemma3:latest",
        "concurrent_wall_s": 10.0,
        "sequential_estimated_s": 20.0,
        "speedup": 2.0,
        "efficiency_pct": None,
        "contention": False,
        "throughput_delta": 0.0,
        "ttft_delta_ms": 0.0,
        "source_path": "made/up/metrics.json",
        "source_commit": "0123abcd",
    }
    for agent, role, sent in (("agent1", "baseline", DEFAULTS), ("agent2", "chimera", OPTIONS)):
        row |= {f"{agent}_{name}": value for name, value in _agent(role, **sent).items()}
    return row | changes


def _agent(role: str, **sent: float | None) -> Row:
    return {
        "role": role,
        "url": "http://localhost:11434",
        **sent,
        "llm_calls": 2,
        "total_s": 10.0,
        "llm_total_s": 9.5,
        "load_s": None,
        "prompt_eval_s": None,
        "eval_s": None,
        "tokens": 500,
        "ttft_ms": 250.0,
        "tok_s": 50.0,
    }


def timed_row(wall_s: float, second_s: float = 10.0, **changes: object) -> Row:
    """A tidied row whose agents take 10 s and ``second_s`` within ``wall_s``, with the figures that follow."""
    speedup = (10.0 + second_s) / wall_s
    figures = {"speedup": speedup, "contention": speedup < 1.5, "sequential_estimated_s": 10.0 + second_s}
    return pair_row(concurrent_wall_s=wall_s, agent2_total_s=second_s, **{**figures, **changes})


def solo_row(**changes: object) -> Row:
    """A tidied row of one agent alone, at 100 tok/s."""
    row: Row = {
        "dataset": "TR998-solo",
        "config_id": "gpu80_ctx512",
        "agent": "baseline",
        "run": 1,
        "runtime": "python-asyncio",
        "model": "gemma3:latest",
        **DEFAULTS,
        "llm_calls": 2,
        "workflow_s": 5.0,
        "duration_s": 5.5,
        "llm_total_s": 4.75,
        "load_s": None,
        "prompt_eval_s": None,
        "eval_s": None,
        "tokens": 500,
        "ttft_ms": 200.0,
        "tok_s": 100.0,
        "started_at": "2025-10-09T16:57:27",
        "source_path": "made/up/metrics.json",
        "source_commit": "",
    }
    return row | changes


def python_totals() -> Row:
    """What the Python programs wrote of an agent's requests, those of :func:`pair_row`."""
    return {
        "total_requests": 2,
        "total_duration_ms": 9500.0,
        "total_tokens_generated": 500,
        "average_ttft_ms": 250.0,
        "average_tokens_per_second": 50.0,
        "peak_gpu_memory_gb": None,
    }


def python_pair() -> Row:
    """The Python program's ``metrics.json`` of the run of :func:`pair_row`."""
    agents = {
        name: {
            "agent_type": role,
            "model": "gemma3:latest",
            "configuration": sent,
            "aggregate_metrics": python_totals(),
        }
        for name, role, sent in (("collector", "baseline", {}), ("insight", "chimera", OPTIONS))
    }
    summary = {
        "run_number": 1,
        "collector_ollama_url": "http://localhost:11434",
        "insight_ollama_url": "http://localhost:11434",
        "throughput_delta": 0.0,
        "ttft_delta_ms": 0.0,
        "concurrent_wall_time": 10.0,
        "concurrency_speedup": 2.0,
        "resource_contention_detected": False,
    }
    return {**agents, "summary": summary, "collector_execution_time": 10.0, "insight_execution_time": 10.0}


def rust_pair() -> Row:
    """The Rust program's ``metrics.json`` of the run of :func:`pair_row`, with the server's durations."""
    totals = {
        "average_tokens_per_second": 50.0,
        "average_ttft_ms": 250.0,
        "eval_duration_ms": 9000.0,
        "load_duration_ms": 300.0,
        "prompt_eval_duration_ms": 100.0,
        "total_duration_ms": 9500.0,
        "total_tokens_generated": 500,
    }
    agents = {
        name: {
            "config": {"base_url": "http://localhost:11434", "label": role, "model": "gemma3:latest", "options": sent},
            "execution_time_s": 10.0,
            "result": {"aggregate_metrics": totals, "runs": 2},
        }
        for name, role, sent in (("collector", "baseline", {}), ("insight", "chimera", OPTIONS))
    }
    summary = {
        "concurrency_speedup": 2.0,
        "concurrent_wall_time_s": 10.0,
        "efficiency_percent": 100.0,
        "resource_contention_detected": False,
        "throughput_delta": 0.0,
        "ttft_delta_ms": 0.0,
    }
    return {**agents, "run_number": 1, "scenario": "baseline_vs_chimera", "summary": summary}


def solo_document() -> list[Row]:
    """The ``metrics.json`` of one Python agent alone, as the baseline and as chimera."""
    totals = {
        **python_totals(),
        "total_duration_ms": 4750.0,
        "average_ttft_ms": 200.0,
        "average_tokens_per_second": 100.0,
    }
    item: Row = {"run_number": 1}
    for name, sent in (("baseline", {}), ("chimera", OPTIONS)):
        metrics = {"agent_type": name, "model": "gemma3:latest", "configuration": sent, "aggregate_metrics": totals}
        item |= {f"{name}_results": {"metrics": metrics, "execution_time": 5.0}, f"{name}_duration": 5.5}
    return [item]


def write_rows(folder: Path, *rows: Row, name: str = "runs.jsonl") -> Path:
    """A file of tidied JSON Lines in a folder, which is made; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def write_metrics(folder: Path, document: object) -> Path:
    """A ``metrics.json`` in a folder, which is made; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "metrics.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def published_run(row: Row) -> PublishedRun:
    """The record of a tidied row."""
    found = row_of(row)
    assert isinstance(found, PairRow)
    return found.record()


def judged(
    folder: Path, *rows: Row, cells: Sequence[ExpectedCell] | None = None, solo_tok_s: float | None = None
) -> JudgedPublished:
    """Rows written, read and judged."""
    write_rows(folder, *rows)
    return judge_published(read_published(folder), cells, solo_tok_s)


def judged_dataset(*rows: Row, solo_tok_s: float | None = None) -> DatasetFigures:
    """One data set of tidied rows judged, without a file."""
    session = PublishedSession(rows[0]["dataset"], tuple(published_run(row) for row in rows))
    (dataset,) = judge_published([session], solo_tok_s=solo_tok_s).datasets
    return dataset
