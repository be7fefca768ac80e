"""Becomes a server: sets what must hold before its first thread exists, then replaces itself by its command.

Run as a script with the standard library alone (``python launch.py --parent PID [--cpus 0,1] -- COMMAND ...``):
affinity set from outside would reach only the threads that a server started later, and a hook between fork and exec
is not safe in a process with threads.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def signal_on_parent_death(number: signal.Signals) -> None:
    """Asks Linux to send this process a signal when its parent dies, kill -9 included; elsewhere nothing."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library without prctl
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Ends this process when its parent dies; where the system does not tell, the registry sees to it."""
    signal_on_parent_death(signal.SIGTERM)
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
    try:
        os.execvp(arguments.command[0], arguments.command)  # noqa: S606 - it is the command we were given
    except OSError as error:
        sys.exit(f"launch: {arguments.command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
