"""The checklist of an open session: its servers against what its plans ask of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from harness.judge.self_test import CONTENTION, contention_item
from harness.measure import AgentPlan, ScenarioPlan
from harness.plugin.session import PerfSession
from harness.records import ServerInfo
from harness.records.checklist import CheckItem, Checklist
from harness.servers.checklist import ITEMS, check_servers
from harness.servers.findings import Asked
from harness.servers.selection import Selection

PRODUCTION_ITEMS = (*ITEMS, CONTENTION)
"""Names of all items of a session's checklist, in order."""
BASE_PREFIX = "base: "
"""Stands before the names of the items about the base's servers."""
_RUNNER = ("num_ctx", "num_gpu")


async def perf_session_checklist(session: PerfSession) -> Checklist:
    """The checklist of an open session: its servers against what its plans ask of them, and those of its base likewise.

    Changes nothing. What is loaded must be as any of a server's agents asks. ``num_gpu`` counts where a GPU is to be
    used: the profile is ``gpu``, or the host has a GPU and nobody chose another profile.
    """
    opened = session.session
    plans = session.plans | {name: plan for name, (plan, _) in session.studies.items()}
    items = await _side(session, opened.servers, opened.model, plans, session.settings.selection)
    base, chosen = opened.base, session.settings.base
    if base is not None and chosen is not None and chosen.selection is not None:  # else they are the candidate's own
        others = await _side(session, base.servers, base.model, session.base_plans, chosen.selection)
        items += tuple(replace(item, name=BASE_PREFIX + item.name) for item in others)
    return Checklist((*items, contention_item(session.settings.rules)))


async def _side(
    session: PerfSession,
    infos: Sequence[ServerInfo],
    model: str,
    plans: Mapping[str, ScenarioPlan],
    selection: Selection,
) -> tuple[CheckItem, ...]:
    urls = [info.url for info in infos]
    servers = [next(server for server in session.servers if server.url == url) for url in urls]
    gpu = session.session.profile == "gpu"
    meant = gpu or (bool(session.session.environment.gpus) and session.settings.profile is None)
    names = _RUNNER if meant and selection.real else _RUNNER[:1]
    agents = [agent for plan in plans.values() for agent in (*plan.agents, *_of_arms(plan))]
    options = {url: tuple(_some(agent.options, names) for agent in agents if agent.url == url) for url in urls}
    ports = () if selection.free_ports else selection.ports
    return (await check_servers(servers, Asked(model, options, ports, gpu))).items


def _of_arms(plan: ScenarioPlan) -> Iterator[AgentPlan]:
    """The agents of a study's arms: some have other options, or another server."""
    for arm in plan.compared:
        yield from (*arm.agents, *arm.background)


def _some(options: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    return {name: options[name] for name in names if name in options}
