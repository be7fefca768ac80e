"""Agents together: the semaphore, the wait that it costs, and workflows that fail; proved with events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from harness.judge import metrics
from harness.measure import AgentPlan, ArmPlan, Clock, Coordinator, RequestSettings, bind, monotonic_ns
from harness.measure.coordinator import RequestFailedError
from harness.measure.host import SHORTEST_S, HostSpan, HostWatch
from harness.records import HostLoad, Run
from harness.records.session import CONCURRENT, solo_arm
from harness.scenarios import SCENARIOS, WORKFLOWS, Ask, Workflow
from harness.testing import FakeClock
from tests.measure.servers import URL, FakeServer, answer, within
from tests.servers.burning import STEP_S, burner, wait_for
from tests.servers.children import running


async def one_call(ask: Ask) -> None:
    """Asks once."""
    await ask("only", "hello")


AGENTS = tuple(AgentPlan(role, "one_call", URL, "m") for role in "AB")


async def _run(
    server: FakeServer,
    *,
    agents: tuple[AgentPlan, ...] = AGENTS,
    slots: int = 2,
    workflows: Mapping[str, Workflow] | None = None,
    clock: Clock = monotonic_ns,
    host: HostWatch | None = None,
) -> Run:
    drawn = iter(f"{n:08d}" for n in range(100))
    sink: list[Run] = []
    async with server.client() as client:
        coordinator = Coordinator(
            {URL: client}, {"one_call": one_call, **(workflows or {})}, lambda: next(drawn), clock, host
        )
        await within(coordinator.run(ArmPlan(CONCURRENT, agents, slots), sink))
    (run,) = sink
    return run


@pytest.mark.asyncio
async def test_two_slots_let_both_agents_work_at_the_same_time() -> None:
    """Each request is answered only once both have come: one after the other would never end."""
    both = asyncio.Barrier(2)

    async def generate(_request: httpx.Request) -> httpx.Response:
        await both.wait()
        return answer()

    run = await _run(FakeServer(generate))
    assert [agent.error for agent in run.agents] == [None, None]
    first, second = run.agents
    assert first.admitted_ns < second.finished_ns
    assert second.admitted_ns < first.finished_ns


@pytest.mark.asyncio
async def test_one_slot_serialises_and_its_wait_is_part_of_no_latency() -> None:
    """The second agent waits exactly as long as the first works, beside its duration and its latencies."""
    clock, inside = FakeClock(now_ns=50), 0
    most = 0

    async def generate(_request: httpx.Request) -> httpx.Response:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)

        async def work() -> None:
            nonlocal inside
            await asyncio.sleep(0)  # lets the other agent in, if anything would
            clock.advance(1_000_000)
            inside -= 1

        return answer(work, b'{"response": "a"}\n{"done": true}\n')

    run = await _run(FakeServer(generate), slots=1, clock=clock)
    assert most == 1
    assert [agent.wait_ns for agent in run.agents] == [0, 1_000_000]
    assert [agent.duration_ns for agent in run.agents] == [1_000_000, 1_000_000]
    assert [metrics.ttft_ms(agent.requests[0]) for agent in run.agents] == [1.0, 1.0]
    assert [metrics.end_to_end_ms(agent.requests[0]) for agent in run.agents] == [1.0, 1.0]
    assert run.wall_ns == 2_000_000


@pytest.mark.parametrize(("slots", "most"), [(1, 1), (2, 2), (3, 3), (9, 4)])
@pytest.mark.asyncio
async def test_no_more_agents_than_slots_are_inside(slots: int, most: int) -> None:
    """Of four agents as many work together as there are slots, and never more."""
    inside, peak = 0, 0
    full = asyncio.Event()

    async def generate(_request: httpx.Request) -> httpx.Response:
        nonlocal inside, peak
        inside += 1
        peak = max(peak, inside)
        if inside == most:
            full.set()
        await full.wait()
        await asyncio.sleep(0)
        inside -= 1
        return answer()

    agents = tuple(AgentPlan(role, "one_call", URL, "m") for role in "ABCD")
    run = await _run(FakeServer(generate), agents=agents, slots=slots)
    assert peak == most
    assert [agent.role for agent in run.agents] == list("ABCD")


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.asyncio
async def test_every_request_starts_with_its_nonce_and_has_the_agents_options(name: str) -> None:
    """What reaches the server of a real scenario: nonce first, then the prompt; all options in the body."""
    bodies: list[dict[str, Any]] = []

    async def generate(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return answer()

    plans = bind(SCENARIOS[name], (URL,), "m", RequestSettings(num_predict=16, seed=9, num_threads=(2,)))
    run = await _run(FakeServer(generate), agents=plans, workflows=WORKFLOWS)
    nonces = {request.nonce for agent in run.agents for request in agent.requests}
    assert len(nonces) == len(bodies) == 4
    assert {body["prompt"].split(" ")[0] for body in bodies} == nonces
    sent = sorted((body["options"] for body in bodies), key=str)
    assert sent == sorted((plan.options for plan in plans for _ in range(2)), key=str)
    for body in bodies:
        assert body["options"] | {"num_predict": 16, "seed": 9, "num_thread": 2} == body["options"]
        assert (body["model"], body["stream"], body["keep_alive"]) == ("m", True, -1)


class WorkflowError(Exception):
    """A fault of a user's workflow."""


