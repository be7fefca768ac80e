"""How each kind of server is started, and what is refused of those that users bring."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.records.errors import ConfigurationError
from harness.servers.embedded.model import default_cache_dir
from harness.servers.kinds import EMBEDDED, KINDS, OLLAMA, Launch, ServerKind
from harness.servers.kinds.own import with_kinds


def own(name: str = "own", **fields: object) -> ServerKind:
    """A kind with other fields."""
    return replace(ServerKind(name, lambda launch: [str(launch.port)]), **fields)  # type: ignore[arg-type]


def test_ollama_is_started_at_its_port_with_one_model_that_stays() -> None:
    """Whatever the session's environment says of these; the test model is not put into the user's store."""
    assert OLLAMA.command(Launch(11434, 1, "m", "/bin/ollama")) == ("/bin/ollama", "serve")
    told = OLLAMA.environment(Launch(11435, 4, "m", "/bin/ollama"))
    assert (told["OLLAMA_HOST"], told["OLLAMA_NUM_PARALLEL"]) == ("127.0.0.1:11435", "4")
    assert (told["OLLAMA_KEEP_ALIVE"], told["OLLAMA_MAX_LOADED_MODELS"]) == ("-1", "1")
    assert "OLLAMA_MODELS" not in told
    store = OLLAMA.environment(Launch(11435, 1, "embedded:latest"))["OLLAMA_MODELS"]
    assert store == str(default_cache_dir() / "ollama-models")


def test_the_embedded_server_ends_with_the_session() -> None:
    """It is this package's own command, with its port and slots; free ports, and one model."""
    command = EMBEDDED.command(Launch(7, 2, "embedded"))
    assert command == (sys.executable, *["-m", "harness", "serve", "--port", "7", "--parallel", "2", "--with-parent"])
    assert (EMBEDDED.ports(2), EMBEDDED.model, EMBEDDED.environment(Launch(7, 2, "embedded"))) == ((), "embedded", {})


def test_a_kind_of_ones_own_is_known_beside_ours() -> None:
    """What was known does not change; one alone, a generator and nothing are taken too."""
    kinds = with_kinds(KINDS, own(), "x")
    assert [*kinds] == ["ollama", "embedded", "own"]
    assert [*KINDS] == ["ollama", "embedded"]
    assert [*with_kinds(KINDS, (own(name) for name in "ab"), "x")] == ["ollama", "embedded", "a", "b"]
    assert with_kinds(KINDS, None, "x") is KINDS


BAD: tuple[tuple[Callable[[], object], str], ...] = (
    (lambda: ["own"], "pytest_concurrency_servers must return ServerKinds, [ServerKind(...)], not a str"),
    (lambda: 7, "must return ServerKinds, [ServerKind(...)], not a int"),
    (lambda: own("a b"), "a server kind's name must be a word of letters, digits, _ and -, not 'a b'"),
    (lambda: own("ollama"), "server kind 'ollama' is there already: give it another name"),
    (lambda: own("connect"), "server kind 'connect' is there already"),
    (lambda: [own(), own()], "server kind 'own' is there already"),
    (lambda: own(command=["serve"]), "its command must be a function, lambda launch: [PROGRAM, ...], not a list"),
    (lambda: own(environment={}), 'its environment must be a function, lambda launch: {"NAME": "value"}, not a dict'),
    (lambda: own(facts={}), 'its facts must be a function, lambda: {"NAME": "value"}, not a dict'),
    (lambda: own(port=70000), "its port must be a port number, or None for free ones, not 70000"),
    (lambda: own(model=""), "its model must be a text, not ''"),
    (lambda: own(program=7), "its program must be a text, not 7"),
)


@pytest.mark.parametrize(("given", "words"), BAD, ids=[words[:40] for _, words in BAD])
def test_what_is_wrong_is_one_line_that_names_whose_it_is(given: Callable[[], object], words: str) -> None:
    """It says what to write instead."""
    with pytest.raises(ConfigurationError) as raised:
        with_kinds(KINDS, given(), "x")
    assert words in str(raised.value)
    assert str(raised.value).startswith("x: ")
