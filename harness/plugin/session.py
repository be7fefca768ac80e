"""One open measuring session: it measures its scenarios, keeps them in the journal and judges them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.judge import ScenarioSummary, Verdict, judge_measured, ratios_by_scenario
from harness.judge.session import unfit
from harness.measure import AgentPlan, Coordinator, Look, ScenarioPlan, measure_pairs, measure_scenario
from harness.plugin.options import Settings
from harness.records import Block, ModelMemory, Session
from harness.records.errors import HarnessError, JournalError
from harness.report import progress_line, session_summary, summary_text, write_text
from harness.scenarios import StoredBaseline, Terms
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
        plans: Plans by scenario.
        base_plans: The same on the base; {} without one.
        coordinator: Runs the agents.
        journal: Takes every block as soon as it exists.
        look: Looks around after every block.
        baselines: What the stored baseline says, by scenario; {} if there is none to compare with.
        say: Gets lines for the person who waits.
        blocks: All blocks so far, by scenario.
        terms: What each begun scenario is judged by.
        summaries: Judged scenarios so far.
    """

    settings: Settings
    servers: tuple[Server, ...]
    session: Session
    plans: dict[str, ScenarioPlan]
    base_plans: dict[str, ScenarioPlan]
    coordinator: Coordinator
    journal: Journal
    look: Look
    baselines: dict[str, StoredBaseline]
    say: Say
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    terms: dict[str, Terms] = field(default_factory=dict)
    summaries: dict[str, ScenarioSummary] = field(default_factory=dict)

    async def measure(self, name: str, profile: str | None = None) -> ScenarioSummary:
        """Measures a scenario (once a session) and judges it by a profile's limits.

        Raises:
            HarnessError: If a server has died, or the journal cannot be written; the scenario is INVALID then.
        """
        terms = self.terms_of(name, profile or self.session.profile)
        fault = None
        try:
            self._begin(name, terms)
            if name not in self.summaries and unfit(self.session, terms) is None:
                for server in self.servers:
                    server.ensure_alive()
                await self._blocks_of(name, terms)
        except HarnessError as error:
            fault = str(error).partition("\n")[0]
            with contextlib.suppress(JournalError):  # that may be the very fault
                self.journal.fault(name, fault)
            raise
        else:
            return self._judge(name, terms)
        finally:
            if fault is not None:
                self._judge(name, terms, fault)
            self.write_summary()

    def _begin(self, name: str, terms: Terms) -> None:
        if self.terms.get(name) != terms:
            self.terms[name] = terms
            self.journal.begin(name, terms)

    def _judge(self, name: str, terms: Terms, fault: str | None = None) -> ScenarioSummary:
        self.summaries[name] = judge_measured(self.session, name, self.blocks.get(name, ()), terms, fault)
        return self.summaries[name]

    async def _blocks_of(self, name: str, terms: Terms) -> None:
        def decided(blocks: Sequence[Block]) -> bool:
            return not terms.stopping.fixed and not judge_measured(self.session, name, blocks, terms).undecided

        plan, base = self.plans[name], self.base_plans.get(name)
        if base is None:
            await measure_scenario(
                plan, self.coordinator, load=self._load, keep=self._keep, stop=decided, look=self.look
            )
        else:
            await measure_pairs(
                plan, base, self.coordinator, load=self._load, keep=self._keep, stop=decided, look=self.look
            )

    def terms_of(self, name: str, profile: str) -> Terms:
        """What a scenario is judged by on this profile; the gates of all scenarios share the error rate."""
        settings = self.settings

        def gates(scenario: str) -> int:
            compared = len(settings.base.rules.metrics) if settings.base else 0
            stored = len(self.baselines[scenario].ratios) if scenario in self.baselines else 0
            return len(settings.thresholds.limits(profile, scenario, settings.overrides)) + compared + stored

        return Terms(
            limits=settings.thresholds.limits(profile, name, settings.overrides),
            contention=settings.rules,
            instrument=settings.instrument,
            stopping=settings.stopping,
            rates=settings.rates,
            gates=max(1, sum(gates(scenario) for scenario in self.plans)),
            change=settings.base.rules if settings.base else None,
            baseline=self.baselines.get(name),
        )

    def write_summary(self) -> None:
        """Writes the summary for programs, as far as it has come, if one was asked for.

        Raises:
            HarnessError: If the file cannot be written.
        """
        if self.settings.summary_json is not None:
            document = session_summary(
                self.session, self.settings.stopping, str(self.journal.path.resolve()), list(self.summaries.values())
            )
            write_text(self.settings.summary_json, summary_text(document))

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

    async def _load(self, agent: AgentPlan) -> None:
        server = next(server for server in self.servers if server.url == agent.url)
        await server.api.load(agent.model, agent.options, deadline_s=self.settings.deadline_s)

    def _keep(self, block: Block) -> None:
        self.journal.append(block)
        blocks = self.blocks.setdefault(block.scenario, [])
        blocks.append(block)
        self.say(progress_line(block, self.settings.stopping, self.settings.instrument, _memory_before(blocks, block)))


def _memory_before(blocks: Sequence[Block], block: Block) -> tuple[ModelMemory, ...]:
    """Where the models were after the first block of its side."""
    return next(each.memory for each in blocks if each.side == block.side)
