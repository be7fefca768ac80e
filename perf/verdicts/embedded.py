"""Sessions on the real engine: base and candidate are processes of their own of one program, new for every session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from harness.judge import judge_scenario
from harness.measure import (
    AgentPlan,
    Coordinator,
    Loader,
    ScenarioPlan,
    anchor,
    measure_pairs,
    measuring_client,
    nonces,
)
from harness.records import Block
from harness.records.session import BASE, CANDIDATE, Side
from harness.servers.fleet import Server, open_servers
from harness.servers.host import threads_per_server, usable_cores
from harness.servers.kinds import EMBEDDED_MODEL
from harness.servers.model import describe, model_in_place
from harness.servers.selection import Selection
from harness.store import read_environment
from perf.verdicts.recordings import TERMS, open_journal
from perf.verdicts.worlds import ONE_CALL, ROLES, SCENARIO, Job, agents, plan_of

_SELECTION = Selection("embedded", "the benchmark of verdicts", EMBEDDED_MODEL)
_SIDES: tuple[Side, ...] = (BASE, CANDIDATE)


async def record_embedded(
    jobs: Sequence[Job], folder: Path, *, num_predict: int, fewest_pairs: int, say: Callable[[str], None]
) -> None:
    """Records sessions until their gates are decided, but at least so many pairs.

    Raises:
        HarnessError: If a server cannot be started or a journal cannot be written.
    """
    for done, job in enumerate(jobs, 1):
        await _record(job, folder, num_predict, fewest_pairs, say)
        say(f"embedded: {done} of {len(jobs)} sessions")


async def _record(job: Job, folder: Path, num_predict: int, fewest_pairs: int, say: Callable[[str], None]) -> None:
    threads = threads_per_server(len(ROLES), usable_cores())[0]
    options = {"num_predict": num_predict, "seed": job.seed, "num_thread": threads}
    servers: dict[str, Server] = {}
    plans: dict[Side, ScenarioPlan] = {}

    async def load(agent: AgentPlan) -> None:
        await servers[agent.url].api.load(agent.model, agent.options)

    def decided(blocks: Sequence[Block]) -> bool:
        return blocks[-1].index >= fewest_pairs and not judge_scenario(SCENARIO, blocks, TERMS).undecided

    async with AsyncExitStack() as stack:
        for side in _SIDES if job.seed % 2 else _SIDES[::-1]:  # whose processes are the older ones
            opened = await stack.enter_async_context(open_servers(_SELECTION, say))
            await stack.enter_async_context(model_in_place(opened, _SELECTION, say))
            servers |= {server.url: server for server in opened}
            plans[side] = plan_of(job, side, agents([server.url for server in opened], EMBEDDED_MODEL, options))
            for agent in plans[side].agents:
                await load(agent)
        infos = [
            tuple([await describe(servers[agent.url], EMBEDDED_MODEL) for agent in plans[side].agents])
            for side in _SIDES
        ]
        clients = {url: await stack.enter_async_context(measuring_client(url)) for url in servers}
        coordinator = Coordinator(clients, ONE_CALL, nonces())
        environment = read_environment(anchor(), usable_cores())
        with open_journal(folder, job, environment, EMBEDDED_MODEL, *infos) as journal:
            await measure_pairs(
                plans[CANDIDATE], plans[BASE], coordinator, loader=Loader(load, load), keep=journal.append, stop=decided
            )
