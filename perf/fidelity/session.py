"""One run of the benchmark: who takes part, on which CPUs, and what is written."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.measure import anchor
from harness.records import Environment
from harness.report import write_file
from harness.servers.host import usable_cores, usable_cpus
from harness.servers.truth import TruthServer
from harness.store import read_environment
from perf.fidelity.clients import LIBRARIES
from perf.fidelity.loads import Load
from perf.fidelity.rounds import Bench, Cell, Contestant, Say
from perf.fidelity.rows import Row, rows
from perf.fidelity.table import markdown, terminal_table
from perf.fidelity.tools.catalogue import TOOLS

NAMES = tuple(each.name for each in (*LIBRARIES, *TOOLS))
"""All clients that could take part."""

FORMAT = 1
"""Version of ``fidelity.json``."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure.

    Attributes:
        loads: The loads.
        clients: Names of the clients.
        rounds: Rounds.
        seed: Of the order of clients.
        programs: Where whole tools are that are not on PATH, by name.
    """

    loads: tuple[Load, ...]
    clients: tuple[str, ...] = NAMES
    rounds: int = 3
    seed: int = 0
    programs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found.

    Attributes:
        format: Version of this format.
        environment: Host and versions.
        server_cpus: CPUs that the ground-truth server was pinned to.
        client_cpus: CPUs that the clients were pinned to.
        seed: Of the order of clients.
        rounds: Rounds.
        loads: The loads.
        left_out: Clients that were asked for and could not take part, with the reason.
        settings: Version and use of each client, in words.
        rows: Medians.
        cells: Every client under every load in every round.
    """

    format: int
    environment: Environment
    server_cpus: tuple[int, ...]
    client_cpus: tuple[int, ...]
    seed: int
    rounds: int
    loads: tuple[Load, ...]
    left_out: dict[str, str]
    settings: dict[str, str]
    rows: list[Row]
    cells: list[Cell]

    @property
    def host(self) -> str:
        """Host and pinning in one line."""
        where = f"server on CPU {_list(self.server_cpus)}, clients on CPU {_list(self.client_cpus)}"
        return f"{self.environment.cpu}, {platform.system()} {platform.release()}; {where}"

    def table(self) -> str:
        """The tables for a terminal."""
        return f"{self.host}\n\n{terminal_table(self.rows, self.loads, self.rounds, self.left_out)}"


def contestants(request: Request) -> tuple[list[Contestant], dict[str, str]]:
    """Who can take part, and why the others cannot."""
    able: list[Contestant] = []
    left_out: dict[str, str] = {}
    for name in request.clients:
        library = next((each for each in LIBRARIES if each.name == name), None)
        if library is not None:
            missing, program = library.missing(), ""
        else:
            tool = next(each for each in TOOLS if each.name == name)
            program = tool.found(request.programs.get(name)) or ""
            missing = None if program else f"not installed: {request.programs.get(name, tool.program)} (--{name} PATH)"
        if missing:
            left_out[name] = missing
        else:
            able.append(Contestant(name, program))
    return able, left_out


def split_cpus(cpus: frozenset[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """CPUs of the server and of the clients: the first one, and the others; one CPU is shared."""
    first, *others = sorted(cpus)
    return (first,), tuple(others) or (first,)


def to_stderr(line: str) -> None:
    """Tells the person who waits."""
    sys.stderr.write(f"{line}\n")


def run_benchmark(request: Request, say: Say) -> Result:
    """Starts the ground-truth server and measures everything; nothing of it is left running.

    Raises:
        HarnessError: If the server cannot be started.
    """
    able, left_out = contestants(request)
    for name, reason in left_out.items():
        say(f"LEFT OUT: {name}: {reason}")
    server_cpus, client_cpus = split_cpus(usable_cpus())
    with TruthServer.start(ports=(0,), cpus=server_cpus) as truth:
        cells = Bench(truth, client_cpus, say).measure(able, request.loads, request.rounds, request.seed)
    return Result(
        format=FORMAT,
        environment=read_environment(anchor(), usable_cores()),
        server_cpus=server_cpus,
        client_cpus=client_cpus,
        seed=request.seed,
        rounds=request.rounds,
        loads=request.loads,
        left_out=left_out,
        settings={cell.client: f"{cell.version}; {cell.settings}" for cell in cells if cell.settings},
        rows=rows(cells),
        cells=cells,
    )


def write_result(result: Result, folder: Path) -> str:
    """Writes ``fidelity.json``, ``fidelity.md`` and, where matplotlib is, ``fidelity.png``; says what it wrote.

    Raises:
        HarnessError: If a file cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(result), indent=1).decode()
    write_file(folder / "fidelity.json", text + "\n")
    page = markdown(result.rows, result.loads, result.rounds, result.left_out, result.settings, result.host)
    write_file(folder / "fidelity.md", page)
    try:
        from perf.fidelity.plot import draw  # noqa: PLC0415 - matplotlib is optional
    except ImportError:
        return f"wrote fidelity.json and fidelity.md in {folder}; no plot: matplotlib is not installed"
    draw(result.rows, result.loads, folder / "fidelity.png", result.host)
    return f"wrote fidelity.json, fidelity.md and fidelity.png in {folder}"


def _list(cpus: Sequence[int]) -> str:
    return ",".join(map(str, cpus))
