"""A lane: a process that records paced sessions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from perf.verdicts.recordings import read_recordings
from perf.verdicts.worlds import PACED, plan_jobs

LONG_JOBS = plan_jobs(1, 30, {("quiet", 0): 100})
PARENT = """
import subprocess, sys, time
with open(sys.argv[1], "rb") as jobs:
    lane = subprocess.Popen([sys.executable, "-m", "perf.verdicts.lane", sys.argv[2]], stdin=jobs)
    print(lane.pid, flush=True)
    time.sleep(600)
"""
ROOT = Path(__file__).parents[2]
ENDS_S = 30


def test_a_lane_records_its_sessions_one_after_the_other(tmp_path: Path) -> None:
    """Both sides of each pair, the warm-up pair too, with the servers of its own."""
    jobs = plan_jobs(1, 1, {(world, 5): 1 for world in PACED})
    command = [sys.executable, "-m", "perf.verdicts.lane", str(tmp_path / "journals")]
    lane = subprocess.run(command, cwd=ROOT, input=msgspec.json.encode(jobs), capture_output=True, check=True)
    assert lane.stderr.decode() == f"lane {jobs[0].name}: 2 of 2 sessions\n"
    found = list(read_recordings(tmp_path))
    assert [each.job for each in found] == jobs
    for each in found:
        assert sorted((block.index, block.side) for block in each.blocks) == [
            (0, "base"),
            (0, "candidate"),
            (1, "base"),
            (1, "candidate"),
        ]
        assert not any(block.error for block in each.blocks)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_a_lane_ends_with_the_benchmark_that_was_killed(tmp_path: Path) -> None:
    """It and its servers: nothing keeps the host busy when nobody waits for it."""
    listed = tmp_path / "jobs.json"
    listed.write_bytes(msgspec.json.encode(LONG_JOBS))
    command = [sys.executable, "-c", PARENT, str(listed), str(tmp_path / "journals")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None
            lane = psutil.Process(int(parent.stdout.readline()))
            while not (journals := list(tmp_path.glob("journals/*.jsonl"))):
                assert lane.is_running()
            family = [lane, *lane.children(recursive=True)]
        finally:
            parent.kill()
    assert journals
    assert len(family) == 3
    assert psutil.wait_procs(family, timeout=ENDS_S)[1] == []
