"""Questions that need all servers at once: are they different ones, and are they alike."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from harness.servers.findings import Asked, Finding
from harness.servers.occupancy import is_here
from harness.servers.survey import SeenServer

_DEFAULT_PORTS = {"http": 80, "https": 443}
_DIGEST_SHOWN = 12


def ports(seen: Sequence[SeenServer], asked: Asked) -> list[Finding]:
    """Each server is another one, and on the port that was asked for."""
    found = []
    for position, each in enumerate(seen):
        port = asked.ports[position] if position < len(asked.ports) else 0
        twins = [other.url for other in seen[:position] if _same(each, other)]
        now = _port(each.url)
        if twins:
            advice = "its agents share one server: give each agent's server a URL of its own"
            found.append(Finding(each.url, "failed", f"is the same server as {twins[0]}", advice))
        elif port and now != port:
            advice = "end what listens there, or ask for another port (--ports, --url)"
            found.append(Finding(each.url, "failed", f"port {now}, asked {port}", advice))
        else:
            found.append(Finding(each.url, "ok", f"port {now}" + (", as asked" if port else "")))
    return found


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def _same(one: SeenServer, other: SeenServer) -> bool:
    """Whether two URLs lead to one server: the same address, or two names of this host and one process on the port."""
    if one.url == other.url:
        return True
    if _port(one.url) != _port(other.url):
        return False
    if urlsplit(one.url).hostname == urlsplit(other.url).hostname:
        return True
    pids = {seen.local.pid for seen in (one, other) if seen.local is not None}
    return is_here(one.url) and is_here(other.url) and len(pids) == 1


def versions(seen: Sequence[SeenServer], asked: Asked) -> list[Finding]:
    """All servers are of one version."""
    alike = len({each.version for each in seen}) == 1
    advice = "" if alike else "two versions are two programs: upgrade the older one"
    return [Finding(each.url, "ok" if alike else "warning", each.version, advice) for each in seen]


def digests(seen: Sequence[SeenServer], asked: Asked) -> list[Finding]:
    """All servers have the same model, weight by weight."""
    there = {each.listed.digest for each in seen if each.listed is not None}
    return [_digest(each, asked.model, alike=len(there) == 1) for each in seen]


def _digest(seen: SeenServer, model: str, *, alike: bool) -> Finding:
    pull = f"`OLLAMA_HOST={httpx.URL(seen.url).netloc.decode()} ollama pull {model}`"
    if seen.listed is None:
        return Finding(seen.url, "failed", f"has no model {model}", f"run {pull}, or name another model")
    shown = seen.listed.digest.removeprefix("sha256:")[:_DIGEST_SHOWN]
    if not shown:
        return Finding(seen.url, "unchecked", "tells no digest")
    if not alike:
        return Finding(seen.url, "failed", shown, f"{model} is not the same everywhere: run {pull}")
    return Finding(seen.url, "ok", shown)
