"""The production checklist: are these servers fit for the work that is asked of them. Looks, and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from harness.records.checklist import CheckItem, Checklist
from harness.servers import fleet_checks, machine_checks, model_checks
from harness.servers.findings import Asked, Finding, merged
from harness.servers.fleet import Server
from harness.servers.survey import Machine, SeenServer, look_around, survey

FleetCheck = Callable[[Sequence[SeenServer], Asked], list[Finding]]
MachineCheck = Callable[[Sequence[SeenServer], Asked, Machine], list[Finding]]

ANSWERS = "servers answer"
PORTS = "different servers, ports as asked"
OF_FLEET: dict[str, FleetCheck] = {"same version": fleet_checks.versions, "same model": fleet_checks.digests}
OF_MODEL: dict[str, model_checks.Check] = {
    "model is loaded": model_checks.loaded,
    "layers on the GPU as asked": model_checks.layers_on_gpu,
    "context as asked": model_checks.context,
    "keep-alive": model_checks.keep_alive,
    "parallel requests": model_checks.slots,
}
OF_MACHINE: dict[str, MachineCheck] = {
    "memory for the next load": machine_checks.memory,
    "monitoring": machine_checks.monitoring,
}
ALONE = "nobody else on the GPU"
ITEMS = (ANSWERS, PORTS, *OF_FLEET, *OF_MODEL, *OF_MACHINE, ALONE)
"""Names of all items, in the order of asking."""


async def check_servers(servers: Sequence[Server], asked: Asked, machine: Machine | None = None) -> Checklist:
    """Checks servers: one item each of ``ITEMS``, whatever is wrong with them.

    A server that does not answer fails ``ANSWERS``; what it would have been asked is ``unchecked``.

    Args:
        servers: One or more.
        asked: What they are to be like.
        machine: This host; looked at if not given.
    """
    seen = await survey(servers, asked.model)
    if machine is None:
        ours = {pid for each in seen if each.sample is not None for pid in each.sample.pids}
        machine = await asyncio.to_thread(look_around, ours)
    awake = [each for each in seen if each.trouble is None]
    silent = [Finding(each.url, "unchecked", "does not answer") for each in seen if each.trouble is not None]
    items: list[CheckItem] = [
        merged(ANSWERS, [model_checks.answers(each, asked) for each in seen]),
        merged(PORTS, fleet_checks.ports(seen, asked)),
    ]
    items += [merged(name, [*(ask(awake, asked) if awake else ()), *silent]) for name, ask in OF_FLEET.items()]
    items += [merged(name, [*(ask(each, asked) for each in awake), *silent]) for name, ask in OF_MODEL.items()]
    for name, look in OF_MACHINE.items():
        items.append(merged(name, [*(look(awake, asked, machine) if awake else ()), *silent]))
    items.append(merged(ALONE, [machine_checks.alone_on_gpu(awake, asked, machine)]))
    return Checklist(tuple(items))
