"""Options and durations are read as Ollama reads them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from harness.servers.embedded.options import (
    RequestError,
    RunnerOptions,
    default_parallel,
    parse_keep_alive,
    parse_options,
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0),
        (1.5, 1.5),
        (-1, math.inf),
        ("5m", 300),
        ("1h30m", 5400),
        ("-1m", math.inf),
        ("0", 0),
        ("1.5s", 1.5),
        ("250ms", 0.25),
    ],
)
def test_keep_alive(value: object, seconds: float | None) -> None:
    """Seconds, or a Go duration; negative is for ever."""
    assert parse_keep_alive(value) == seconds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("5", 'time: missing unit in duration "5"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("abc", 'time: invalid duration "abc"'),
        ("", 'time: invalid duration ""'),
        (True, "Unsupported type: 'bool'"),
    ],
)
def test_keep_alive_that_is_none(value: object, message: str) -> None:
    """In Go's words."""
    with pytest.raises(RequestError) as caught:
        parse_keep_alive(value)
    assert str(caught.value) == message


def test_defaults_are_ollamas() -> None:
    """Of v0.24.0."""
    runner, sampling = parse_options({})
    assert (runner.num_ctx, runner.num_gpu, runner.num_thread) == (4096, -1, 0)
    assert (sampling.temperature, sampling.top_k, sampling.top_p, sampling.repeat_penalty) == (0.8, 40, 0.9, 1.1)
    assert sampling.num_predict == -1


def test_numbers_convert_as_in_go_and_null_is_left_out() -> None:
    """A fraction is cut off, an integer is a float too, a context has at least four tokens."""
    runner, sampling = parse_options({"num_ctx": 1, "num_predict": 1.9, "temperature": 1, "top_k": None})
    assert (runner.num_ctx, sampling.num_predict, sampling.temperature, sampling.top_k) == (4, 1, 1.0, 40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_ctx": "x"}, 'option "num_ctx" must be of type integer'),
        ({"seed": True}, 'option "seed" must be of type integer'),
        ({"temperature": "x"}, 'option "temperature" must be of type float32'),
        ({"use_mmap": 1}, 'option "use_mmap" must be of type boolean'),
        ({"stop": "x"}, 'option "stop" must be of type array'),
        ({"stop": [1]}, 'option "stop" must be of an array of strings'),
    ],
)
def test_a_wrong_type_is_refused(options: dict[str, Any], message: str) -> None:
    """In Ollama's words."""
    with pytest.raises(RequestError) as caught:
        parse_options(options)
    assert str(caught.value) == message


def test_num_gpu_minus_one_takes_what_is_loaded() -> None:
    """Any other change of a runner option does not."""
    loaded = RunnerOptions(num_gpu=7)
    assert loaded.serves(replace(loaded, num_gpu=-1))
    assert not loaded.serves(replace(loaded, num_gpu=3))
    assert not loaded.serves(replace(loaded, num_thread=2))


@pytest.mark.parametrize(
    ("value", "slots"),
    [("4", 4), (" '4' ", 4), ('"2"', 2), ("0", 1), ("", 1), ("auto", 1), ("-2", 1), ("+2", 1), ("2.5", 1), ("٣", 1)],
)
def test_num_parallel_is_read_as_ollama_reads_it(value: str, slots: int) -> None:
    """Spaces and quotes are taken off; what is no number, and none at all, is one."""
    assert default_parallel({"OLLAMA_NUM_PARALLEL": value}) == slots


def test_num_parallel_is_one_when_nobody_says_so() -> None:
    """As Ollama's default."""
    assert default_parallel({}) == 1


@pytest.mark.parametrize("value", ["auto", str(2**64)])
def test_a_num_parallel_that_is_none_is_told(value: str, caplog: pytest.LogCaptureFixture) -> None:
    """In Ollama's words."""
    assert default_parallel({"OLLAMA_NUM_PARALLEL": value}) == 1
    assert "invalid environment variable, using default key=OLLAMA_NUM_PARALLEL" in caplog.text
