"""The whole tools' command lines and reports, without the tools."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from perf.fidelity.loads import load_of
from perf.fidelity.tools import aiperf, guidellm
from perf.fidelity.tools.process import ToolError, run_tool

MS = 1_000_000


def test_guidellm_keeps_the_first_and_the_last_token(tmp_path: Path) -> None:
    """Its instants are seconds since 1970; a failed request is a failed request."""
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "00000007 tell me"}]}]}
    timings = {"request_start": 10.0, "first_token_iteration": 10.05, "last_token_iteration": 10.25}
    good = {
        "request_args": json.dumps({"body": body}),
        "info": {"error": None, "timings": {**timings, "token_iterations": 20}},
    }
    bad = {
        "request_args": json.dumps({"body": body}),
        "info": {"error": "refused", "timings": {**timings, "first_token_iteration": None}},
    }
    metrics = {
        "time_to_first_token_ms": {"successful": {"percentiles": {"p50": 52.0, "p99": 53.9}}},
        "inter_token_latency_ms": {"successful": {"percentiles": {"p99": 10.9}}},
    }
    document = {"benchmarks": [{"requests": {"successful": [good], "errored": [bad]}, "metrics": metrics}]}
    (tmp_path / "report.json").write_text(json.dumps(document))
    (first, second), reported = guidellm.read(tmp_path)
    assert (first.nonce, first.tokens, first.complete) == ("00000007", 20, False)
    assert first.token_ns == pytest.approx((50 * MS, 250 * MS), abs=1000)
    assert second.error == "refused"
    assert (reported.ttft_p50, reported.ttft_p99, reported.itl_p99) == (52.0, 53.9, 10.9)


def test_aiperf_keeps_every_gap(tmp_path: Path) -> None:
    """Its records have no prompt: the conversation leads to the nonce."""
    report = tmp_path / "report"
    report.mkdir()
    inputs = {"data": [{"session_id": "s", "payloads": [{"messages": [{"content": "00000007 tell me"}]}]}]}
    (report / "inputs.json").write_text(json.dumps(inputs))
    metrics = {
        "time_to_first_token": {"value": 50.0},
        "inter_chunk_latency": {"value": [10.0, 11.0]},
        "output_sequence_length": {"value": 3},
    }
    records = [{"metadata": {"conversation_id": "s"}, "metrics": each} for each in (metrics, {})]
    (report / "profile_export.jsonl").write_text("\n".join(map(json.dumps, records)) + "\n")
    summary = {"time_to_first_token": {"p50": 1.0, "p99": 2.0}, "inter_token_latency": {"p99": 3.0}}
    (report / "profile_export_aiperf.json").write_text(json.dumps(summary))
    (first, second), reported = aiperf.read(tmp_path)
    assert (first.nonce, first.complete, first.error) == ("00000007", True, None)
    assert first.token_ns == (50 * MS, 60 * MS, 71 * MS)
    assert second.error == "no token"
    assert (reported.ttft_p50, reported.ttft_p99, reported.itl_p99) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("tool", [guidellm, aiperf])
def test_a_tool_gets_its_prompts_and_a_tokenizer(tool: object, tmp_path: Path) -> None:
    """One prompt a request, each with its nonce; no model hub is asked for a tokenizer."""
    load = load_of(16)
    command = list(tool.command("the-tool", "http://localhost:1", load, tmp_path))  # type: ignore[attr-defined]
    assert command[0] == "the-tool"
    prompts = (tmp_path / "prompts.jsonl").read_text().splitlines()
    assert len(prompts) == load.requests
    assert "00000000 " in prompts[0]
    assert json.loads((tmp_path / "tokenizer" / "tokenizer.json").read_text())["model"]["type"] == "WordLevel"


def test_cpu_of_a_tools_orphans_is_counted(tmp_path: Path) -> None:
    """A grandchild whose parent does not wait for it is waited for by us."""
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}])"
    assert run_tool([sys.executable, "-c", leave], tmp_path, limit_s=30) >= 0.3


def test_a_tool_that_fails_says_why(tmp_path: Path) -> None:
    """Exit status and last output are in the error."""
    with pytest.raises(ToolError, match="exit status 3\nno such server"):
        run_tool([sys.executable, "-c", "print('no such server'); raise SystemExit(3)"], tmp_path, limit_s=30)


def test_a_tool_that_hangs_is_ended(tmp_path: Path) -> None:
    """It gets its time and no more."""
    with pytest.raises(ToolError, match="not over after 0 s"):
        run_tool([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, limit_s=0.2)
