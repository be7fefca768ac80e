"""Base and candidate interleaved: pairs of blocks, whose order a logged coin decides."""

from __future__ import annotations

import random
from collections.abc import Callable

from harness.measure.blocks import Look, Stop, failed, measure_block
from harness.measure.coordinator import Coordinator
from harness.measure.loading import Loader
from harness.measure.plan import ScenarioPlan
from harness.records import Block
from harness.records.session import GIVE_UP_AFTER


def pair_order(candidate: ScenarioPlan, base: ScenarioPlan, index: int) -> tuple[ScenarioPlan, ScenarioPlan]:
    """Which side of pair ``index`` is measured first; the same for the same seed."""
    coin = random.Random(f"{candidate.seed}:{candidate.name}:{index}:pair").random()  # noqa: S311 - an order, no secret
    return (candidate, base) if coin < 0.5 else (base, candidate)  # noqa: PLR2004 - a fair coin


async def measure_pairs(
    candidate: ScenarioPlan,
    base: ScenarioPlan,
    coordinator: Coordinator,
    *,
    loader: Loader,
    keep: Callable[[Block], None],
    stop: Stop = lambda _blocks: False,
    look: Look | None = None,
) -> tuple[Block, ...]:
    """Measures a warm-up pair and up to ``candidate.runs`` pairs of blocks, one of each side.

    Sides that share a server have their models loaded again before each block, outside of it; else each once.

    Args:
        candidate: The scenario on the candidate's servers.
        base: The same on the base's.
        coordinator: Runs the agents of both.
        loader: Has the models where each arm needs them.
        keep: Called with each block as soon as it exists.
        stop: Told all blocks after each whole pair.
        look: Looks around after each block.

    Raises:
        HarnessError: If the models cannot be loaded before the first block.
    """
    for plan in (candidate, base):
        await loader.bring(plan.agents)
    blocks: list[Block] = []
    failures = 0
    for index in range(candidate.runs + 1):
        pair = [
            await measure_block(plan, index, coordinator, keep, look, loader=loader)
            for plan in pair_order(candidate, base, index)
        ]
        blocks += pair
        failures = failures + 1 if any(failed(block) for block in pair) else 0
        hopeless = index == 0 and any(block.error for block in pair)
        if hopeless or failures >= GIVE_UP_AFTER or (index and stop(blocks)):
            break
    return tuple(blocks)
