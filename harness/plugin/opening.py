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
    ResourceWatch,
    anchor,
    measuring_client,
    nonces,
    run_calibration,
)
from harness.plugin.checking import perf_session_checklist
from harness.plugin.compare import stored_baselines
from harness.plugin.live import LiveView
from harness.plugin.options import Settings
from harness.plugin.planning import Planner, base_plan, num_threads, options_of
from harness.plugin.session import PerfSession, Say
from harness.plugin.sweeping import SweepProgress
from harness.records import BaseSide, Calibration, ServerInfo, Session
from harness.report import calibration_line
from harness.report.checklist import preflight_lines
from harness.report.live.display import Display
from harness.scenarios import PROFILES, Scenario
from harness.servers.fleet import Server, open_servers
from harness.servers.host import usable_cores
from harness.servers.kinds import is_embedded_model
from harness.servers.model import describe, model_in_place
from harness.servers.selection import Selection
from harness.store import Journal, StoredSession, read_environment

_CALIBRATIONS = 3


def profile_of(infos: Sequence[ServerInfo], model: str) -> str:
    """The profile that fits: ``gpu`` if every server holds the model in GPU memory, else by the model."""
    if all(info.size_vram > 0 for info in infos):
        return "gpu"
    return "embedded" if is_embedded_model(model) else "cpu"


def default_journal(root: Path) -> Path:
    """A new file in ``.perf/``."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    return root / ".perf" / f"journal-{stamp}-{os.getpid()}.jsonl"


@dataclass(frozen=True, slots=True)
class _Side:
    """Ready servers with a model on them: the candidate's, or the base's.

    The agents' servers have an info each; the one that works on several requests at once has none.
    """

    servers: tuple[Server, ...]
    infos: tuple[ServerInfo, ...]
    model: str
    parallel_url: str | None = None


async def _open_side(stack: contextlib.AsyncExitStack, selection: Selection, settings: Settings, say: Say) -> _Side:
    servers = await stack.enter_async_context(open_servers(selection, say))
    await stack.enter_async_context(model_in_place(servers, selection, say, settings.deadline_s))
    parallel = next((server.url for server in servers if server.parallel is not None), None)
    return _Side(servers, await _probe(servers, selection.model, settings), selection.model, parallel)


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
    """Loads the model on each server of the agents, one after the other, and looks where its memory went."""
    infos = []
    widest = max(_measured(settings), key=lambda scenario: len(scenario.agents))  # an agent for every server
    agents = [server for server in servers if server.parallel is None]
    for server, agent in zip(agents, widest.agents, strict=False):
        await server.api.load(model, agent.options.sent(), deadline_s=settings.deadline_s)
        infos.append(await describe(server, model))
    return tuple(infos)


async def _open_clients(stack: contextlib.AsyncExitStack, urls: Sequence[str]) -> dict[str, httpx.AsyncClient]:
    """A measuring client for each server."""
    return {url: await stack.enter_async_context(measuring_client(url)) for url in dict.fromkeys(urls)}


async def _calibrate(settings: Settings, streams: int, say: Say, live: LiveView) -> tuple[Calibration, ...]:
    """Measures what the instrument is off by; a bad result may be a moment's noise and is looked at again.

    It is shown as scenarios are, so that what drawing does to the instrument is part of the result.
    """
    if not settings.calibrate:
        say("  instrument: not calibrated (--no-calibration)")
        return ()
    found: list[Calibration] = []
    for _ in range(_CALIBRATIONS):
        with live.showing_streams(streams):
            run = await run_calibration(streams, board=live.board)
        found.append(calibration_of(run.pairs, streams=streams, cpu_s=run.cpu_s, loop_lag=run.loop_lag, loop=run.loop))
        say(calibration_line(found[-1]))
        if not calibration_faults(found[-1], settings.instrument):
            break
    return tuple(found)


def _server_line(info: ServerInfo, model: str, side: str = "") -> str:
    pinned = f", pinned to CPU {','.join(map(str, info.cpus))}" if info.cpus else ""
    where = f"{info.size_vram / 2**20:.0f} of {info.size / 2**20:.0f} MiB in GPU memory"
    return f"  {side}{info.kind} {info.version} at {info.url}{pinned}: {model} loaded, {where}"


@asynccontextmanager
async def open_session(
    settings: Settings, root: Path, say: Say, display: Display | None = None
) -> AsyncIterator[PerfSession]:
    """Opens a session: servers ready, model loaded, journal begun; on exit everything of ours is gone.

    Raises:
        HarnessError: If anything of that cannot be had; its message says what to do.
    """
    async with contextlib.AsyncExitStack() as stack:
        live = LiveView(display, settings)
        candidate = await _open_side(stack, settings.selection, settings, say)
        base = await _open_base(stack, candidate, settings, say)
        infos, model = candidate.infos, candidate.model
        profile = settings.profile or profile_of(infos, model)
        for scenario in settings.scenarios:  # a table without this profile is found now, not after the measuring
            settings.thresholds.limits(profile, scenario.name)
        threads, reason = num_threads(settings, infos)
        session = Session(
            environment=read_environment(anchor(), usable_cores()),
            servers=infos,
            model=model,
            profile=profile,
            seed=settings.seed,
            max_concurrent=settings.max_concurrent or _most_agents(settings),
            settings={"block_deadline_s": f"{settings.deadline_s:g}", **settings.selection.facts},
        )
        planner = Planner(settings, session, threads, candidate.parallel_url, live.board is not None)
        plans = {scenario.name: planner.scenario(scenario) for scenario in settings.scenarios}
        studies = {study.name: planner.study(study) for study in settings.studies}
        base_plans = {}
        if base is not None and settings.base is not None:
            urls = [info.url for info in base.infos]
            base_plans = {
                name: base_plan(plan, urls, base.model, settings.base.options) for name, plan in plans.items()
            }
            session = replace(session, base=BaseSide(base.infos, base.model, options_of(base_plans)))
        every = plans | {name: plan for name, (plan, _) in studies.items()}
        session = replace(session, options=options_of(every))
        baselines = stored_baselines(settings.baselines, session, say)
        session = replace(session, calibrations=await _calibrate(settings, session.max_concurrent, say, live))
        servers = candidate.servers + (base.servers if base and base.servers is not candidate.servers else ())
        clients = await _open_clients(stack, [server.url for server in servers])
        journal, stored = _journal(settings, session, root)
        stack.enter_context(journal)
        if stored is not None:
            session = _gone_on(stored.session, session)
        for info in infos:
            say(_server_line(info, model))
        for info in base.infos if base else ():
            say(_server_line(info, base.model if base else model, "base: "))
        shown = ", ".join("none" if n is None else str(n) for n in threads)
        say(f"  profile {profile} ({PROFILES[profile].title}); num_thread {shown} ({reason}); journal {journal.path}")
        watch = HostWatch.of(servers)
        for url in watch.untold:
            say(f"  the process of {url} is not known: other processes on its CPUs are not told from it")
        sampler = stack.enter_context(ResourceWatch.start(servers)) if settings.sample else None
        live.servers = watch.servers if settings.sample else ()
        onlooker = live if live.board is not None else None
        coordinator = Coordinator(
            clients, settings.workflows, nonces(), host=watch, resources=sampler, onlooker=onlooker
        )
        perf = PerfSession(
            settings=settings,
            servers=servers,
            session=session,
            planner=planner,
            plans=plans,
            base_plans=base_plans,
            studies=studies,
            coordinator=coordinator,
            journal=journal,
            look=Lookout(servers, watch).look,
            baselines=baselines,
            say=say,
            live=live,
        )
        _take_up(perf, stored)
        for name in plans:  # levels for so many gates and looks are missed now, not after the measuring
            design_of(perf.terms_of(name, profile))
        await _check(perf)
        perf.write_outputs(whole=True)  # an unwritable file is found now, not after the measuring
        yield perf


async def _check(perf: PerfSession) -> None:
    """The pre-flight: the checklist's items that are not ok, and what a failed one means for the session."""
    mode = perf.settings.preflight
    if mode == "off":
        perf.say("  pre-flight: not checked (--preflight off)")
        return
    checklist = await perf_session_checklist(perf)
    for line in preflight_lines(checklist):
        perf.say(line)
    failed = checklist.failed
    if failed and mode == "stop":
        item = failed[0]
        perf.unfit = f"the pre-flight failed: {item.name}: {item.found}; {item.advice} (--preflight warn goes on)"


