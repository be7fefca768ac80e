"""Opens a measuring session: servers, model, plans and journal wired together."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from harness.judge import calibration_faults, calibration_of, design_of
from harness.measure import (
    Coordinator,
    HostWatch,
    Lookout,
    RequestSettings,
    ScenarioPlan,
    anchor,
    bind,
    measuring_client,
    nonces,
    run_calibration,
)
from harness.plugin.compare import stored_baselines
from harness.plugin.options import Settings
from harness.plugin.session import PerfSession, Say
from harness.records import BaseSide, Calibration, ServerInfo, Session
from harness.records.session import BASE
from harness.records.stream import encodable
from harness.report import calibration_line
from harness.scenarios import PROFILES, WORKFLOWS, Scenario
from harness.servers.fleet import Server, open_servers
from harness.servers.host import is_local, threads_per_server, usable_cores
from harness.servers.model import describe, model_in_place
from harness.servers.selection import Selection, is_embedded_model
from harness.store import Journal, read_environment

_CALIBRATIONS = 3
_PLACES = ("OLLAMA_HOST", "OLLAMA_MODELS")


def profile_of(infos: Sequence[ServerInfo], model: str) -> str:
    """The profile that fits: ``gpu`` if every server holds the model in GPU memory, else by the model."""
    if all(info.size_vram > 0 for info in infos):
        return "gpu"
    return "embedded" if is_embedded_model(model) else "cpu"


def num_threads(settings: Settings, infos: Sequence[ServerInfo]) -> tuple[tuple[int | None, ...], str]:
    """``num_thread`` by server (None sends none), and the reason in words."""
    count = len(infos)
    if settings.num_thread is not None:
        return (settings.num_thread or None,) * count, "--num-thread"
    if any(info.size_vram > 0 for info in infos):
        return (None,) * count, "not sent, the model is in GPU memory"
    if not all(is_local(info.url) for info in infos):
        return (None,) * count, "not sent, the servers' cores are not known: set --num-thread on CPU-only hosts"
    cores = usable_cores()
    return threads_per_server(count, cores, settings.selection.pins), f"no GPU: {cores} usable cores, {count} servers"


def default_journal(root: Path) -> Path:
    """A new file in ``.perf/``."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return root / ".perf" / f"journal-{stamp}-{os.getpid()}.jsonl"


@dataclass(frozen=True, slots=True)
class _Side:
    """Ready servers with a model on them: the candidate's, or the base's."""

    servers: tuple[Server, ...]
    infos: tuple[ServerInfo, ...]
    model: str


async def _open_side(stack: contextlib.AsyncExitStack, selection: Selection, settings: Settings, say: Say) -> _Side:
    servers = await stack.enter_async_context(open_servers(selection, say))
    await stack.enter_async_context(model_in_place(servers, selection, say, settings.deadline_s))
    return _Side(servers, await _probe(servers, selection.model, settings), selection.model)


async def _open_base(stack: contextlib.AsyncExitStack, candidate: _Side, settings: Settings, say: Say) -> _Side | None:
    """The base's servers; the candidate's own, with the base's model on them too, if it has none."""
    choice = settings.base
    if choice is None:
        return None
    if choice.selection is not None:
        return await _open_side(stack, choice.selection, settings, say)
    model = choice.model or candidate.model
    if model == candidate.model:
        return candidate
    selection = replace(settings.selection, model=model)
    await stack.enter_async_context(model_in_place(candidate.servers, selection, say, settings.deadline_s))
    return _Side(candidate.servers, await _probe(candidate.servers, model, settings), model)


async def _probe(servers: Sequence[Server], model: str, settings: Settings) -> tuple[ServerInfo, ...]:
    """Loads the model everywhere, one server after the other, and looks where its memory went."""
    infos = []
    for server, agent in zip(servers, settings.scenarios[0].agents, strict=False):
        await server.api.load(model, agent.options.sent(), deadline_s=settings.deadline_s)
        infos.append(await describe(server, model))
    return tuple(infos)


def _plan(scenario: Scenario, settings: Settings, session: Session, requests: RequestSettings) -> ScenarioPlan:
    urls = tuple(server.url for server in session.servers)
    return ScenarioPlan(
        name=scenario.name,
        agents=bind(scenario, urls, session.model, requests),
        runs=settings.stopping.runs,
        seed=settings.seed,
        max_concurrent=session.max_concurrent,
        deadline_s=settings.deadline_s,
    )


def _base_plan(plan: ScenarioPlan, base: _Side, options: dict[str, float]) -> ScenarioPlan:
    """The same scenario on the base: its servers and model, its options over the scenario's."""
    urls = [info.url for info in base.infos]
    agents = tuple(
        replace(agent, url=urls[i % len(urls)], model=base.model, options=agent.options | options)
        for i, agent in enumerate(plan.agents)
    )
    return replace(plan, agents=agents, side=BASE)


