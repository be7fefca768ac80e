"""Text and data on their way into a page."""

from __future__ import annotations

import base64
import hashlib
import json

from hypothesis import example, given
from hypothesis import strategies as st

from harness.report.html.escaping import (
    inline_script,
    isolated,
    plot_text,
    script_hash,
    script_json,
)


def test_foreign_text_is_shown_and_isolated() -> None:
    """It is escaped, holds nothing that steers, and has a direction of its own."""
    assert isolated("a<b>\u202e\x1b") == "<bdi>a&lt;b&gt;\\u202e\\x1b</bdi>"


@given(
    st.recursive(
        st.text() | st.integers(-(2**53), 2**53) | st.none(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
@example({"a\u2028b": ["\u2029", "<!--", "</script>&amp;"]})
def test_json_in_a_script_is_the_document_and_cannot_end_it(document: object) -> None:
    """It reads back as what it was, and holds no character that HTML or an old JavaScript would take for its own."""
    text = str(script_json(document))
    assert json.loads(text) == document
    assert not {"<", ">", "&", "\u2028", "\u2029"}.intersection(text)


def test_what_is_no_number_is_null() -> None:
    """JSON knows neither infinity nor NaN."""
    assert script_json([float("inf"), float("nan"), 1.0]) == "[null,null,1.0]"


def test_a_program_cannot_end_its_element() -> None:
    """Neither the end of a script nor the begin of a comment stands in it, and its lines end as browsers read them."""
    assert inline_script("a = '</script>'; b = '<!--';\r\n") == "a = '<\\/script>'; b = '<\\!--';\n"


def test_a_policy_names_a_script_by_its_hash() -> None:
    """SHA-256 of its UTF-8, in base64, quoted."""
    digest = base64.b64encode(hashlib.sha256("é".encode()).digest()).decode()
    assert script_hash("é") == f"'sha256-{digest}'"


def test_a_plot_label_is_short_and_escaped() -> None:
    """Plotly's own little HTML is none of it, and the plot keeps its room."""
    assert plot_text("<b>a&b</b>") == "&lt;b&gt;a&amp;b&lt;/b&gt;"
    assert plot_text("x" * 28) == "x" * 28
    assert plot_text("x" * 29) == "x" * 27 + "\u2026"


def test_right_to_left_letters_stay_in_their_label() -> None:
    """They are isolated, so that what follows is not turned around."""
    assert plot_text("\u05d0") == "\u2068\u05d0\u2069"
