"""The shell commands of the measuring side, as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys


def _harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_calibrate_prints_its_error_as_json() -> None:
    """Every documented key, one line, from a real server of known truth."""
    found = json.loads(_harness("calibrate", "--streams", "4", "--requests", "8", "--json").stdout)
    assert found["streams"] == 4
    assert found["tokens"] == 4 * 6 * 16
    assert found["unaccounted_tokens"] == 0
    assert found["ttft_error_ms"]["p50"] <= found["ttft_error_ms"]["p99"]
    for key, inner in (("gap_error_ms", "p99"), ("loop_lag_ms", "p99")):
        assert found[key][inner] >= 0
    assert found["cpu_s_per_1000_tokens"] > 0
    assert 0 <= found["coalesced_share"] <= 1


def test_calibrate_says_it_in_a_line_for_people() -> None:
    """Without --json."""
    assert _harness("calibrate", "--requests", "2").stdout.startswith("instrument: TTFT ")


def test_calibrate_refuses_what_cannot_be() -> None:
    """No streams is not a number of streams."""
    refused = _harness("calibrate", "--streams", "0")
    assert refused.returncode == 2
    assert "use 1 or more" in refused.stderr
