"""Bodies of requests: what really goes to the server."""

from __future__ import annotations

import pytest

from harness.protocol import generate_body, load_body, normalized_model, unload_body


def test_a_measured_request_streams_without_thinking_and_keeps_the_model() -> None:
    """The body of a measured request, field by field."""
    assert generate_body("m", "12345678 hello", {"num_predict": 8, "seed": 1}) == {
        "model": "m",
        "prompt": "12345678 hello",
        "stream": True,
        "think": False,
        "keep_alive": -1,
        "options": {"num_predict": 8, "seed": 1},
    }


def test_without_a_keep_alive_none_is_sent() -> None:
    """The server leaves that of a loaded model as it is."""
    assert "keep_alive" not in generate_body("m", "hello", {}, keep_alive=None)
    assert generate_body("m", "hello", {})["keep_alive"] == -1


def test_the_options_are_copied() -> None:
    """A body does not change when the caller's options do."""
    options = {"seed": 1.0}
    body = generate_body("m", "p", options)
    options["seed"] = 2.0
    assert body["options"] == {"seed": 1.0}


def test_loading_and_unloading_have_no_prompt() -> None:
    """An empty prompt loads with the runner options; keep_alive 0 lets go."""
    assert load_body("m", {"num_ctx": 512}) == {
        "model": "m",
        "stream": False,
        "keep_alive": -1,
        "options": {"num_ctx": 512},
    }
    assert unload_body("m") == {"model": "m", "stream": False, "keep_alive": 0}


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("gemma3", "gemma3:latest"),
        ("gemma3:latest", "gemma3:latest"),
        ("gemma3:270m", "gemma3:270m"),
        ("host:5000/library/gemma3", "host:5000/library/gemma3:latest"),
        ("hf.co/someone/some-GGUF:Q4_K_M", "hf.co/someone/some-GGUF:Q4_K_M"),
    ],
)
def test_a_name_without_a_tag_means_latest(name: str, normal: str) -> None:
    """A colon in a registry's host is no tag."""
    assert normalized_model(name) == normal
