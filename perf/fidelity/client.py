"""The process of one client under test: measures one load and prints what it saw as JSON."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from perf.fidelity.clients import LIBRARIES
from perf.fidelity.drive import run
from perf.fidelity.loads import Load
from perf.fidelity.observed import ClientReport
from perf.fidelity.tools.catalogue import TOOLS, Tool
from perf.fidelity.tools.process import ToolError, run_tool, tool_version

_START_UP_S = 120.0


def tool_limit_s(load: Load) -> float:
    """How long a whole tool may take for a load, s."""
    return load.duration_s * 3 + _START_UP_S


def measure_tool(tool: Tool, program: str, url: str, load: Load) -> ClientReport:
    """Runs a whole tool and reads its report.

    Raises:
        ToolError: If it fails, takes too long, or wrote no report.
    """
    with tempfile.TemporaryDirectory(prefix=f"fidelity-{tool.name}-") as name:
        folder = Path(name)
        command = tool.command(program, url, load, folder)
        cpu_s = run_tool(command, folder, limit_s=tool_limit_s(load))
        try:
            observed, reported = tool.read(folder)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise ToolError(f"its report cannot be read: {type(error).__name__}: {error}") from error
    return ClientReport(tool.name, tool_version(program), tool.settings, cpu_s, 0, observed, reported)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m perf.fidelity.client", description=__doc__)
    parser.add_argument("client", choices=[each.name for each in (*LIBRARIES, *TOOLS)])
    parser.add_argument("--url", required=True, help="the ground-truth server")
    parser.add_argument("--load", required=True, help="a Load as JSON")
    parser.add_argument("--cpus", default="", help="pin this process and its children to them: 1 or 1,2,3")
    parser.add_argument("--program", default="", help="of a whole tool: the program to run")
    parsed = parser.parse_args(arguments)
    if parsed.cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in parsed.cpus.split(",")})
    load = msgspec.json.decode(parsed.load, type=Load)
    library = next((each for each in LIBRARIES if each.name == parsed.client), None)
    try:
        if library is not None:
            report = run(library, parsed.url, load)
        else:
            tool = next(each for each in TOOLS if each.name == parsed.client)
            report = measure_tool(tool, parsed.program or tool.program, parsed.url, load)
    except ToolError as error:
        sys.stderr.write(f"{parsed.client}: {error}\n")
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
