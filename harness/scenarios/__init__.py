"""What is measured, as data: agents, their options, the scenarios and the thresholds' table."""

from harness.scenarios.catalogue import (
    SCENARIOS,
    AgentSpec,
    RunnerOptions,
    Scenario,
    with_agents,
    with_overrides,
)
from harness.scenarios.own import Catalogue
from harness.scenarios.profiles import PROFILES, Profile
from harness.scenarios.studies import STUDIES, Study
from harness.scenarios.terms import (
    DEFAULT_MAX_RUNS,
    FIRST_LOOK,
    INSTRUMENT_LIMITS,
    MOST_RUNS,
    ChangeRules,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Stopping,
    StoredBaseline,
    StudyTerms,
    Terms,
)
from harness.scenarios.thresholds import (
    METRICS,
    Limit,
    Override,
    ThresholdTable,
    parse_override,
    parse_thresholds,
)
from harness.scenarios.workflows import ENDLESS_WORKFLOWS, WORKFLOWS, Ask, Workflow

__all__ = [
    "DEFAULT_MAX_RUNS",
    "ENDLESS_WORKFLOWS",
    "FIRST_LOOK",
    "INSTRUMENT_LIMITS",
    "METRICS",
    "MOST_RUNS",
    "PROFILES",
    "SCENARIOS",
    "STUDIES",
    "WORKFLOWS",
    "AgentSpec",
    "Ask",
    "Catalogue",
    "ChangeRules",
    "ContentionRules",
    "ErrorRates",
    "InstrumentLimits",
    "Limit",
    "Override",
    "Profile",
    "RunnerOptions",
    "Scenario",
    "Stopping",
    "StoredBaseline",
    "Study",
    "StudyTerms",
    "Terms",
    "ThresholdTable",
    "Workflow",
    "parse_override",
    "parse_thresholds",
    "with_agents",
    "with_overrides",
]
