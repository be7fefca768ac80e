"""AIPerf: ``aiperf profile`` with a fixed concurrency, and its records of each request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from perf.fidelity.drive import nonces_of
from perf.fidelity.loads import MODEL, Load
from perf.fidelity.observed import Observed, Reported
from perf.fidelity.tools.prompts import write_prompts, write_tokenizer

SETTINGS = (
    "aiperf profile, endpoint chat, streaming, fixed concurrency, warmed up by a request a stream; a stream's next "
    "request starts when its last one is over; gaps are its inter-chunk latencies"
)

_NS_PER_MS = 1e6


def command(program: str, url: str, load: Load, folder: Path) -> Sequence[str]:
    """Its command line; prompts and tokenizer are written to ``folder``."""
    write_tokenizer(folder / "tokenizer")
    write_prompts(folder / "prompts.jsonl", nonces_of(load), column="text")
    return [
        *(program, "profile", "--model", MODEL, "--url", url),
        *("--endpoint-type", "chat", "--streaming", "--use-server-token-count"),
        *("--concurrency", str(load.streams), "--request-count", str(load.requests)),
        *("--warmup-request-count", str(load.streams), "--extra-inputs", f"max_tokens:{load.tokens}"),
        *("--input-file", str(folder / "prompts.jsonl"), "--custom-dataset-type", "single-turn"),
        *("--tokenizer", str(folder / "tokenizer"), "--ui", "none", "--artifact-dir", str(folder / "report")),
    ]


def read(folder: Path) -> tuple[list[Observed], Reported]:
    """Its requests, and its summary's figures."""
    report = folder / "report"
    inputs = json.loads((report / "inputs.json").read_text("utf-8"))
    nonces = {item["session_id"]: _nonce(item["payloads"][0]) for item in inputs["data"]}
    lines = (report / "profile_export.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    observed = [_request(record, nonces[record["metadata"]["conversation_id"]]) for record in records]
    summary = json.loads((report / "profile_export_aiperf.json").read_text("utf-8"))
    ttft, itl = summary["time_to_first_token"], summary["inter_token_latency"]
    return observed, Reported(ttft["p50"], ttft["p99"], itl["p99"])


def _nonce(payload: dict[str, Any]) -> str:
    return str(payload["messages"][0]["content"]).partition(" ")[0]


def _request(record: dict[str, Any], nonce: str) -> Observed:
    metrics = record["metrics"]
    if record.get("error") or "time_to_first_token" not in metrics:
        return Observed(nonce, 0, (), 0, str(record.get("error") or "no token"))
    first = metrics["time_to_first_token"]["value"]
    gaps = metrics.get("inter_chunk_latency", {"value": []})["value"]
    instants = tuple(round(ms * _NS_PER_MS) for ms in accumulate(gaps, initial=first))
    return Observed(nonce, 0, instants, int(metrics["output_sequence_length"]["value"]))
