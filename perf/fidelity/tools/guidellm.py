"""GuideLLM: ``guidellm run`` with a fixed number of streams, and its JSON report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perf.fidelity.drive import nonces_of
from perf.fidelity.loads import MODEL, Load
from perf.fidelity.observed import Observed, Reported
from perf.fidelity.tools.prompts import write_prompts, write_tokenizer

SETTINGS = (
    "guidellm run, profile concurrent, openai_http on /v1/chat/completions, no warm-up (its TTFT begins when a "
    "connection is there); a stream's next request starts when its "
    "last one is over; no single gaps in its report"
)

_NS = 1e9
_REPORT = "report.json"


def command(program: str, url: str, load: Load, folder: Path) -> Sequence[str]:
    """Its command line; prompts and tokenizer are written to ``folder``."""
    write_tokenizer(folder / "tokenizer")
    write_prompts(folder / "prompts.jsonl", nonces_of(load), column="prompt")
    backend = f"kind=openai_http,target={url},model={MODEL},validate_backend=false,max_tokens={load.tokens}"
    return [
        *(program, "run", "--disable-console-interactive"),
        *("--backend", backend),
        *("--profile", f"kind=concurrent,streams={load.streams}"),
        *("--constraint", f"kind=max_requests,count={load.requests}"),
        *("--tokenizer", f"kind=huggingface_auto,model={folder / 'tokenizer'}"),
        *("--data", f"kind=json_file,path={folder / 'prompts.jsonl'}"),
        *("--output", f"kind=json,path={folder / _REPORT}"),
    ]


def read(folder: Path) -> tuple[list[Observed], Reported]:
    """Its requests (first and last token of each), and its summary's figures."""
    document = json.loads((folder / _REPORT).read_text("utf-8"))
    benchmark = document["benchmarks"][0]
    observed = [_request(item) for status in ("successful", "errored") for item in benchmark["requests"][status]]
    ttft = benchmark["metrics"]["time_to_first_token_ms"]["successful"]["percentiles"]
    itl = benchmark["metrics"]["inter_token_latency_ms"]["successful"]["percentiles"]
    return observed, Reported(ttft["p50"], ttft["p99"], itl["p99"])


def _request(item: dict[str, Any]) -> Observed:
    prompt = json.loads(item["request_args"])["body"]["messages"][0]["content"][0]["text"]
    nonce = str(prompt).partition(" ")[0]
    timings = item["info"]["timings"]
    first, last = timings["first_token_iteration"], timings["last_token_iteration"]
    if item["info"]["error"] or first is None:
        return Observed(nonce, 0, (), 0, str(item["info"]["error"] or "no token"))
    began = timings["request_start"]
    instants = (round((first - began) * _NS), round((last - began) * _NS))
    return Observed(nonce, 0, instants, int(timings["token_iterations"]))
