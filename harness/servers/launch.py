"""Becomes a server: sets what must hold before its first thread exists, then replaces itself by its command.

Run as a script with the standard library alone (``python launch.py --parent PID [--cpus 0,1] -- COMMAND ...``):
affinity set from outside would reach only the threads that a server started later, and a hook between fork and exec
is not safe in a process with threads.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Asks Linux to end this process when its parent dies, kill -9 included; other systems rely on the registry."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("launch: the parent died before its server started")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--cpus", default="")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    if arguments.cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in arguments.cpus.split(",")})
    die_with_parent(arguments.parent)
    os.execvp(arguments.command[0], arguments.command)  # noqa: S606 - it is the command we were given


if __name__ == "__main__":
    main()
