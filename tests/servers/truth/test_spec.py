"""Configurations: what is checked, and what a person is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.records.errors import ConfigurationError
from harness.servers.truth import Behaviour, DeviceSpec, Fault, ModelSpec, Timing, TruthConfig
from harness.servers.truth.spec import FAULTS, PHASES, decode_config, encode_config

MS = st.floats(0, 1e6)
TIMINGS = st.builds(
    Timing, st.sampled_from(["fixed", "exponential", "stalls"]), MS, MS, st.integers(1, 1000)
) | st.builds(Timing, kind=st.just("trace"), trace_ms=st.lists(MS, min_size=1, max_size=3).map(tuple))
BEHAVIOURS = st.builds(
    Behaviour,
    TIMINGS,
    TIMINGS,
    st.none() | st.integers(0, 10**9),
    st.none() | st.builds(Fault, st.sampled_from(FAULTS), st.integers(0, 100)),
)
FACTORS = st.dictionaries(st.sampled_from(PHASES), st.floats(1, 100))
DEVICES = st.builds(DeviceSpec, st.none(), st.dictionaries(st.sampled_from(PHASES), FACTORS), st.none(), MS)
CONFIGS = st.builds(
    TruthConfig,
    BEHAVIOURS,
    st.dictionaries(st.integers(0, 9), BEHAVIOURS, max_size=2),
    st.lists(BEHAVIOURS, max_size=2).map(tuple),
    DEVICES,
    st.lists(st.builds(ModelSpec, st.sampled_from(["a", "b:1b", "x.y/z/b-1:c"])), min_size=1, max_size=2).map(tuple),
    st.integers(-(2**63), 2**63 - 1),
)


@given(config=CONFIGS)
def test_a_configuration_survives_its_json(config: TruthConfig) -> None:
    """What is sent is what arrives."""
    assert decode_config(encode_config(config)) == config


def test_an_empty_object_is_the_default() -> None:
    """Every field may be left out."""
    assert decode_config(b"{}") == TruthConfig()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "this is no truth configuration: "),
        (b"[]", "Expected `object`, got `array`"),
        (b"\xff", "this is no truth configuration: "),
        (b'{"sed": 1}', "there is no field sed; leave it out"),
        (b'{"behaviour": {"gaps": {"mss": 1}}}', "there is no field behaviour.gaps.mss; leave it out"),
        (b'{"script": [{}, {"fault": {"kind": "reset", "x": 1}}]}', r"there is no field script\[1\].fault.x; "),
        (b'{"by_port": {"1": {"token": 1}}}', "there is no field by_port.1.token; "),
        (b'{"by_port": {"x": {}}}', "this is no truth configuration: "),
        (b'{"seed": "7"}', r"Expected `int`, got `str` - at `\$.seed`"),
        (b'{"behaviour": {"gaps": {"kind": "poisson"}}}', r"'poisson' - at `\$.behaviour.gaps.kind`"),
        (b'{"behaviour": {"fault": {"kind": "fire"}}}', "fault kind 'fire' is unknown: write one of packed_lines, "),
        (b'{"behaviour": {"gaps": {"ms": -1}}}', "ms is -1.0: write a duration of 0 ms or more"),
    ],
)
def test_bad_json_names_its_field(data: bytes, message: str) -> None:
    """A person can find it."""
    with pytest.raises(ConfigurationError, match=message):
        decode_config(data)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Timing(ms=-0.1), "ms is -0.1: write a duration of 0 ms or more"),
        (lambda: Timing(ms=float("nan")), "ms is nan"),
        (lambda: Timing(ms=float("inf")), "ms is inf"),
        (lambda: Timing("stalls", stall_ms=-1), "stall_ms is -1"),
        (lambda: Timing("stalls", every=0), "every is 0: write 1 or more"),
        (lambda: Timing("trace"), "trace_ms is empty: write at least one duration"),
        (lambda: Timing("trace", trace_ms=(1, -2)), "trace_ms is -2"),
        (lambda: Fault("fire"), "fault kind 'fire' is unknown"),
        (lambda: Fault("reset", -1), "after is -1"),
        (lambda: Behaviour(tokens=-1), "tokens is -1"),
        (lambda: DeviceSpec(pool_tok_s=0), "pool_tok_s is 0"),
        (lambda: DeviceSpec(memory_bytes=-1), "memory_bytes is negative"),
        (lambda: DeviceSpec(load_ms=-1), "load_ms is -1"),
        (lambda: DeviceSpec(spill_slowdown=0.5), "spill_slowdown is 0.5: write 1 or more"),
        (lambda: DeviceSpec(slots=-1), "slots is -1"),
        (lambda: DeviceSpec(interference={"sleep": {"load": 2}}), "interference names 'sleep': write phases out of"),
        (lambda: DeviceSpec(interference={"load": {"sleep": 2}}), "interference names 'sleep'"),
        (lambda: DeviceSpec(interference={"load": {"load": 0.9}}), "interference load/load is 0.9: write 1 or more"),
        (lambda: ModelSpec(""), "'' is no model name: write one such as truth:latest"),
        (lambda: ModelSpec("a b"), "'a b' is no model name"),
        (lambda: ModelSpec("m", 0), "size_bytes of m is 0"),
        (lambda: TruthConfig(models=()), "models is empty"),
        (lambda: TruthConfig(by_port={-1: Behaviour()}), "by_port is negative"),
    ],
)
def test_a_bad_value_is_told_with_what_to_write(build: Callable[[], Any], message: str) -> None:
    """At the place where it is written, not in the server's log."""
    with pytest.raises(ConfigurationError, match=message):
        build()


@pytest.mark.parametrize(
    ("timing", "mean_ms"),
    [
        (Timing(ms=4), 4),
        (Timing("exponential", 4), 4),
        (Timing("stalls", 10, 40, 32), 11.25),
        (Timing("trace", trace_ms=(1, 2, 6)), 3),
    ],
)
def test_the_mean_of_a_timing_is_what_the_pool_is_shared_by(timing: Timing, mean_ms: float) -> None:
    """Of the whole sequence, its stalls too."""
    assert timing.mean_ms == mean_ms


def test_defaults_are_those_of_the_interface() -> None:
    """Others build on them."""
    plain = msgspec.json.decode(encode_config(TruthConfig()))
    assert plain["behaviour"]["ttft"]["ms"] == 50.0
    assert plain["behaviour"]["gaps"]["ms"] == 10.0
    assert plain["models"] == [{"name": "truth:latest", "size_bytes": 2**30}]
    assert plain["device"]["nodelay"] is True
