"""What a watch asks and when it calls something a symptom, from text."""

from __future__ import annotations

import pytest

from harness.records.errors import ConfigurationError
from harness.scenarios import ContentionRules
from harness.scenarios.watching import WATCH_OPTIONS, parse_probe_options, probe_deadline_s


def test_runner_options_are_read_as_ollama_wants_them() -> None:
    """Whole numbers, and a truth value for use_mmap."""
    found = parse_probe_options(["num_thread=1", "num_ctx=4096", "use_mmap=false", "main_gpu=0"])
    assert found == {"num_thread": 1, "num_ctx": 4096, "use_mmap": False, "main_gpu": 0}
    assert {name: type(value) for name, value in found.items() if name != "use_mmap"} == dict.fromkeys(
        ("num_thread", "num_ctx", "main_gpu"), int
    )
    assert found["use_mmap"] is False


@pytest.mark.parametrize(
    "text", ["num_thread", "num_thread=", "num_thread=x", "num_gpu=1", "seed=1", "use_mmap=x", "=1"]
)
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    """num_gpu need not be sent, and a seed is no runner option."""
    with pytest.raises(ConfigurationError, match="write NAME=NUMBER, for example num_thread=1"):
        parse_probe_options([text])


def test_a_deadline_is_beyond_the_rule_for_ttft() -> None:
    """A probe that is cut off has shown that symptom."""
    assert probe_deadline_s(ContentionRules(ttft_s=60.0)) > 60.0


def test_every_option_says_what_it_does() -> None:
    """Once each."""
    flags = [flag for flag, _, _ in WATCH_OPTIONS]
    assert len(set(flags)) == len(flags)
    assert all(text for _, _, text in WATCH_OPTIONS)