def _options(plans: dict[str, ScenarioPlan]) -> dict[str, dict[str, dict[str, float]]]:
    return {name: {agent.role: dict(agent.options) for agent in plan.agents} for name, plan in plans.items()}


async def _open_clients(stack: contextlib.AsyncExitStack, urls: Sequence[str]) -> dict[str, httpx.AsyncClient]:
    """A measuring client for each server."""
    return {url: await stack.enter_async_context(measuring_client(url)) for url in dict.fromkeys(urls)}


async def _calibrate(settings: Settings, streams: int, say: Say) -> tuple[Calibration, ...]:
    """Measures what the instrument is off by; a bad result may be a moment's noise and is looked at again."""
    if not settings.calibrate:
        say("  instrument: not calibrated (--no-calibration)")
        return ()
    found: list[Calibration] = []
    for _ in range(_CALIBRATIONS):
        run = await run_calibration(streams)
        found.append(calibration_of(run.pairs, streams=streams, cpu_s=run.cpu_s, loop_lag=run.loop_lag, loop=run.loop))
        say(calibration_line(found[-1]))
        if not calibration_faults(found[-1], settings.instrument):
            break
    return tuple(found)


def _server_settings(selection: Selection) -> dict[str, str]:
    """What the environment tells started Ollama servers; of others it is not known."""
    told = os.environ if selection.kind == "ollama" else {}
    return {name: encodable(told[name]) for name in sorted(told) if name.startswith("OLLAMA_") and name not in _PLACES}


def _server_line(info: ServerInfo, model: str, side: str = "") -> str:
    pinned = f", pinned to CPU {','.join(map(str, info.cpus))}" if info.cpus else ""
    where = f"{info.size_vram / 2**20:.0f} of {info.size / 2**20:.0f} MiB in GPU memory"
    return f"  {side}{info.kind} {info.version} at {info.url}{pinned}: {model} loaded, {where}"


@asynccontextmanager
async def open_session(settings: Settings, root: Path, say: Say) -> AsyncIterator[PerfSession]:
    """Opens a session: servers ready, model loaded, journal begun; on exit everything of ours is gone.

    Raises:
        HarnessError: If anything of that cannot be had; its message says what to do.
    """
    async with contextlib.AsyncExitStack() as stack:
        candidate = await _open_side(stack, settings.selection, settings, say)
        base = await _open_base(stack, candidate, settings, say)
        infos, model = candidate.infos, candidate.model
        profile = settings.profile or profile_of(infos, model)
        for scenario in settings.scenarios:  # a table without this profile is found now, not after the measuring
            settings.thresholds.limits(profile, scenario.name)
        threads, reason = num_threads(settings, infos)
        requests = RequestSettings(settings.num_predict or PROFILES[profile].num_predict, settings.seed, threads)
        session = Session(
            environment=read_environment(anchor(), usable_cores()),
            servers=infos,
            model=model,
            profile=profile,
            seed=settings.seed,
            max_concurrent=settings.max_concurrent or max(len(scenario.agents) for scenario in settings.scenarios),
            settings={"block_deadline_s": f"{settings.deadline_s:g}", **_server_settings(settings.selection)},
        )
        plans = {scenario.name: _plan(scenario, settings, session, requests) for scenario in settings.scenarios}
        base_plans = {}
        if base is not None and settings.base is not None:
            base_plans = {name: _base_plan(plan, base, settings.base.options) for name, plan in plans.items()}
            session = replace(session, base=BaseSide(base.infos, base.model, _options(base_plans)))
        session = replace(session, options=_options(plans))
        baselines = stored_baselines(settings.baselines, session, say)
        session = replace(session, calibrations=await _calibrate(settings, session.max_concurrent, say))
        servers = candidate.servers + (base.servers if base and base.servers is not candidate.servers else ())
        clients = await _open_clients(stack, [server.url for server in servers])
        journal = stack.enter_context(Journal(settings.journal or default_journal(root), session))
        for info in infos:
            say(_server_line(info, model))
        for info in base.infos if base else ():
            say(_server_line(info, base.model if base else model, "base: "))
        shown = ", ".join("none" if n is None else str(n) for n in threads)
        say(f"  profile {profile} ({PROFILES[profile].title}); num_thread {shown} ({reason}); journal {journal.path}")
        watch = HostWatch.of(servers)
        for url in watch.untold:
            say(f"  the process of {url} is not known: other processes on its CPUs are not told from it")
        coordinator = Coordinator(clients, WORKFLOWS, session.max_concurrent, nonces(), host=watch)
        look = Lookout(servers, watch).look
        perf = PerfSession(settings, servers, session, plans, base_plans, coordinator, journal, look, baselines, say)
        for name in plans:  # levels for so many gates and looks are missed now, not after the measuring
            design_of(perf.terms_of(name, profile))
        perf.write_summary()  # an unwritable file is found now, not after the measuring
        yield perf
