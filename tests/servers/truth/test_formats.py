"""The lines of answers, byte by byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.servers.truth.formats import Figures, Format, NativeFormat, OpenAIFormat, timestamp
from harness.servers.truth.stream import token_text

MODELS = st.text(max_size=20)


def _formats(model: str) -> dict[str, Format]:
    return {
        "response": NativeFormat(model, chat=False),
        "message": NativeFormat(model, chat=True),
        "text": OpenAIFormat(model, chat=False, usage=False),
        "delta": OpenAIFormat(model, chat=True, usage=True),
    }


@given(model=MODELS, index=st.integers(0, 10**6))
def test_a_token_line_is_json_whatever_the_model_is_called(model: str, index: int) -> None:
    """Its text stands where it belongs, and the name is as it was."""
    text = token_text(index).decode()
    for place, lines in _formats(model).items():
        line = json.loads(lines.token(text.encode()).removeprefix(b"data: "))
        assert line["model"] == model
        found = line if place in line else line["choices"][0]
        assert found[place] in (text, {"role": "assistant", "content": text})


def test_a_native_line_has_the_form_of_ollamas() -> None:
    """Names and order of the fields, and the newline."""
    line = NativeFormat("m", chat=False).token(b" w1")
    start, _, rest = line.partition(b'"created_at":"')
    assert start == b'{"model":"m",'
    assert rest[10:11] == b"T"
    assert rest.endswith(b'Z","response":" w1","done":false}\n')


def test_figures_that_are_zero_are_left_out() -> None:
    """As Go does."""
    done = json.loads(NativeFormat("m", chat=False).end(Figures("length", total_ns=5)))
    assert {name for name in done if "_duration" in name or "_count" in name} == {"total_duration"}


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, b"1970-01-01T00:00:00.000000000Z"),
        (1_700_000_000_000_000_001, b"2023-11-14T22:13:20.000000001Z"),
        (2**63, b"2262-04-11T23:47:16.854775808Z"),
    ],
)
def test_instants_are_written_as_rfc_3339(ns: int, text: bytes) -> None:
    """In UTC, to the ns."""
    assert timestamp(ns) == text