def _journal(settings: Settings, session: Session, root: Path) -> tuple[Journal, StoredSession | None]:
    """A new journal, or one that is gone on with and what it holds."""
    if settings.resume is not None:
        return Journal.resume(settings.resume, session)
    return Journal(settings.journal or default_journal(root), session), None


def _gone_on(stored: Session, now: Session) -> Session:
    """One session of both: begun by the stored one, with the calibrations and the options of this one too."""
    options, calibrations = stored.options | now.options, (*stored.calibrations, *now.calibrations)
    return replace(stored, servers=now.servers, options=options, calibrations=calibrations, blocks=())


def _take_up(perf: PerfSession, stored: StoredSession | None) -> None:
    """Gives the session the blocks that its journal has, and its sweep what they leave to do."""
    blocks = stored.session.blocks if stored else ()
    for block in blocks:
        perf.blocks.setdefault(block.scenario, []).append(block)
    if stored is not None:
        perf.say(f"  going on with {stored.path}: {len(blocks)} blocks are there")
    choice = perf.settings.sweep
    if choice is not None:
        breaks = tuple(each.blocks for each in stored.resumed) if stored else ()
        perf.sweep = SweepProgress(choice, perf.settings.instrument, list(blocks), breaks)


def _most_agents(settings: Settings) -> int:
    return max(len(scenario.agents) for scenario in _measured(settings))


def _measured(settings: Settings) -> tuple[Scenario, ...]:
    """Scenarios whose agents work in this session."""
    return (*settings.scenarios, *(settings.studied[study.scenario] for study in settings.studies))
