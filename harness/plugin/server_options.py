"""The options that choose the servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.records.errors import ConfigurationError
from harness.scenarios.options import Reader
from harness.servers.host import usable_cpus
from harness.servers.kinds import ServerKind
from harness.servers.selection import (
    CONNECT,
    DEFAULT_PORTS,
    Selection,
    checked_url,
    parse_pins,
    parse_ports,
    select,
)


def _urls(read: Reader) -> tuple[str | None, ...]:
    """The agents' servers as given; None where one of a pair is missing."""
    flags = ("--collector-ollama-url", "--insight-ollama-url")
    given = tuple((flag, read.text(flag)) for flag in flags)
    several = read.texts("--url")
    if several and any(text for _, text in given):
        raise ConfigurationError("--url names all servers: leave --collector-ollama-url and --insight-ollama-url out")
    found = tuple(checked_url(text, "--url") for text in several)
    if len(set(found)) < len(found):
        raise ConfigurationError("--url names a server twice: agents are dealt out to servers in turn, name each once")
    return found or tuple(checked_url(text, flag) if text else None for flag, text in given)


def read_selection(read: Reader, kinds: Mapping[str, ServerKind], agents: int, *, parallel: bool) -> Selection:
    """The servers of so many agents; ``parallel``: one more that works on a request of each at once.

    Raises:
        ConfigurationError: If the options contradict each other, or the servers cannot be had.
    """
    urls = _urls(read)
    count = read.integer("--servers", 1)
    if count is not None and any(urls):
        raise ConfigurationError("--servers is a number of servers to start; these are only connected to")
    selection = select(
        server=read.text("--server"),
        urls=urls,
        program=read.text("--ollama-bin"),
        model=read.text("--model"),
        count=count or len(DEFAULT_PORTS),
        kinds=kinds,
    )
    if selection.count > agents:
        raise ConfigurationError(
            f"{'--url' if any(urls) else '--servers'}: {selection.count} servers for {agents} agents would leave some "
            f"idle: name at most {agents}, or give --agents {selection.count}"
        )
    ports, pins, one_more = read.text("--ports"), read.text("--pin"), read.text("--parallel-url")
    if selection.kind == CONNECT and (ports or pins):
        raise ConfigurationError("--ports and --pin are for servers that we start; these are only connected to")
    if one_more and selection.kind != CONNECT:
        raise ConfigurationError("--parallel-url is a server to connect to: these are started, and that one too")
    more = checked_url(one_more, "--parallel-url") if one_more else None
    if more in selection.urls:
        raise ConfigurationError("--parallel-url names a server of the agents: it has to be one more")
    parallel = parallel and (selection.kind != CONNECT or more is not None)
    return replace(
        selection,
        ports=parse_ports(ports, selection.count) if ports else selection.ports,
        free_ports=read.switch("--free-ports"),
        pull=read.switch("--pull"),
        pins=parse_pins(pins, usable_cpus(), selection.count) if pins else (),
        parallel=agents if parallel else None,
        parallel_url=more if parallel else None,
    )
