"""Whatever can be recorded can be exported, in every file."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge import ScenarioSummary, Verdict, log_estimate, mean_estimate
from harness.judge.summary import unmeasured_scenario
from harness.records import Block
from harness.report import OUTPUTS, JudgedSession
from harness.report.exports.figures import MAIN_FIGURES
from harness.scenarios import Stopping
from harness.testing import build_session
from tests.report.exports.sessions import SESSIONS
from tests.strategies import BLOCKS, NAMES

_ESTIMATES = st.one_of(
    st.lists(st.floats(1e-12, 1e12), min_size=1, max_size=4).map(lambda values: log_estimate([log(v) for v in values])),
    st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=4).map(mean_estimate),
)
_SUMMARIES = st.one_of(
    st.builds(unmeasured_scenario, NAMES, NAMES),
    st.builds(
        ScenarioSummary,
        name=NAMES,
        verdict=st.sampled_from(Verdict),
        invalid=st.dictionaries(st.integers(0, 9), st.lists(NAMES, max_size=2).map(tuple), max_size=2),
        estimates=st.fixed_dictionaries(dict.fromkeys(MAIN_FIGURES, _ESTIMATES)),
    ),
)


@pytest.mark.parametrize("flag", OUTPUTS)
@pytest.mark.parametrize("name", SESSIONS)
def test_every_file_can_be_made_of_every_built_session(name: str, flag: str) -> None:
    """Empty, invalid, hostile, with eight agents, with a base, a study, and blocks that nobody judged."""
    assert OUTPUTS[flag](SESSIONS[name])


@settings(max_examples=15)
@given(st.lists(BLOCKS, min_size=1, max_size=1), st.lists(_SUMMARIES, max_size=1))
def test_every_file_can_be_made_of_whatever_was_recorded(measured: list[Block], found: list[ScenarioSummary]) -> None:
    """Blocks that no server could give, and summaries with any figure in them."""
    judged = JudgedSession(build_session(measured), "/j.jsonl", Stopping(5), tuple(found))
    assert all(render(judged) for render in OUTPUTS.values())
