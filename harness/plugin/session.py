"""One measuring session: servers, plan, journal and judgement wired together."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import httpx
import msgspec

from harness.judge import ScenarioSummary, calibration_faults, calibration_of, judge_scenario, unmeasured_scenario
from harness.measure import (
    AgentPlan,
    Coordinator,
    RequestSettings,
    ScenarioPlan,
    anchor,
    bind,
    measure_scenario,
    measuring_client,
    nonces,
    run_calibration,
)
from harness.plugin.options import Settings
from harness.records import Block, Calibration, ServerInfo, Session
from harness.records.errors import HarnessError
from harness.report import calibration_line, progress_line, session_summary, write_text
from harness.scenarios import PROFILES, WORKFLOWS, Scenario
from harness.servers.fleet import Server, open_servers
from harness.servers.host import is_local, threads_per_server, usable_cores
from harness.servers.model import describe, model_in_place
from harness.servers.selection import is_embedded_model
from harness.store import Journal, read_environment

Say = Callable[[str], None]

_CALIBRATIONS = 3
_UNFIT = (
    "nothing was measured, because the instrument is worse than its limits: {}; keep this process a CPU free, "
    "or raise --instrument-limit"
)


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


@dataclass
class PerfSession:
    """An open session.

    Attributes:
        settings: The checked options.
        servers: The ready servers.
        infos: What is known of them.
        session: Everything that stands in the journal but the blocks.
        plans: Plans by scenario.
        coordinator: Runs the agents.
        journal: Takes every block as soon as it exists.
        say: Gets lines for the person who waits.
        blocks: All blocks so far, by scenario.
        summaries: Judged scenarios so far.
    """

    settings: Settings
    servers: tuple[Server, ...]
    infos: tuple[ServerInfo, ...]
    session: Session
    plans: dict[str, ScenarioPlan]
    coordinator: Coordinator
    journal: Journal
    say: Say
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    summaries: dict[str, ScenarioSummary] = field(default_factory=dict)

    async def measure(self, name: str, profile: str | None = None) -> ScenarioSummary:
        """Measures a scenario (once a session) and judges it by a profile's limits.

        Raises:
            HarnessError: If a server has died, or the journal cannot be written; the scenario is INVALID then.
        """
        instrument = self.settings.instrument
        limits = self.settings.thresholds.limits(profile or self.session.profile, name, self.settings.overrides)
        faults = calibration_faults(self.session.calibrations[-1], instrument) if self.session.calibrations else ()
        if faults:
            self.summaries[name] = unmeasured_scenario(name, _UNFIT.format("; ".join(faults)))
            self.write_summary()
            return self.summaries[name]
        try:
            if name not in self.summaries:
                for server in self.servers:
                    server.ensure_alive()
                await measure_scenario(self.plans[name], self.coordinator, load=self._load, keep=self._keep)
        except HarnessError as error:
            self.summaries[name] = unmeasured_scenario(name, str(error).partition("\n")[0])
            raise
        else:
            self.summaries[name] = judge_scenario(name, self.blocks[name], limits, self.settings.rules, instrument)
        finally:
            self.write_summary()
        return self.summaries[name]

    def write_summary(self) -> None:
        """Writes the summary for programs, as far as it has come, if one was asked for.

        Raises:
            HarnessError: If the file cannot be written.
        """
        if self.settings.summary_json is not None:
            document = session_summary(list(self.summaries.values()), self._facts())
            text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
            write_text(self.settings.summary_json, text + "\n")

    def server_logs(self) -> list[tuple[str, str]]:
        """Name and last log lines of each server of ours."""
        return [(s.process.spec.name, s.process.log_tail()) for s in self.servers if s.process is not None]

    async def _load(self, agent: AgentPlan) -> None:
        server = next(server for server in self.servers if server.url == agent.url)
        await server.api.load(agent.model, agent.options, deadline_s=self.settings.deadline_s)

    def _keep(self, block: Block) -> None:
        self.journal.append(block)
        self.blocks.setdefault(block.scenario, []).append(block)
        self.say(progress_line(block, self.settings.runs, self.settings.instrument))

    def _facts(self) -> dict[str, object]:
        return {
            "server": self.settings.selection.kind,
            "model": self.session.model,
            "profile": self.session.profile,
            "seed": self.session.seed,
            "runs": self.settings.runs,
            "calibration": asdict(self.session.calibrations[-1]) if self.session.calibrations else None,
            "journal": str(self.journal.path),
        }


def _plan(scenario: Scenario, settings: Settings, session: Session, requests: RequestSettings) -> ScenarioPlan:
    urls = tuple(server.url for server in session.servers)
    return ScenarioPlan(
        name=scenario.name,
        agents=bind(scenario, urls, session.model, requests),
        runs=settings.runs,
        seed=settings.seed,
        max_concurrent=session.max_concurrent,
        deadline_s=settings.deadline_s,
    )


async def _probe(servers: Sequence[Server], settings: Settings) -> tuple[ServerInfo, ...]:
    """Loads the model everywhere, one server after the other, and looks where its memory went."""
    model = settings.selection.model
    infos = []
    for server, agent in zip(servers, settings.scenarios[0].agents, strict=False):
        await server.api.load(model, agent.options.sent(), deadline_s=settings.deadline_s)
        infos.append(await describe(server, model))
    return tuple(infos)


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


def _server_line(info: ServerInfo, model: str) -> str:
    pinned = f", pinned to CPU {','.join(map(str, info.cpus))}" if info.cpus else ""
    where = f"{info.size_vram / 2**20:.0f} of {info.size / 2**20:.0f} MiB in GPU memory"
    return f"  {info.kind} {info.version} at {info.url}{pinned}: {model} loaded, {where}"


@asynccontextmanager
async def open_session(settings: Settings, root: Path, say: Say) -> AsyncIterator[PerfSession]:
    """Opens a session: servers ready, model loaded, journal begun; on exit everything of ours is gone.

    Raises:
        HarnessError: If anything of that cannot be had; its message says what to do.
    """
    selection, model = settings.selection, settings.selection.model
    async with contextlib.AsyncExitStack() as stack:
        servers = await stack.enter_async_context(open_servers(selection, say))
        await stack.enter_async_context(model_in_place(servers, selection, say, settings.deadline_s))
        infos = await _probe(servers, settings)
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
            settings={"runs": str(settings.runs), "block_deadline_s": f"{settings.deadline_s:g}"},
        )
        plans = {scenario.name: _plan(scenario, settings, session, requests) for scenario in settings.scenarios}
        options = {name: {agent.role: dict(agent.options) for agent in plan.agents} for name, plan in plans.items()}
        calibrations = await _calibrate(settings, session.max_concurrent, say)
        session = replace(session, options=options, calibrations=calibrations)
        clients = await _open_clients(stack, [info.url for info in infos])
        journal = stack.enter_context(Journal(settings.journal or default_journal(root), session))
        for info in infos:
            say(_server_line(info, model))
        shown = ", ".join("none" if n is None else str(n) for n in threads)
        say(f"  profile {profile} ({PROFILES[profile].title}); num_thread {shown} ({reason}); journal {journal.path}")
        coordinator = Coordinator(clients, WORKFLOWS, session.max_concurrent, nonces())
        perf = PerfSession(settings, servers, infos, session, plans, coordinator, journal, say)
        perf.write_summary()  # an unwritable file is found now, not after the measuring
        yield perf
