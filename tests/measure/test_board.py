"""The board: what is noted while it is measured, and that the records are what they are without it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from harness.measure import (
    AgentPlan,
    ArmPlan,
    Board,
    Coordinator,
    Loader,
    ScenarioPlan,
    Seat,
    measure_block,
    measure_request,
    measuring_client,
    run_calibration,
)
from harness.measure.board import SEAT
from harness.protocol import generate_body
from harness.records import RequestRecord, Run
from harness.records.board import ASKING, DONE, FAILED, IDLE, QUEUED, SEAT_WORDS, WORKING, Seen, seen_at
from harness.scenarios import Ask
from harness.testing import done_line, text_line
from tests.measure.servers import HEAD, URL, FakeServer, SocketServer, http_chunk, within

READER = """
import mmap, sys
from harness.records.board import seen_at
words = memoryview(mmap.mmap(int(sys.argv[1]), 0, prot=mmap.PROT_READ)).cast("Q")
for line in sys.stdin:
    print(seen_at(words, int(line)), flush=True)
"""
BODY = generate_body("m", "12345678 hello", {"num_ctx": 512, "seed": 3})
WRITES = (HEAD + http_chunk(text_line("a")), http_chunk(text_line("b")), http_chunk(done_line()) + http_chunk(b""))


def _seen(seat: Seat) -> Seen:
    return seen_at(list(seat._words), 0)


def test_another_process_sees_what_is_noted() -> None:
    """At once, and without a word between the two."""
    board = Board(3)
    command = [sys.executable, "-c", READER, str(board.fd)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=(board.fd,)
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None

        def told(seat: int) -> str:
            assert reader.stdin is not None
            assert reader.stdout is not None
            reader.stdin.write(f"{seat}\n")
            reader.stdin.flush()
            return reader.stdout.readline().strip()

        assert told(1) == repr(Seen())
        seat = board.seats(2)[1]
        assert told(1) == repr(Seen(QUEUED))
        seat.admitted()
        seat.asks(10)
        seat.heard(11, 1, 20)
        seat.heard(11, 2, 30)
        assert told(1) == repr(Seen(ASKING, 1, 11, 20, 30, 2))
        assert told(0) == repr(Seen(QUEUED))
        assert told(2) == repr(Seen(IDLE))
        reader.stdin.close()
    board.close()
    board.close()
    seat.left(failed=False)  # whoever still works after the display has gone notes on


def test_a_seat_is_free_for_the_next_arm() -> None:
    """Nothing is left of who sat there before; there are no more seats than there are."""
    board = Board(2)
    (seat,) = board.seats(1)
    seat.asks(1)
    seat.heard(1, 5, 9)
    assert _seen(board.seats(1)[0]) == Seen(QUEUED)
    assert len(board.seats(5)) == 2
    board.close()


def test_a_request_begins_anew() -> None:
    """The answer before is forgotten, the number of requests is not."""
    board = Board(1)
    (seat,) = board.seats(1)
    seat.asks(1)
    seat.heard(2, 5, 9)
    seat.answered()
    assert _seen(seat) == Seen(WORKING, 1, 2, 9, 9, 5)
    seat.asks(20)
    assert _seen(seat) == Seen(ASKING, 2, 20, 0, 0, 0)
    board.close()


def _stock(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, trust_env=False)


@pytest.mark.parametrize("client_of", [measuring_client, _stock])
@pytest.mark.asyncio
async def test_what_has_come_is_noted_and_the_record_is_the_same(client_of: Callable[[str], httpx.AsyncClient]) -> None:
    """Parts of the answer and their instants; with a seat and without, the same tokens in the same reads."""
    board, sink = Board(1), list[RequestRecord]()
    (seat,) = board.seats(1)
    async with SocketServer(*WRITES) as server, client_of(server.url) as client:
        for each in (seat, None):
            await within(measure_request(client, name="ask", nonce="1", body=BODY, sink=sink, seat=each))
    seen = _seen(seat)
    noted, plain = sink
    assert noted.error is plain.error is None
    assert (noted.text, noted.token_chunk, noted.stamped_by) == (plain.text, plain.token_chunk, plain.stamped_by)
    assert (seen.state, seen.requests) == (WORKING, 1)
    assert seen.parts >= len(noted.token_ns)
    assert seen.sent_ns == noted.sent_ns
    # The kernel's stamp of a read is earlier than this process's, and that is what the record has.
    assert noted.token_ns[0] <= seen.first_ns <= seen.last_ns <= noted.ended_ns + 10**9
    board.close()


@pytest.mark.asyncio
async def test_nothing_is_passed_on_where_nobody_looks() -> None:
    """A request without a seat is sent as it always was."""
    server = FakeServer()
    sink: list[RequestRecord] = []
    asked: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        asked.append(request)

    async with server.client() as client:
        client.event_hooks["request"] = [keep]
        await measure_request(client, name="ask", nonce="1", body=BODY, sink=sink)
    assert SEAT not in asked[0].extensions


async def one_call(ask: Ask) -> None:
    """Asks once."""
    await ask("only", "hello")


@dataclass
class Onlooking:
    """Keeps what it is told."""

    board: Board
    told: list[str] = field(default_factory=list)
    seated: tuple[Seat, ...] = ()

    def block(self, plan: ScenarioPlan, index: int) -> None:
        """Keeps it."""
        self.told.append(f"{plan.name} {index}")

    def preparing(self, arm: ArmPlan) -> None:
        """Keeps it."""
        self.told.append(f"preparing {arm.name}")

    def arm(self, arm: ArmPlan) -> Sequence[Seat]:
        """Keeps it, and gives seats."""
        self.told.append(arm.name)
        self.seated = self.board.seats(len(arm.agents))
        return self.seated


AGENTS = tuple(AgentPlan(role, "one_call", URL, "m") for role in "AB")


@pytest.mark.asyncio
async def test_an_onlooker_is_told_of_blocks_and_arms_before_they_start() -> None:
    """In their order; each arm after it was said that models are brought into place for it."""

    async def nothing(_agent: AgentPlan) -> None:
        return

    server, board = FakeServer(), Board(4)
    onlooker = Onlooking(board)
    async with server.client() as client:
        coordinator = Coordinator({URL: client}, {"one_call": one_call}, lambda: "1", onlooker=onlooker)
        plan = ScenarioPlan("pair", AGENTS, 1, 7, 2, 30.0)
        await measure_block(plan, 3, coordinator, lambda _block: None, loader=Loader(nothing, nothing))
    order = [each for arm in plan.order(3) for each in (f"preparing {arm}", arm)]
    assert onlooker.told == ["pair 3", *order]
    assert [_seen(seat).state for seat in onlooker.seated] == [DONE] * len(onlooker.seated)
    board.close()


@pytest.mark.parametrize("seats", [0, 1, 2])
@pytest.mark.asyncio
async def test_an_agent_that_fails_is_seen_to_and_one_without_a_seat_works_all_the_same(seats: int) -> None:
    """There may be more agents than seats."""

    async def failing(ask: Ask) -> None:
        await ask("only", "hello")
        raise RuntimeError("of its own")

    server, board, sink = FakeServer(), Board(max(1, seats)), list[Run]()
    onlooker = Onlooking(board)
    if not seats:
        onlooker.arm = lambda _arm: ()  # type: ignore[method-assign, assignment]
    agents = (AGENTS[0], AgentPlan("B", "failing", URL, "m"))
    async with server.client() as client:
        workflows = {"one_call": one_call, "failing": failing}
        coordinator = Coordinator({URL: client}, workflows, lambda: "1", onlooker=onlooker)
        await within(coordinator.run(ArmPlan("concurrent", agents, 2), sink))
    assert [agent.error is None for agent in sink[0].agents] == [True, False]
    assert [_seen(seat).state for seat in onlooker.seated] == [DONE, FAILED][:seats]
    board.close()


@pytest.mark.asyncio
async def test_a_calibration_can_be_noted_too() -> None:
    """As in a session that is drawn, every stream has a seat, and is measured as well as without."""
    board = Board(2)
    run = await run_calibration(streams=2, rounds=2, board=board)
    assert all(len(record.token_ns) == len(true.token_ns) for record, true in run.pairs)
    words = [word for seat in board._seats for word in seat._words]
    seen = [seen_at(words, seat) for seat in range(len(words) // SEAT_WORDS)]
    assert [(each.state, each.requests) for each in seen] == [(WORKING, 2)] * 2
    assert all(each.parts >= 16 for each in seen)
    board.close()


def test_the_memory_is_in_no_file_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no memory files, the file is gone from its folder at once."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("harness.measure.board.sys.platform", "darwin")
    board = Board(1)
    assert _seen(board.seats(1)[0]) == Seen(QUEUED)
    assert list(tmp_path.iterdir()) == []
    board.close()
