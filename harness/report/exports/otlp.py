"""A session's metrics for OpenTelemetry: one ExportMetricsServiceRequest in OTLP's JSON encoding.

Names, units, attributes and bounds of buckets are those of the semantic conventions for generative AI (status
"development", which a file from a later version of this module may follow). ``harness.*`` is used only where they have
none. What the conventions call a chunk is a read here; the server's metrics are made from its own durations.

Each histogram covers the whole session. Requests of warm-up blocks, and of agents that only kept a server busy, are
left out; those of blocks that could not be judged have ``harness.valid`` false.

Source: https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-metrics.md;
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from harness.judge import metrics
from harness.records import Session
from harness.report.exports.figures import main_figures
from harness.report.exports.seen import SeenAgent, SeenRequest, Validity, model_of, seen_agents, unix_ns
from harness.report.judged import JudgedSession
from harness.report.text import printable

_S, _MS = 1e9, 1e3
_CUMULATIVE = 2
_MOST_NS = 2**64 - 1
_PORTS = {"http": 80, "https": 443}
Attributes = tuple[tuple[str, str | int | bool], ...]

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PER_TOKEN = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)


class Instrument(NamedTuple):
    """A histogram's unit, description and bounds."""

    unit: str
    description: str
    bounds: Sequence[float]


HISTOGRAMS: Mapping[str, Instrument] = {
    "gen_ai.client.operation.duration": Instrument("s", "End-to-end latency of a request.", _SECONDS),
    "gen_ai.client.operation.time_to_first_chunk": Instrument(
        "s", "From the sent request to its first token.", _SECONDS
    ),
    "gen_ai.client.operation.time_per_output_chunk": Instrument("s", "Gaps between reads with tokens.", _SECONDS),
    "gen_ai.client.token.usage": Instrument("{token}", "Tokens of a request, of its prompt or generated.", _TOKENS),
    "gen_ai.server.request.duration": Instrument("s", "The server's own duration of a request.", _SECONDS),
    "gen_ai.server.time_to_first_token": Instrument("s", "The server's own load, queue and prefill.", _FIRST_TOKEN),
    "gen_ai.server.time_per_output_token": Instrument("s", "The server's own decode of a token.", _PER_TOKEN),
    "harness.coordinator.wait": Instrument("s", "An agent's wait for the coordinator's semaphore.", _SECONDS),
}


@dataclass
class _Histogram:
    """Values by attributes; those of damaged records (below 0, not finite) are left out."""

    values: dict[Attributes, list[float]] = field(default_factory=dict)

    def add(self, attributes: Attributes, values: Iterable[float | None]) -> None:
        told = [value for value in values if value is not None and isfinite(value) and value >= 0]
        if told:
            self.values.setdefault(attributes, []).extend(told)


def otlp_json(judged: JudgedSession) -> bytes:
    """The metrics of a session, one line of JSON; without any request it has only the figures of its scenarios."""
    histograms = {name: _Histogram() for name in HISTOGRAMS}
    validity = Validity(judged)
    for at in seen_agents(judged.session):
        if at.block.warmup or at.background:
            continue
        place = _attributes(judged.session, at, validity)
        histograms["harness.coordinator.wait"].add(place, [at.agent.wait_ns / _S])
        for position, request in enumerate(at.agent.requests):
            for name, more, values in _observed(SeenRequest(at, position, request)):
                histograms[name].add((*place, *more), values)
    times = _times(judged.session)
    told = [_histogram(name, each, times) for name, each in histograms.items() if each.values]
    told += _gauges(judged, times)
    version = judged.session.environment.versions.get("ollama-concurrency-harness", "")
    scope = {"name": "harness", "version": version} if version else {"name": "harness"}
    resource = {"attributes": _encoded(_resource(judged))}
    metrics_of = {"resource": resource, "scopeMetrics": [{"scope": scope, "metrics": told}]}
    return msgspec.json.encode({"resourceMetrics": [metrics_of]}) + b"\n"


def _observed(seen: SeenRequest) -> Iterator[tuple[str, Attributes, list[float | None]]]:
    """What a request gives: name of the metric, attributes beside its place, values."""
    request, server = seen.request, seen.request.server
    failed: Attributes = (("error.type", "_OTHER"),) if request.error else ()
    yield "gen_ai.client.operation.duration", failed, [metrics.end_to_end_ms(request) / _MS]
    if request.token_ns:
        gaps: list[float | None] = [gap / _MS for gap in metrics.inter_token_latencies_ms(request)]
        yield "gen_ai.client.operation.time_to_first_chunk", (), [metrics.ttft_ms(request) / _MS]
        yield "gen_ai.client.operation.time_per_output_chunk", (), gaps
        output: list[float | None] = [metrics.output_tokens(request)]
        yield "gen_ai.client.token.usage", (("gen_ai.token.type", "output"),), output
    if server is None:
        return
    if server.prompt_eval_count:
        yield "gen_ai.client.token.usage", (("gen_ai.token.type", "input"),), [server.prompt_eval_count]
    if server.total_ns:
        yield "gen_ai.server.request.duration", failed, [server.total_ns / _S]
        if server.eval_ns and not failed:
            yield "gen_ai.server.time_to_first_token", (), [(server.total_ns - server.eval_ns) / _S]
    rate = metrics.decode_rate(request)
    if rate and not failed:
        yield "gen_ai.server.time_per_output_token", (), [1 / rate]