@pytest.mark.parametrize("fault", [WorkflowError("bad"), KeyError("x"), TimeoutError(), asyncio.CancelledError()])
@pytest.mark.asyncio
async def test_a_workflow_that_raises_marks_its_agent_and_not_the_session(fault: BaseException) -> None:
    """The other agent goes on to its end; the fault's type stands in the record."""

    async def faulty(ask: Ask) -> None:
        await ask("first", "hello")
        raise fault

    agents = (AgentPlan("A", "faulty", URL, "m"), AGENTS[1])
    run = await _run(FakeServer(), agents=agents, workflows={"faulty": faulty})
    first, second = run.agents
    assert first.error is not None
    assert type(fault).__name__ in first.error
    assert [request.error for request in first.requests] == [None]
    assert (second.error, len(second.requests)) == (None, 1)


@pytest.mark.asyncio
async def test_a_failed_request_ends_its_workflow() -> None:
    """No later call is made, and the agent's reason names the call and the server's words."""

    async def two_calls(ask: Ask) -> None:
        await ask("first", "hello")
        await ask("second", "hello")

    async def generate(_request: httpx.Request) -> httpx.Response:
        return answer(b'{"error": "out of memory"}', status=500)

    agents = (AgentPlan("A", "two_calls", URL, "m"),)
    run = await _run(FakeServer(generate), agents=agents, workflows={"two_calls": two_calls})
    (agent,) = run.agents
    assert agent.error == "request 'first' failed: HTTP 500, the server reported: out of memory"
    assert [request.name for request in agent.requests] == ["first"]


@pytest.mark.asyncio
async def test_requests_under_way_together_are_kept_in_the_order_in_which_they_were_asked() -> None:
    """Whichever is answered first: so the arms' requests match each other by their place."""
    second_is_done = asyncio.Event()

    async def generate(request: httpx.Request) -> httpx.Response:
        if b"slow" in request.content:
            await second_is_done.wait()
        return answer()

    async def at_once(ask: Ask) -> None:
        async def quick() -> None:
            await ask("two", "quick")
            second_is_done.set()

        await asyncio.gather(ask("one", "slow"), quick())
        await ask("three", "quick")

    agents = (AgentPlan("A", "at_once", URL, "m"),)
    run = await _run(FakeServer(generate), agents=agents, workflows={"at_once": at_once})
    (agent,) = run.agents
    assert agent.error is None
    assert [request.name for request in agent.requests] == ["one", "two", "three"]
    assert agent.requests[0].ended_ns > agent.requests[1].ended_ns


async def _gathered(ask: Ask) -> None:
    await asyncio.gather(ask("endless", "slow"), ask("broken", "hello"))


async def _grouped(ask: Ask) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(ask("endless", "slow"))  # type: ignore[arg-type]
        group.create_task(ask("broken", "hello"))  # type: ignore[arg-type]


