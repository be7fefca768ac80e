"""What is measured, as data: agents, their options, the scenarios and the thresholds' table."""

from harness.scenarios.catalogue import SCENARIOS, AgentSpec, RunnerOptions, Scenario, with_overrides
from harness.scenarios.profiles import PROFILES, Profile
from harness.scenarios.thresholds import (
    METRICS,
    Limit,
    Override,
    ThresholdTable,
    parse_override,
    parse_thresholds,
)
from harness.scenarios.workflows import WORKFLOWS, Ask, Workflow

__all__ = [
    "METRICS",
    "PROFILES",
    "SCENARIOS",
    "WORKFLOWS",
    "AgentSpec",
    "Ask",
    "Limit",
    "Override",
    "Profile",
    "RunnerOptions",
    "Scenario",
    "ThresholdTable",
    "Workflow",
    "parse_override",
    "parse_thresholds",
    "with_overrides",
]