def _attributes(session: Session, at: SeenAgent, validity: Validity) -> Attributes:
    reasons = validity.reasons(at.block)
    kinds = {info.url: info.kind for info in (*(session.base.servers if session.base else ()), *session.servers)}
    found: dict[str, str | int | bool | None] = {
        "gen_ai.operation.name": "text_completion",  # /api/generate
        "gen_ai.provider.name": "harness.embedded" if kinds.get(at.agent.url) == "embedded" else "ollama",
        "gen_ai.request.model": model_of(session, at.block),
        "gen_ai.agent.name": at.agent.role,
        **_address(at.agent.url),
        "harness.scenario": at.block.scenario,
        "harness.arm": at.run.arm,
        "harness.side": at.block.side,
        "harness.valid": None if reasons is None else not reasons,
    }
    return tuple((name, value) for name, value in found.items() if value is not None)


def _address(url: str) -> dict[str, str | int | bool | None]:
    """Host and port of a server; nothing of what is no URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return {}
    return {"server.address": host, "server.port": port} if host and port else {}


def _resource(judged: JudgedSession) -> Attributes:
    session = judged.session
    kinds = ", ".join(dict.fromkeys(f"{info.kind} {info.version}" for info in session.servers))
    return (
        ("service.name", "ollama-concurrency-harness"),
        ("host.name", session.environment.host),
        ("harness.journal", judged.journal),
        ("harness.profile", session.profile),
        ("harness.seed", session.seed),
        ("harness.servers", kinds),
    )


def _encoded(attributes: Attributes) -> list[dict[str, object]]:
    def value(each: str | int | bool) -> dict[str, object]:
        if isinstance(each, bool):
            return {"boolValue": each}
        return {"intValue": str(each)} if isinstance(each, int) else {"stringValue": printable(each)}

    return [{"key": name, "value": value(each)} for name, each in attributes]


def _times(session: Session) -> dict[str, str]:
    """First and last instant of the session, as OTLP writes them."""
    runs = [run for block in session.blocks for run in block.runs]
    anchor = session.environment.anchor.monotonic_ns
    first = min((run.started_ns for run in runs), default=anchor)
    last = max((run.finished_ns for run in runs), default=anchor)
    ends = (("startTimeUnixNano", first), ("timeUnixNano", max(first, last)))
    return {name: str(min(max(0, unix_ns(session, instant)), _MOST_NS)) for name, instant in ends}


def _histogram(name: str, found: _Histogram, times: Mapping[str, str]) -> dict[str, object]:
    unit, description, bounds = HISTOGRAMS[name]
    points = []
    for attributes, values in found.values.items():
        counts = [0] * (len(bounds) + 1)
        for value in values:
            counts[bisect_left(bounds, value)] += 1  # a bound belongs to the bucket below it
        points.append(
            {
                "attributes": _encoded(attributes),
                **times,
                "count": str(len(values)),
                "sum": sum(values),
                "min": min(values),
                "max": max(values),
                "bucketCounts": [str(count) for count in counts],
                "explicitBounds": list(bounds),
            }
        )
    data = {"aggregationTemporality": _CUMULATIVE, "dataPoints": points}
    return {"name": name, "unit": unit, "description": description, "histogram": data}


_GAUGE_UNITS = {"%": "%", "s": "s", "tok/s": "{token}/s", "x": "1", "index": "1", "share": "1"}


def _gauges(judged: JudgedSession, times: Mapping[str, str]) -> list[dict[str, object]]:
    """The main figures of each scenario, with the ends of their intervals; and 1 for its verdict."""
    points: dict[tuple[str, str], list[dict[str, object]]] = {}

    def add(name: str, unit: str, value: float, attributes: Attributes) -> None:
        point = {"attributes": _encoded(attributes), **times, "asDouble": value}
        points.setdefault((name, unit), []).append(point)

    for scenario in judged.scenarios:
        place: Attributes = (("harness.scenario", scenario.name),)
        add("harness.verdict", "1", 1.0, (*place, ("harness.verdict", scenario.verdict.value)))
        for figure in main_figures(scenario):
            ends = (("point", figure.value), ("low", figure.low), ("high", figure.high))
            for end, value in ends if figure.role is None else ():
                if value is not None:
                    unit = _GAUGE_UNITS[figure.unit]
                    add(f"harness.{figure.metric}", unit, value, (*place, ("harness.estimate", end)))
    return [{"name": name, "unit": unit, "gauge": {"dataPoints": each}} for (name, unit), each in points.items()]
