"""``python -m perf.verdicts.lane FOLDER``: records the paced sessions that standard input lists, one after the other.

A lane is a process of its own with two ground-truth servers, one a side. Several lanes run at once: pacing leaves the
CPUs idle most of the time, and what one lane collects (Python's garbage, before each block) holds up no other's loop.
It imports nothing of the judge: the fewer objects, the sooner they are looked through.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from harness.measure import (
    AgentPlan,
    Coordinator,
    Loader,
    ScenarioPlan,
    anchor,
    measure_pairs,
    measuring_client,
    measuring_loops,
    nonces,
)
from harness.records import Block, Environment, ServerInfo
from harness.records.errors import HarnessError
from harness.records.session import BASE, CANDIDATE, Side
from harness.servers.host import usable_cores
from harness.servers.launch import signal_on_parent_death
from harness.servers.truth import TruthServer
from harness.store import read_environment
from perf.verdicts.recordings import open_journal
from perf.verdicts.worlds import MODEL, ONE_CALL, TOKENS, Job, agents, plan_of, truth_config

_TELL_EVERY = 10


async def record_lane(jobs: Sequence[Job], folder: Path) -> None:
    """Records sessions of paced worlds.

    Raises:
        HarnessError: If a server cannot be started or a journal cannot be written.
    """
    environment = read_environment(anchor(), usable_cores())
    with TruthServer.start() as base, TruthServer.start() as candidate:
        async with AsyncExitStack() as stack:
            urls = (*base.urls, *candidate.urls)
            clients = {url: await stack.enter_async_context(measuring_client(url)) for url in urls}
            coordinator = Coordinator(clients, ONE_CALL, nonces())
            for done, job in enumerate(jobs, 1):
                await _record(job, folder, environment, base, candidate, coordinator)
                if done % _TELL_EVERY == 0 or done == len(jobs):
                    sys.stderr.write(f"lane {jobs[0].name}: {done} of {len(jobs)} sessions\n")


async def _record(
    job: Job,
    folder: Path,
    environment: Environment,
    base: TruthServer,
    candidate: TruthServer,
    coordinator: Coordinator,
) -> None:
    plans: dict[Side, ScenarioPlan] = {}
    sides: tuple[tuple[Side, TruthServer], ...] = ((BASE, base), (CANDIDATE, candidate))
    for side, server in sides:
        plans[side] = plan_of(job, side, agents(server.urls, MODEL, {"num_predict": TOKENS}))
        server.reset(truth_config(job, plans[side]))
    infos = [tuple(ServerInfo(url, "connect", "truth", "", 0, 0) for url in server.urls) for _, server in sides]
    with open_journal(folder, job, environment, MODEL, *infos) as journal:

        def keep(block: Block) -> None:
            journal.append(block)
            gc.freeze()  # the collection before the next block looks through what is new, a tenth of the time

        await measure_pairs(plans[CANDIDATE], plans[BASE], coordinator, loader=Loader(_loaded, _loaded), keep=keep)
    gc.unfreeze()
    gc.collect()


async def _loaded(agent: AgentPlan) -> None:
    """The ground-truth server loads its model within no time."""


def main() -> int:
    """Entry point; returns the exit status."""
    signal_on_parent_death(signal.SIGTERM)  # nobody waits for its recordings any more
    jobs = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Job])
    loop = next(iter(measuring_loops().values()))
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(record_lane(jobs, Path(sys.argv[1])))
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
