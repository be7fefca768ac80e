"""A server on a real socket whose answers are raw bytes, and one client that asks it again and again."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import httpx

from harness.measure import (
    AgentPlan,
    Coordinator,
    MeasuringTransport,
    measuring_client,
    measuring_loops,
    nonces,
    solo_arms,
)
from harness.records import AgentRun, Block, RequestRecord, Run
from harness.records.session import CONCURRENT, solo_arm
from harness.scenarios import Ask
from harness.servers.api import OllamaApi
from harness.store import Journal, read_journal
from harness.testing import build_block, build_session, stream_lines
from tests.measure.servers import HEAD, http_chunk, within

T = TypeVar("T")
OPEN, CLOSE, RESET = "open", "close", "reset"
ENDS = (OPEN, CLOSE, RESET)
ROLE = "A"
_HANGS_S = 30.0
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request gets.

    Attributes:
        writes: Written one after the other, and the client may read in between.
        end: What becomes of the connection then.
        late: Written before the next answer, if the connection is asked again.
    """

    writes: tuple[bytes, ...]
    end: str = OPEN
    late: bytes = b""


GOOD = Answer((HEAD + b"".join(map(http_chunk, stream_lines())) + http_chunk(b""),))
"""Two tokens, "Hello" together."""


class Wire:
    """The server: each request gets the next of its answers, and a good one if there is none."""

    def __init__(self) -> None:
        """Answers nothing yet."""
        self.answers: deque[Answer] = deque()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listens; gives its URL."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Ends it and its connections."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        answer = Answer(())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while answer.end == OPEN and not writer.is_closing():
                answer = await self._answered(reader, writer, answer.late)
        if answer.end == RESET and not writer.is_closing():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        else:
            writer.close()
        self._tasks.discard(task)

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, late: bytes) -> Answer:
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line[15:]))
        answer = self.answers.popleft() if self.answers else GOOD
        for write in (late, *answer.writes) if late else answer.writes:
            if not writer.is_closing():  # or the client knows enough
                writer.write(write)
                await asyncio.sleep(0)
        return answer


async def _one_request(ask: Ask) -> None:
    await ask("only", "hello")


class Bench:
    """The client's side, from the socket to the journal, kept open from one example of a property to the next."""

    def __init__(
        self, runner: asyncio.Runner, wire: Wire, client: httpx.AsyncClient, api: OllamaApi, journal: Journal
    ) -> None:
        """Use :func:`open_bench`."""
        self.url = url = api.url
        self.client = client
        assert isinstance(client._transport, MeasuringTransport)
        self.transport = client._transport
        self.api = api
        self.faults: list[dict[str, object]] = []  # what callbacks of the loop raised, which nobody else sees
        runner.get_loop().set_exception_handler(lambda _loop, context: self.faults.append(context))
        self._wire = wire
        self._runner = runner
        self._coordinator = Coordinator({url: client}, {"one": _one_request}, nonces())
        self._journal = journal
        self._kept: list[Block] = []

    def ask(self, answer: Answer = GOOD) -> Run:
        """One agent's run whose only request gets this answer."""
        runs: list[Run] = []
        (arm,) = solo_arms((AgentPlan(ROLE, "one", self.url, "m"),))
        self.run(lambda: self._coordinator.run(arm, runs), answer)
        return runs[0]

    def run(self, act: Callable[[], Awaitable[T]], answer: Answer) -> T:
        """Something that asks for this answer."""
        self._wire.answers.append(answer)
        try:
            return self._runner.run(within(self._settled(act, answer.end), _HANGS_S))
        finally:
            self._wire.answers.clear()

    async def _settled(self, act: Callable[[], Awaitable[T]], end: str) -> T:
        """The client has noticed it too if the server has closed the connection."""
        done = await act()
        while end != OPEN and self.transport.open_connections:  # noqa: ASYNC110 - it has nobody to tell
            await asyncio.sleep(0)
        return done

    def keep(self, block: Block) -> None:
        """Into the journal."""
        self._kept.append(block)
        self._journal.append(block)

    def assert_nothing_is_lost(self) -> None:
        """The journal gives back every block as it was, and no callback has raised anything."""
        assert not self.faults, self.faults
        assert read_journal(self._journal.path).session.blocks == tuple(self._kept)


@contextmanager
def open_bench(folder: Path) -> Iterator[Bench]:
    """A bench on the loop that measures."""
    (factory,) = measuring_loops().values()
    with asyncio.Runner(loop_factory=factory) as runner, Journal(folder / "j.jsonl", build_session()) as journal:
        wire = Wire()
        url = runner.run(wire.start())
        client, api = measuring_client(url), OllamaApi(url)
        try:
            yield Bench(runner, wire, client, api, journal)
        finally:
            runner.run(client.aclose())
            runner.run(api.close())
            runner.run(wire.stop())


def request_of(run: Run) -> RequestRecord:
    """The one request of a run; whatever came, its failure is the only thing that the agent may tell."""
    (agent,) = run.agents
    (request,) = agent.requests
    assert agent.error == (f"request 'only' failed: {request.error}" if request.error else None)
    return request


def pieces(data: bytes, places: Sequence[int]) -> tuple[bytes, ...]:
    """``data`` cut at these places, modulo its length."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return tuple(data[first:last] for first, last in pairwise(ends))


def block_with(agent: AgentRun, arm: str) -> Block:
    """Block 2 of a scenario, good but for one agent's run in one arm."""
    good = build_block(index=2, tokens=2)

    def changed(run: Run) -> Run:
        agents = tuple(agent if run.arm == arm and each.role == agent.role else each for each in run.agents)
        return replace(run, agents=agents)

    return replace(good, runs=tuple(changed(run) for run in good.runs))


ARMS = (solo_arm(ROLE), CONCURRENT)
