"""Models where an arm needs them: nothing is loaded twice, and nothing is taken for loaded that may not be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.measure import AgentPlan, ArmPlan, Loader
from harness.records.errors import ServerError

A = AgentPlan("A", "w", "http://one", "m", {"num_ctx": 512, "num_predict": 8, "temperature": 1.0})
B = AgentPlan("B", "w", "http://two", "m", {"num_ctx": 512})
BESIDE_A = replace(A, role="C", options={"num_ctx": 1024})


class Servers:
    """Remembers what was done to them."""

    def __init__(self) -> None:
        """Nothing was."""
        self.done: list[str] = []
        self.broken = False
        self.loader = Loader(self._load, self._unload)

    async def _load(self, agent: AgentPlan) -> None:
        if self.broken:
            raise ServerError("no room")
        self.done.append(f"load {agent.role}")

    async def _unload(self, agent: AgentPlan) -> None:
        self.done.append(f"unload {agent.url[7:]}")

    async def arm(self, *agents: AgentPlan, absent: tuple[AgentPlan, ...] = ()) -> list[str]:
        """Prepares an arm with A and B about, has it over, and gives what had to be done."""
        before = len(self.done)
        plan = ArmPlan("arm", agents, 2, absent=absent)
        loaded = await self.loader.prepare(plan, (A, B))
        self.loader.ran(plan, well=True)
        assert [f"load {agent.role}" for agent in loaded] == [
            each for each in self.done[before:] if not each.startswith("un")
        ]
        return self.done[before:]


@pytest.mark.asyncio
async def test_what_is_loaded_is_not_loaded_again() -> None:
    """Neither by the same agent nor by one whose options differ in nothing that a runner is started with."""
    servers = Servers()
    assert await servers.arm(A, B) == ["load A", "load B"]
    assert await servers.arm(B) == []
    assert await servers.arm(replace(A, options=A.options | {"num_predict": 1, "temperature": 0.0, "seed": 7})) == []


@pytest.mark.asyncio
async def test_layers_that_were_asked_for_do_not_stay_for_one_who_leaves_them_to_the_server() -> None:
    """Ollama would not load again for that: the model is unloaded first."""
    servers = Servers()
    tuned = replace(A, role="tuned", options=A.options | {"num_gpu": 10})
    await servers.arm(tuned)
    assert await servers.arm(A) == ["unload one", "load A"]
    await servers.arm(tuned)
    assert await servers.arm(replace(A, options=A.options | {"num_gpu": -1})) == ["unload one", "load A"]
    await servers.arm(tuned)
    assert await servers.arm(replace(tuned, options=A.options | {"num_gpu": 20})) == ["load tuned"]


@pytest.mark.parametrize("change", [{"num_ctx": 640}, {"num_thread": 3}, {"num_batch": 64}])
@pytest.mark.asyncio
async def test_other_runner_options_are_loaded_before_the_arm(change: dict[str, float]) -> None:
    """So that no request pays for it."""
    servers = Servers()
    await servers.arm(A, B)
    other = replace(A, role="other", options=A.options | change)
    assert await servers.arm(other) == ["load other"]
    assert await servers.arm(other) == []
    assert await servers.arm(A) == ["load A"]


@pytest.mark.asyncio
async def test_after_agents_that_differ_on_one_server_nobody_knows_what_it_holds() -> None:
    """The first of an arm is loaded; what the others need is part of what the arm costs."""
    servers = Servers()
    assert await servers.arm(A, BESIDE_A, B) == ["load A", "load B"]
    assert await servers.arm(A, B) == ["load A"]
    assert await servers.arm(BESIDE_A) == ["load C"]
    assert await servers.arm(BESIDE_A) == []


@pytest.mark.asyncio
async def test_servers_that_an_arm_does_not_use_hold_their_model_all_the_same() -> None:
    """An agent alone has idle company, as in every block before."""
    assert await Servers().arm(A) == ["load A", "load B"]


@pytest.mark.asyncio
async def test_an_absent_model_is_unloaded_once_and_loaded_when_it_is_needed_again() -> None:
    """And what nobody knows to be gone is unloaded too."""
    servers = Servers()
    assert await servers.arm(A, absent=(B,)) == ["unload two", "load A"]
    assert await servers.arm(A, absent=(B,)) == []
    assert await servers.arm(A) == ["load B"]


@pytest.mark.asyncio
async def test_what_an_arm_that_failed_used_is_brought_there_again() -> None:
    """A runner may have died; servers that it did not use hold what they held."""
    servers = Servers()
    await servers.arm(A, B)
    servers.loader.ran(ArmPlan("arm", (A,), 1), well=False)
    assert await servers.arm(A, B) == ["load A"]
    servers.loader.ran(ArmPlan("arm", (A,), 1, background=(B,)), well=False)
    assert await servers.arm(A, B) == ["load A", "load B"]


@pytest.mark.asyncio
async def test_a_load_that_failed_leaves_nothing_that_is_taken_for_loaded() -> None:
    """Ollama has let the old model go by then: whoever had it before needs it loaded again."""
    servers = Servers()
    await servers.arm(A, B)
    servers.broken = True
    with pytest.raises(ServerError):
        await servers.arm(replace(A, options=A.options | {"num_ctx": 640}))
    servers.broken = False
    assert await servers.arm(A, B) == ["load A"]


@pytest.mark.asyncio
async def test_an_unload_that_failed_leaves_nothing_that_is_taken_for_loaded() -> None:
    """The server may let the model go a moment later."""
    servers = Servers()
    await servers.arm(A, B)

    async def fails(_agent: AgentPlan) -> None:
        raise ServerError("it is loaded after 60 s")

    unload, servers.loader.unload = servers.loader.unload, fails
    with pytest.raises(ServerError):
        await servers.arm(A, absent=(B,))
    servers.loader.unload = unload
    assert await servers.arm(A, B) == ["load B"]
