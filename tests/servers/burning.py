"""Processes that keep a CPU busy, and say so each time they have used 0.1 s of it: nobody has to wait by the clock."""

from __future__ import annotations

import subprocess
import sys

STEP_S = 0.1
BURNER = f"""
import os, time
cpu = CPU
if cpu is not None:
    os.sched_setaffinity(0, [cpu])
for _ in range(600):
    end = time.process_time() + {STEP_S}
    while time.process_time() < end:
        pass
    print("burnt", flush=True)
"""


def burner(cpu: int | None = None) -> str:
    """Code of one, kept on a CPU if one is given."""
    return BURNER.replace("CPU", repr(cpu), 1)


def parent_of(code: str, *, threaded: bool = False) -> str:
    """Code of a process that only runs another one, perhaps out of a thread, and waits for it."""
    run = f"subprocess.call([{sys.executable!r}, '-S', '-E', '-c', {code!r}])"
    if threaded:
        run = f"thread = threading.Thread(target=lambda: {run}); thread.start(); thread.join()"
    return f"import subprocess, threading, time\n{run}\nprint('waited', flush=True)\ntime.sleep(60)"


def wait_for(process: subprocess.Popen[bytes], lines: int = 1) -> None:
    """Returns when the process, or one that it runs, has said so many lines more."""
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline(), "it has ended"