@pytest.mark.parametrize("workflow", [_gathered, _grouped])
@pytest.mark.asyncio
async def test_a_failed_request_ends_those_that_are_under_way_beside_it(workflow: Workflow) -> None:
    """The reason names the one that failed, and nothing is left that would disturb the next arm."""

    async def generate(request: httpx.Request) -> httpx.Response:
        if b"slow" in request.content:
            await asyncio.Event().wait()
        return answer(b'{"error": "out of memory"}', status=500)

    agents = (AgentPlan("A", "several", URL, "m"),)
    run = await _run(FakeServer(generate), agents=agents, workflows={"several": workflow})
    (agent,) = run.agents
    assert agent.error == "request 'broken' failed: HTTP 500, the server reported: out of memory"
    assert [request.name for request in agent.requests] == ["endless", "broken"]
    assert agent.requests[0].error == "cancelled before its stream ended"
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.mark.asyncio
async def test_a_workflow_that_leaves_a_request_behind_is_told_to_await_it() -> None:
    """The request is cut off, and one that it asks for later is refused."""
    asked = asyncio.Event()
    kept: list[Any] = []

    async def generate(request: httpx.Request) -> httpx.Response:
        if b"slow" in request.content:
            asked.set()
            await asyncio.Event().wait()
        return answer()

    async def forgetful(ask: Ask) -> None:
        kept.append(asyncio.ensure_future(ask("forgotten", "slow")))
        kept.append(ask)
        await asked.wait()

    agents = (AgentPlan("A", "forgetful", URL, "m"),)
    run = await _run(FakeServer(generate), agents=agents, workflows={"forgetful": forgetful})
    (agent,) = run.agents
    assert agent.error == "the workflow ended before 1 of its requests: await them"
    task, ask = kept
    assert task.cancelled()
    with pytest.raises(RequestFailedError, match="'late' was asked after its workflow had ended"):
        await ask("late", "hello")


@pytest.mark.asyncio
async def test_an_unknown_workflow_marks_its_agent() -> None:
    """A misspelt key loses that agent's run only."""
    run = await _run(FakeServer(), agents=(AgentPlan("A", "nowhere", URL, "m"), AGENTS[1]))
    assert [agent.error is None for agent in run.agents] == [False, True]


@pytest.mark.asyncio
async def test_a_cancelled_run_is_kept_with_what_there_was() -> None:
    """Of an agent inside and one that still waited, both have a record, and the cancellation passes through."""
    reached = asyncio.Event()

    async def generate(_request: httpx.Request) -> httpx.Response:
        reached.set()
        await asyncio.Event().wait()
        return answer()

    sink: list[Run] = []
    async with FakeServer(generate).client() as client:
        coordinator = Coordinator({URL: client}, {"one_call": one_call}, lambda: "1", FakeClock(step_ns=1))
        task = asyncio.create_task(coordinator.run(ArmPlan(solo_arm("A"), AGENTS, 1), sink))
        await within(reached.wait())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
    (run,) = sink
    inside, waiting = run.agents
    assert (inside.error, len(inside.requests)) == ("cancelled", 1)
    assert (waiting.error, waiting.requests, waiting.duration_ns) == ("cancelled", (), 0)
    assert waiting.wait_ns > 0


class SlowSpan(HostSpan):
    """Takes a ms of a fake clock to look at the end."""

    def __init__(self, clock: FakeClock, servers: int) -> None:
        """Watches nothing."""
        self._clock, self._servers = clock, servers

    def load(self) -> HostLoad:
        """Looks slowly; as many idle cores as servers were asked about."""
        self._clock.advance(1_000_000)
        return HostLoad((0,), 0.0, float(self._servers))


@dataclass(frozen=True)
class SlowWatch(HostWatch):
    """Takes a ms of a fake clock to look at the start."""

    clock: FakeClock = field(default_factory=FakeClock)

    def start(self, urls: Collection[str]) -> SlowSpan:
        """Looks slowly."""
        self.clock.advance(1_000_000)
        return SlowSpan(self.clock, len(urls))


@pytest.mark.asyncio
async def test_looking_at_the_host_takes_no_time_of_the_run() -> None:
    """It is looked at before the run starts and after it has ended; the run's servers are named once each."""
    clock = FakeClock()
    run = await _run(FakeServer(), clock=clock, host=SlowWatch(clock=clock))
    assert (run.started_ns, run.wall_ns) == (1_000_000, 0)
    assert run.host == HostLoad((0,), 0.0, 1.0)


@pytest.mark.asyncio
async def test_a_stranger_that_is_busy_for_as_long_as_the_run_stands_in_its_record() -> None:
    """A real one: the run ends when it has burnt so much CPU time, and that much at least is foreign."""
    steps = 2 + round(SHORTEST_S / STEP_S)
    with running(burner()) as stranger:
        wait_for(stranger)

        async def generate(_request: httpx.Request) -> httpx.Response:
            await asyncio.to_thread(wait_for, stranger, steps)
            return answer()

        run = await _run(FakeServer(generate), agents=AGENTS[:1], host=HostWatch())
    assert run.host is not None
    assert run.host.foreign_cores is not None
    assert run.host.foreign_cores * run.wall_ns / 1e9 > (steps - 1) * STEP_S - 0.15


