"""One open measuring session: it measures its scenarios, keeps them in the journal and judges them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.judge import ScenarioSummary, Verdict, judge_measured, ratios_by_scenario
from harness.judge.session import judge_measured_study, unfit
from harness.judge.study import StudySummary
from harness.judge.sweep import sweep_rows
from harness.judge.validity import study_reasons
from harness.measure import Coordinator, Look, ScenarioPlan
from harness.plugin.driving import Driver
from harness.plugin.live import LiveView
from harness.plugin.options import Settings
from harness.plugin.planning import Planner, options_of
from harness.plugin.sweeping import SweepProgress, blocks_left
from harness.records import Block, ModelMemory, Session
from harness.records.errors import ConfigurationError, HarnessError, JournalError
from harness.report import JudgedSession, progress_line, study_progress_line, write_file, write_outputs
from harness.report.sweep import sweep_csv
from harness.scenarios import StoredBaseline, StudyTerms, Terms
from harness.scenarios.sweeps import Visit
from harness.servers.fleet import Server
from harness.store import Journal
from harness.store.baselines import baseline_session, save_session
from harness.store.fingerprint import fingerprint

Say = Callable[[str], None]


@dataclass
class PerfSession:
    """An open session.

    Attributes:
        settings: The checked options.
        servers: The ready servers, those of the base too.
        session: Everything that stands in the journal but the blocks.
        planner: Binds scenarios and studies to the servers.
        plans: Plans by scenario.
        base_plans: The same on the base; {} without one.
        studies: Plans by study, each with the arms that cannot be run here and why.
        coordinator: Runs the agents.
        journal: Takes every block as soon as it exists.
        look: Looks around after every block.
        baselines: What the stored baseline says, by scenario; {} if there is none to compare with.
        say: Gets lines for the person who waits.
        blocks: All blocks so far, by scenario.
        terms: What each begun scenario is judged by.
        summaries: Judged scenarios so far.
        studied: Judged studies so far.
        unfit: Why nothing is to be measured, found before; None if nothing speaks against it.
        sweep: The sweep whose cells are the scenarios; None if there is none.
        live: What is shown while it measures.
    """

    settings: Settings
    servers: tuple[Server, ...]
    session: Session
    planner: Planner
    plans: dict[str, ScenarioPlan]
    base_plans: dict[str, ScenarioPlan]
    studies: dict[str, tuple[ScenarioPlan, Mapping[str, str]]]
    coordinator: Coordinator
    journal: Journal
    look: Look
    baselines: dict[str, StoredBaseline]
    say: Say
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    terms: dict[str, Terms] = field(default_factory=dict)
    summaries: dict[str, ScenarioSummary] = field(default_factory=dict)
    studied: dict[str, StudySummary] = field(default_factory=dict)
    unfit: str | None = None
    sweep: SweepProgress | None = None
    live: LiveView = field(default_factory=LiveView)
    _driver: Driver = field(init=False)
    _visits: list[Visit] = field(default_factory=list)

    def __post_init__(self) -> None:
        """One driver for the session: it knows what the servers hold."""
        self._driver = Driver(self.servers, self.coordinator, self.look, self._keep, self.settings.deadline_s)

    async def measure(self, name: str, profile: str | None = None) -> ScenarioSummary:
        """Measures a scenario (once a session) and judges it by a profile's limits.

        Raises:
            HarnessError: If a server has died, or the journal cannot be written; the scenario is INVALID then.
        """
        terms = self.terms_of(name, profile or self.session.profile)
        fault = None
        try:
            self._begin(name, terms)
            self._ensure_fit()
            if name not in self.summaries and unfit(self.session, terms) is None:
                with self.live.showing(name):
                    await self._blocks_of(name, terms, profile or self.session.profile)
        except HarnessError as error:
            fault = self._keep_fault(name, error)
            raise
        else:
            return self._judge(name, terms)
        finally:
            if fault is not None:
                self._judge(name, terms, fault)
            self.write_outputs()

    def _begin(self, name: str, terms: Terms) -> None:
        if self.terms.get(name) != terms:
            self.terms[name] = terms
            self.journal.begin(name, terms)

    def _judge(self, name: str, terms: Terms, fault: str | None = None) -> ScenarioSummary:
        self.summaries[name] = judge_measured(self.session, name, self.blocks.get(name, ()), terms, fault)
        return self.summaries[name]

    async def _blocks_of(self, name: str, terms: Terms, profile: str) -> None:
        def decided(blocks: Sequence[Block]) -> bool:
            if terms.stopping.fixed and not self.live.shown:
                return False
            so_far = judge_measured(self.session, name, blocks, terms)
            self.live.judged(so_far, terms.stopping)
            return not terms.stopping.fixed and not so_far.undecided

        plan, base = self.plans[name], self.base_plans.get(name)
        if self.sweep is not None:
            await self._sweep_upto(self.sweep, name, profile)
        elif base is not None:
            await self._driver.pairs(plan, base, decided)
        else:
            before = self.blocks.get(name, [])
            left = plan.runs
            if before:  # of the session that is gone on with
                left = blocks_left(self.planner.settings.studied[name], before, plan.runs, self.settings.instrument)
            if left and not (before and decided(before)):
                await self._driver.scenario(plan, decided, tuple(before), left)

    async def _sweep_upto(self, sweep: SweepProgress, name: str, profile: str) -> None:
        """Makes the sweep's visits until this cell has all of its blocks; those of other cells lie between."""
        self._visits = sweep.upto(name)
        while self._visits:
            visit = self._visits[0]
            cell = visit.cell.name
            before = tuple(self.blocks.get(cell, ()))
            self._begin(cell, self.terms_of(cell, profile))
            await self._driver.scenario(self.plans[cell], lambda _blocks: False, before, visit.blocks)
            if self.blocks[cell][-1].error:  # given up: a server has died, or it is too slow
                self._visits = [each for each in self._visits if each.cell.name != cell]
                sweep.visits = [each for each in sweep.visits if each.cell.name != cell]
            else:
                del self._visits[0]

    def _keep_fault(self, name: str, error: HarnessError) -> str:
        """Writes what ended a scenario or study to the journal, and gives it in one line."""
        fault = str(error).partition("\n")[0]
        with contextlib.suppress(JournalError):  # that may be the very fault
            self.journal.fault(name, fault)
        return fault

    def _ensure_fit(self) -> None:
        if self.unfit is not None:
            raise ConfigurationError(self.unfit)

    async def study(self, name: str) -> StudySummary:
        """Measures a study (once a session) and judges it.

        Raises:
            HarnessError: If a server has died, or the journal cannot be written; nothing can be said then.
        """
        if name not in self.studied:
            plan, left_out = self.studies[name]
            await self._study(plan, left_out)
        return self.studied[name]

    async def mitigate(self, scenario: str) -> StudySummary:
        """Tries the guide's remedies on a scenario that was measured, and judges what each bought.

        Raises:
            HarnessError: As :meth:`study`.
        """
        plan, left_out = self.planner.ladder(scenario, self.blocks.get(scenario, ()))
        return await self._study(plan, left_out)

    async def _study(self, plan: ScenarioPlan, left_out: Mapping[str, str]) -> StudySummary:
        options = options_of({plan.name: plan})[plan.name]
        terms = StudyTerms(self.settings.instrument, dict(left_out), self.settings.stopping, options)
        self.journal.study(plan.name, terms)
        fault = None
        try:
            self._ensure_fit()
            if unfit(self.session, terms) is None:
                before = tuple(self.blocks.get(plan.name, ()))
                left = plan.runs - sum(not study_reasons(block) for block in before if not block.warmup)
                if left > 0:
                    with self.live.showing(plan.name):
                        await self._driver.scenario(plan, lambda _blocks: False, before, left)
        except HarnessError as error:
            fault = self._keep_fault(plan.name, error)
            raise
        finally:
            blocks = self.blocks.get(plan.name, ())
            self.studied[plan.name] = judge_measured_study(self.session, plan.name, blocks, terms, fault)
            self.write_outputs()
        return self.studied[plan.name]

    def terms_of(self, name: str, profile: str) -> Terms:
        """What a scenario is judged by on this profile; the gates of all scenarios share the error rate."""
        settings = self.settings

        def gates(scenario: str) -> int:
            compared = len(settings.base.rules.metrics) if settings.base else 0
            stored = len(self.baselines[scenario].ratios) if scenario in self.baselines else 0
            return len(settings.thresholds.limits(profile, scenario, settings.overrides)) + compared + stored

        # The cells of a sweep are judged each on its own.
        together = [name] if self.sweep else list(self.plans)
        return Terms(
            limits=settings.thresholds.limits(profile, name, settings.overrides),
            contention=settings.rules,
            instrument=settings.instrument,
            stopping=settings.stopping,
            rates=settings.rates,
            gates=max(1, sum(map(gates, together))),
            change=settings.base.rules if settings.base else None,
            baseline=self.baselines.get(name),
        )

    def write_outputs(self, *, whole: bool = False) -> None:
        """Writes the files that were asked for as far as they have come; ``whole``: those for the end, too.

        Raises:
            HarnessError: If a file cannot be written.
        """
        if self.settings.sweep is not None and self.settings.sweep_csv is not None:
            rows = sweep_rows(self.settings.sweep.sweep.cells, self.summaries)
            write_file(self.settings.sweep_csv, sweep_csv(rows))
        write_outputs(self.judged(), self.settings.outputs, often_only=not whole)

    def judged(self) -> JudgedSession:
        """The session as far as it has come."""
        return JudgedSession(
            session=replace(self.session, blocks=tuple(block for each in self.blocks.values() for block in each)),
            journal=str(self.journal.path.resolve()),
            stopping=self.settings.stopping,
            scenarios=tuple(self.summaries.values()),
            studies=tuple(self.studied.values()),
            terms=dict(self.terms),
        )

    def save_baseline(self) -> str | None:
        """Adds the session to the stored baseline that was asked for, and says so; None if none was.

        Raises:
            HarnessError: If it cannot be saved; the baseline's file is as it was.
        """
        choice = self.settings.baselines
        if choice is None or choice.save is None:
            return None
        if set(self.summaries) != set(self.plans):
            return f"baseline {choice.save}: the session did not measure all it was to, and is not saved"
        bad = (Verdict.FAIL, Verdict.INVALID)
        failed = [name for name, summary in self.summaries.items() if summary.verdict in bad]
        if failed and choice.save == choice.compare:
            return (
                f"baseline {choice.save}: {', '.join(failed)} did not pass: no part of what the next is compared with"
            )
        values = ratios_by_scenario(list(self.summaries.values()))
        stored = baseline_session(self.session, self.journal.path, values)
        whole = save_session(choice.folder, choice.save, fingerprint(self.session), stored)
        return f"baseline {choice.save}: this session is number {len(whole.sessions)} in it"

    def server_logs(self) -> list[tuple[str, str]]:
        """Name and last log lines of each server of ours."""
        return [(s.process.spec.name, s.process.log_tail()) for s in self.servers if s.process is not None]

    def _keep(self, block: Block) -> None:
        self.journal.append(block)
        blocks = self.blocks.setdefault(block.scenario, [])
        blocks.append(block)
        if block.scenario in self.plans:
            before = _memory_before(blocks, block)
            self.say(progress_line(block, self.settings.stopping, self.settings.instrument, before))
            if self.sweep is not None:
                self.sweep.blocks.append(block)
                self.say(self.sweep.line(block, self._visits))
        else:
            self.say(study_progress_line(block, self.settings.study_runs, self.settings.instrument))
        self.live.kept(block)


def _memory_before(blocks: Sequence[Block], block: Block) -> tuple[ModelMemory, ...]:
    """Where the models were after the first block of its side."""
    return next(each.memory for each in blocks if each.side == block.side)
