"""A judged session: all that a report needs, and the whole of what every file that tells of a session is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.judge import ScenarioSummary
from harness.judge.study import StudySummary
from harness.records import Session
from harness.scenarios import Stopping, Terms


@dataclass(frozen=True, slots=True)
class JudgedSession:
    """A session with its verdicts, running, over, or read back from its journal.

    Attributes:
        session: Everything that was seen, its blocks too.
        journal: Path of its journal, absolute.
        stopping: How many blocks a scenario was to have.
        scenarios: Its scenarios, judged, in the order of measuring.
        studies: Its studies, likewise.
        terms: What each scenario is judged by; its stored baseline is among it.
    """

    session: Session
    journal: str
    stopping: Stopping
    scenarios: tuple[ScenarioSummary, ...] = ()
    studies: tuple[StudySummary, ...] = ()
    terms: Mapping[str, Terms] = field(default_factory=dict)

    @property
    def invalid(self) -> Mapping[str, Mapping[int, tuple[str, ...]]]:
        """Why blocks could not be judged, by scenario or study and index."""
        found = {scenario.name: scenario.invalid for scenario in self.scenarios}
        return found | {study.name: study.invalid for study in self.studies}