@pytest.mark.asyncio
async def test_an_unwatched_run_says_nothing_of_the_host() -> None:
    """None, and not a machine that stands idle."""
    assert (await _run(FakeServer())).host is None


@pytest.mark.asyncio
async def test_a_staggered_start_is_asked_for_later_and_is_no_wait_for_a_slot() -> None:
    """The second agent asks to be let in when its delay is over: not before, and it is no wait for a slot."""
    sink: list[Run] = []
    async with FakeServer().client() as client:
        coordinator = Coordinator({URL: client}, {"one_call": one_call}, lambda: "1")
        await within(coordinator.run(ArmPlan(CONCURRENT, AGENTS, 2, stagger_s=0.05), sink))
    (run,) = sink
    first, second = run.agents
    assert first.queued_ns == run.started_ns
    assert second.queued_ns - run.started_ns >= 50_000_000 - 1_000_000  # a timer of the loop may be 1 ms early
    assert second.wait_ns < 50_000_000
    assert run.finished_ns >= second.finished_ns


async def forever(ask: Ask) -> None:
    """Asks until it is cut off."""
    while True:
        await ask("again", "hello")


@pytest.mark.asyncio
async def test_agents_in_the_background_work_until_the_others_have_ended() -> None:
    """They are cut off in mid-request, stand apart in the record, and their slots are nobody else's."""
    busy, hung = asyncio.Event(), asyncio.Event()
    asked = 0

    async def generate(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        if b"beside" not in request.content:
            await busy.wait()  # the agent's own request is answered when the other has asked three times
            return answer()
        asked += 1
        if asked == 3:
            busy.set()
            await hung.wait()
        return answer()

    sink: list[Run] = []
    plan = ArmPlan("decode:A", AGENTS[:1], 1, background=(AgentPlan("B", "forever", URL, "beside"),))
    async with FakeServer(generate).client() as client:
        coordinator = Coordinator({URL: client}, {"one_call": one_call, "forever": forever}, lambda: "1")
        await within(coordinator.run(plan, sink))
    (run,) = sink
    assert [(agent.role, agent.error) for agent in run.agents] == [("A", None)]
    (beside,) = run.background
    assert (beside.role, beside.error) == ("B", "cancelled")
    assert [request.error is None for request in beside.requests] == [True, True, False]
    assert run.finished_ns <= beside.finished_ns


@pytest.mark.asyncio
async def test_a_cancelled_run_cuts_its_background_off_too() -> None:
    """No task is left behind, and the record has both."""
    both = asyncio.Barrier(3)

    async def generate(_request: httpx.Request) -> httpx.Response:
        await both.wait()
        await asyncio.Event().wait()
        return answer()

    sink: list[Run] = []
    plan = ArmPlan("decode:A", AGENTS[:1], 1, background=(AgentPlan("B", "forever", URL, "m"),))
    async with FakeServer(generate).client() as client:
        coordinator = Coordinator({URL: client}, {"one_call": one_call, "forever": forever}, lambda: "1")
        task = asyncio.create_task(coordinator.run(plan, sink))
        await within(both.wait())
        before = asyncio.all_tasks()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await within(task)
    assert not [each for each in before if not each.done() and each is not asyncio.current_task()]
    (run,) = sink
    assert {agent.error for agent in (*run.agents, *run.background)} == {"cancelled"}


@pytest.mark.asyncio
async def test_a_padded_agent_has_a_longer_prompt_behind_the_same_nonce() -> None:
    """The nonce stays at the very start, so that no prompt cache answers for the padding."""
    prompts: list[str] = []

    async def generate(request: httpx.Request) -> httpx.Response:
        prompts.append(json.loads(request.content)["prompt"])
        return answer()

    await _run(FakeServer(generate), agents=(AgentPlan("A", "one_call", URL, "m", padding=3),))
    assert prompts == ["00000000 data data data hello"]


@pytest.mark.asyncio
async def test_settling_asks_for_one_token_with_the_agents_own_options() -> None:
    """Another runner option would have the server load the model again; a server that fails is told by others."""
    bodies: list[dict[str, Any]] = []

    async def generate(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return answer(b"", status=500)

    async with FakeServer(generate).client() as client:
        coordinator = Coordinator({URL: client}, {}, lambda: "12345678")
        await within(coordinator.settle(AgentPlan("A", "w", URL, "m", {"num_ctx": 512, "num_predict": 64})))
    (body,) = bodies
    assert body["options"] == {"num_ctx": 512, "num_predict": 1}
    assert body["model"] == "m"
