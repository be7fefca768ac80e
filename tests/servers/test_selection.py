"""Which servers are measured: decided from the options, in a fixed order, with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.records.errors import ConfigurationError
from harness.servers.kinds import KINDS, Launch, ServerKind
from harness.servers.selection import DEFAULT_PORTS, Selection, checked_url, parse_pins, parse_ports, select

Which = Callable[[str], str | None]
URLS = ("http://one:1", "http://two:2")
NO_URLS = (None, None)


def _installed(name: str) -> str:
    return f"/bin/{name}"


def _missing(_name: str) -> None:
    return None


def _select(
    *,
    server: str | None = None,
    urls: tuple[str | None, ...] = NO_URLS,
    program: str | None = None,
    model: str | None = None,
    which: Which = _missing,
) -> Selection:
    return select(server=server, urls=urls, program=program, model=model, which=which)


@pytest.mark.parametrize(
    ("server", "urls", "which", "kind", "reason"),
    [
        (None, NO_URLS, _missing, "embedded", "no URLs given, no `ollama` on PATH"),
        (None, NO_URLS, _installed, "ollama", "`ollama` is on PATH"),
        (None, URLS, _installed, "connect", "URLs given"),
        (None, URLS, _missing, "connect", "URLs given"),
        ("embedded", NO_URLS, _installed, "embedded", "--server embedded"),
        ("ollama", NO_URLS, _installed, "ollama", "--server ollama"),
        ("connect", URLS, _missing, "connect", "URLs given"),
        ("connect", NO_URLS, _installed, "connect", "--server connect, Ollama's usual ports"),
    ],
)
def test_urls_come_before_a_program_and_that_before_the_embedded_engine(
    server: str | None, urls: tuple[str | None, ...], which: Which, kind: str, reason: str
) -> None:
    """The kind can be forced, and the reason is told in words."""
    found = _select(server=server, urls=urls, which=which)
    assert (found.kind, found.reason) == (kind, reason)


def test_connecting_needs_no_program_and_no_ports() -> None:
    """Foreign servers are only named."""
    found = _select(urls=URLS)
    assert (found.urls, found.program, found.ports, found.model) == (URLS, None, (), "gemma3:latest")
    assert _select(server="connect").urls == ("http://127.0.0.1:11434", "http://127.0.0.1:11435")


def test_a_program_is_started_on_the_usual_ports() -> None:
    """The one on PATH, or the one that was given."""
    assert _select(which=_installed).program == "/bin/ollama"
    given = _select(program="mine", which=_installed)
    assert (given.program, given.ports, given.reason) == ("/bin/mine", DEFAULT_PORTS, "--ollama-bin given")


@pytest.mark.parametrize(
    ("server", "urls", "which", "model", "chosen"),
    [
        (None, NO_URLS, _installed, None, "gemma3:latest"),
        (None, NO_URLS, _installed, "tiny", "tiny"),
        (None, NO_URLS, _installed, "embedded", "embedded"),
        (None, URLS, _missing, "tiny", "tiny"),
        (None, NO_URLS, _missing, None, "embedded"),
        (None, NO_URLS, _missing, "embedded:latest", "embedded"),
    ],
)
def test_the_model_is_the_one_asked_for_or_the_kinds_own(
    server: str | None, urls: tuple[str | None, ...], which: Which, model: str | None, chosen: str
) -> None:
    """The embedded engine has one model only."""
    assert _select(server=server, urls=urls, which=which, model=model).model == chosen


@pytest.mark.parametrize(
    ("server", "urls", "program", "model", "words"),
    [
        ("vllm", NO_URLS, None, None, "choose one of ollama, embedded, connect"),
        ("ollama", URLS, None, None, "leave the agents' URLs out"),
        ("embedded", URLS, None, None, "leave the agents' URLs out"),
        (None, ("http://one:1", None), None, None, "give both"),
        (None, NO_URLS, "/no/such", None, "is not a program"),
        ("ollama", NO_URLS, None, None, "or use --server embedded"),
        (None, NO_URLS, None, "gemma3", "only has the model `embedded`"),
    ],
)
def test_contradictions_are_refused_with_a_way_out(
    server: str | None, urls: tuple[str | None, ...], program: str | None, model: str | None, words: str
) -> None:
    """Nothing is started on a guess."""
    with pytest.raises(ConfigurationError, match=words):
        _select(server=server, urls=urls, program=program, model=model)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        (" http://host:1/ ", "http://host:1"),
        ("https://host", "https://host"),
        ("http://[::1]:11434/", "http://[::1]:11434"),
        ("http://proxy:80/ollama/", "http://proxy:80/ollama"),
    ],
)
def test_a_servers_url_is_taken_without_its_last_slash(text: str, url: str) -> None:
    """Host and port, https without a port, IPv6, and a path of a proxy."""
    assert checked_url(text, "--url") == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:11434",
        "127.0.0.1:11434",
        "ftp://host:1",
        "http://",
        "http://:11434",
        "http://host:0",
        "http://host:99999",
        "http://host:port",
        "http://[::1",
        "http://host:1/?a=b",
        "http://host:1/#a",
    ],
)
def test_what_is_no_servers_url_is_refused_with_an_example(text: str) -> None:
    """One line with the option, what was given and what to write."""
    with pytest.raises(ConfigurationError, match="is not a server's URL: write for example http://") as raised:
        checked_url(text, "--url")
    assert str(raised.value).startswith(f"--url {text!r}")


def test_a_url_without_a_port_is_taken_for_a_slip() -> None:
    """Plain http would mean port 80, where no Ollama is."""
    with pytest.raises(ConfigurationError, match=r"has no port .*write http://host:11434"):
        checked_url("http://host/", "--url")


@pytest.mark.parametrize(
    ("text", "ports"), [("7", (7,)), ("1,2", (1, 2)), ("11434, 65535", (11434, 65535)), ("1,2,3", (1, 2, 3))]
)
def test_ports_are_read(text: str, ports: tuple[int, ...]) -> None:
    """As many as there are servers."""
    assert parse_ports(text, len(ports)) == ports


@pytest.mark.parametrize("text", ["", "1", "1,1", "0,1", "1,65536", "-1,2", "a,b", "1,,2", "1;2"])
def test_bad_ports_are_refused_with_an_example(text: str) -> None:
    """Too few, twice the same, out of range, not numbers."""
    with pytest.raises(ConfigurationError, match="write two different port numbers, for example"):
        parse_ports(text, 2)


@pytest.mark.parametrize(
    ("text", "pins"),
    [
        ("0", ((0,),)),
        ("0,1,0", ((0,), (1,), (0,))),
        ("0,1", ((0,), (1,))),
        ("0,0", ((0,), (0,))),
        ("0-1,2-3", ((0, 1), (2, 3))),
        (" 0 , 1-3", ((0,), (1, 2, 3))),
    ],
)
def test_pins_are_cpus_or_ranges(text: str, pins: tuple[tuple[int, ...], ...]) -> None:
    """One for each server; both may share one."""
    assert parse_pins(text, frozenset(range(4)), len(pins)) == pins


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write a CPU or a range"),
        ("a,b", "write a CPU or a range"),
        ("0-", "write a CPU or a range"),
        ("-1,0", "write a CPU or a range"),
        ("3-1,0", "write a CPU or a range"),
        ("0,4", "may only use the CPUs 0,1,2,3"),
        ("0", "for each of the two servers"),
        ("0,1,2", "for each of the two servers"),
    ],
)
def test_bad_pins_are_refused_with_a_reason(text: str, words: str) -> None:
    """Not numbers, not ours, not one for each server."""
    with pytest.raises(ConfigurationError, match=words):
        parse_pins(text, frozenset(range(4)), 2)


@pytest.mark.parametrize(("kind", "ports"), [("ollama", (11434, 11435, 11436)), ("embedded", ())])
def test_more_servers_have_the_ports_after_ollamas(kind: str, ports: tuple[int, ...]) -> None:
    """Those of the embedded engine are free ones."""
    found = select(server=kind, urls=(None, None), program=None, model=None, count=3, which=lambda name: f"/bin/{name}")
    assert (found.count, found.ports) == (3, ports)


def test_as_many_servers_are_connected_to_as_urls_are_given() -> None:
    """Whatever number would be started."""
    urls = tuple(f"http://host:{port}" for port in (1, 2, 3))
    found = select(server=None, urls=urls, program=None, model=None, count=2)
    assert (found.kind, found.count, found.urls) == ("connect", 3, urls)


def _own(**fields: object) -> ServerKind:
    return replace(ServerKind("own", lambda launch: [launch.program or "own"]), **fields)  # type: ignore[arg-type]


def _select_own(kind: ServerKind, *, which: Which = _missing, **given: object) -> Selection:
    asked = {"server": "own", "urls": NO_URLS, "program": None, "model": None} | given
    return select(which=which, kinds={**KINDS, "own": kind}, **asked)  # type: ignore[arg-type]


def test_a_kind_of_ones_own_is_chosen_by_its_name_and_never_else() -> None:
    """It has its own model and ports; the order in which the others are chosen stays."""
    found = _select_own(_own(model="mine", port=9000), count=3)
    assert (found.kind, found.reason, found.model, found.ports) == ("own", "--server own", "mine", (9000, 9001, 9002))
    assert found.starter.command(Launch(9000, 1, "mine")) == ["own"]
    assert _select_own(_own(), server=None).kind == "embedded"
    assert _select_own(_own(), model="other").model == "other"
    assert _select_own(_own()).ports == ()


def test_a_kinds_program_is_looked_for_on_path() -> None:
    """Where it is not, the kind's own advice is given."""
    kind = _own(program="ownd", advice="run `apt-get install ownd`")
    assert _select_own(kind, which=_installed).program == "/bin/ownd"
    with pytest.raises(ConfigurationError, match="--server own: no `ownd` on PATH; run `apt-get install ownd`"):
        _select_own(kind)


