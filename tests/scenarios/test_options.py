"""The terms of a stored session, changed by options and else as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios import (
    ChangeRules,
    ContentionRules,
    ErrorRates,
    InstrumentLimits,
    Limit,
    Stopping,
    StoredBaseline,
    Terms,
    ThresholdTable,
)
from harness.scenarios.options import Reader, read_again

TABLE = ThresholdTable(
    {
        "cpu": {"default": {"guide_speedup": 1.5, "measured_speedup": 1.0}},
        "embedded": {"default": {"guide_speedup": 1.1}},
    }
)
STORED = {
    "one": Terms(
        limits=(Limit("guide_efficiency_pct", 85.0), Limit("contention_rate", 0.1)),
        contention=ContentionRules(ttft_s=3.0),
        instrument=InstrumentLimits(ttft_ms=2.0),
        stopping=Stopping(12),
        rates=ErrorRates(0.02, 0.03),
        gates=7,
        change=ChangeRules(("slowdown",), 8.0, 2.0),
        baseline=StoredBaseline("main", {"slowdown": (1.0, 1.1)}, ChangeRules(("slowdown",))),
    ),
    "two": Terms(limits=(Limit("guide_efficiency_pct", 90.0),), instrument=InstrumentLimits(), gates=7),
}


def again(**given: object) -> dict[str, Terms]:
    """The terms after these options."""
    values = {"--" + name.replace("_", "-"): value for name, value in given.items()}
    return read_again(Reader(values.get), TABLE, "cpu", STORED)


def test_without_options_the_terms_are_what_they_were() -> None:
    """To the last field: a session judged again says what it said."""
    assert again() == STORED


def test_one_limit_is_changed_and_the_others_stay() -> None:
    """For one scenario or for all; a limit that is new makes one gate more, which shares the error rate."""
    found = again(threshold=["one.guide_efficiency_pct=50", "measured_speedup=1.2"])
    assert found["one"].limits == (
        Limit("guide_efficiency_pct", 50.0),
        Limit("measured_speedup", 1.2),
        Limit("contention_rate", 0.1),
    )
    assert found["two"].limits == (Limit("guide_efficiency_pct", 90.0), Limit("measured_speedup", 1.2))
    assert {terms.gates for terms in found.values()} == {9}


@pytest.mark.parametrize(("given", "speedup"), [({"thresholds": "mine.toml"}, 1.5), ({"profile": "embedded"}, 1.1)])
def test_a_table_or_a_profile_replaces_all_limits(given: dict[str, object], speedup: float) -> None:
    """The session's own profile, unless another one is named."""
    found = again(**given, threshold=["two.contention_rate=0.5"])
    assert found["one"].limits[0] == found["two"].limits[0] == Limit("guide_speedup", speedup)
    assert found["two"].limits[-1] == Limit("contention_rate", 0.5)


def test_each_rule_is_changed_by_itself() -> None:
    """What is not named keeps what the session had, not the default."""
    found = again(contention_efficiency_pct="60", instrument_limit=["gap_ms=9"], error_rate="0.1", worse_pct="20")[
        "one"
    ]
    assert found.contention == ContentionRules(ttft_s=3.0, efficiency_pct=60.0)
    assert found.instrument == InstrumentLimits(ttft_ms=2.0, gap_ms=9.0)
    assert found.rates == ErrorRates(0.1, 0.1)
    assert found.change == ChangeRules(("slowdown",), 20.0, 2.0)
    assert found.baseline is not None
    assert found.baseline.rules.worse_pct == 20.0
    assert replace(found, contention=STORED["one"].contention) != STORED["one"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"threshold": ["three.guide_speedup=1"]}, "unknown scenario 'three'"),
        ({"profile": "tpu"}, "--profile 'tpu': choose one of gpu, cpu, embedded"),
        ({"profile": "gpu"}, "no profile 'gpu' in the thresholds' table"),
        ({"instrument_limit": ["speed=1"]}, "--instrument-limit 'speed=1': write NAME=NUMBER"),
    ],
)
def test_a_bad_option_says_what_to_write(given: dict[str, object], words: str) -> None:
    """As in pytest."""
    with pytest.raises(ConfigurationError) as raised:
        again(**given)
    assert words in str(raised.value)
