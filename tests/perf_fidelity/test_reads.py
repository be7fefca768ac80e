"""Tokens out of stamped reads."""

from __future__ import annotations

import pytest

from perf.fidelity.clients.reads import json_token, looks_like_token, rendered_request, token_instants

TOKEN = b'{"model":"truth","response":"a","done":false}\n'
DONE = b'{"model":"truth","response":"","done":true}\n'


def test_a_token_has_the_instant_of_the_read_that_completes_it() -> None:
    """Two lines in one read share its instant; a split line has its second half's."""
    reads = [(1, TOKEN + TOKEN), (2, TOKEN[:10]), (3, TOKEN[10:] + DONE)]
    assert token_instants(reads, json_token) == (1, 1, 3)


def test_the_floor_sees_through_the_chunks_framing() -> None:
    """Lines within HTTP chunks are counted where they begin as JSON; the last line is none."""
    reads = [(1, b"HTTP/1.1 200 OK\r\n\r\n2e\r\n" + TOKEN + b"\r\n"), (2, b"2c\r\n" + DONE + b"\r\n0\r\n\r\n")]
    assert token_instants(reads, looks_like_token) == (1,)


def test_an_error_line_is_no_token() -> None:
    """What the server reports as an error is raised, and so is what is not JSON."""
    with pytest.raises(ValueError, match="busy"):
        json_token('{"error":"busy"}')
    with pytest.raises(ValueError, match="Expecting"):
        json_token("nonsense")


def test_a_rendered_request_says_its_length() -> None:
    """The body is as long as the head says, and its prompt begins with the nonce."""
    head, _, body = rendered_request("host:1", "00000001", 7).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'"prompt": "00000001 ' in body