def test_a_kind_with_one_model_has_no_other_and_ollamas_program_is_ollamas() -> None:
    """Each is said in one line."""
    with pytest.raises(ConfigurationError, match=r"--model other: own \(--server own\) only has the model `mine`"):
        _select_own(_own(model="mine", only_model=True), model="other")
    with pytest.raises(ConfigurationError, match="--ollama-bin is for --server ollama: --server own starts a program"):
        _select_own(_own(), program="/bin/sh", which=_installed)
    with pytest.raises(ConfigurationError, match="choose one of ollama, embedded, own, connect"):
        _select_own(_own(), server="owm")


def test_the_facts_of_started_servers_are_known_and_of_others_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Ollama what the environment tells it, but for places; a kind that cannot tell is named."""
    monkeypatch.setenv("OLLAMA_FLASH_ATTENTION", "1")
    monkeypatch.setenv("OLLAMA_HOST", "here")
    assert _select(which=_installed).facts["OLLAMA_FLASH_ATTENTION"] == "1"
    assert "OLLAMA_HOST" not in _select(which=_installed).facts
    assert _select().facts == _select(urls=URLS).facts == {}
    assert _select_own(_own(facts=lambda: {"build": 7})).facts == {"build": "7"}

    def broken() -> dict[str, str]:
        raise OSError("no such file")

    with pytest.raises(ConfigurationError, match="--server own: its facts could not be had: OSError: no such file"):
        _ = _select_own(_own(facts=broken)).facts


@pytest.mark.parametrize(("kind", "real"), [("ollama", True), ("embedded", False), ("connect", True)])
def test_the_embedded_engine_stands_in_for_no_ollama(kind: str, real: bool) -> None:
    """A kind of one's own does, unless it says otherwise."""
    assert _select(server=kind, which=_installed).real == real
    assert _select_own(_own()).real
    assert not _select_own(_own(real=False)).real
