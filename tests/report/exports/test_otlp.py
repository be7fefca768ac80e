"""OpenTelemetry's metrics: parsed by OTLP's own definitions, with the conventions' names and the records' counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes, server_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

from harness.judge import metrics
from harness.report.exports.otlp import HISTOGRAMS, otlp_json
from harness.report.exports.seen import seen_requests
from tests.report.exports.sessions import GOOD, HOSTILE, SESSIONS

Message = Any
"""Of a wheel without type information."""
CONVENTIONS = (gen_ai_metrics, gen_ai_attributes, server_attributes, error_attributes)
KNOWN = {value for module in CONVENTIONS for value in vars(module).values() if isinstance(value, str)}


def parsed(name: str) -> Message:
    """The request as a receiver of OTLP reads it; unknown fields are errors."""
    return json_format.Parse(otlp_json(SESSIONS[name]), ExportMetricsServiceRequest())


def metrics_in(name: str) -> dict[str, Any]:
    """The metrics of a session by name."""
    (resource,) = parsed(name).resource_metrics
    (scope,) = resource.scope_metrics
    found = {metric.name: metric for metric in scope.metrics}
    assert len(found) == len(scope.metrics)
    return found


def attributes(point: Message) -> dict[str, Any]:
    """A point's attributes by name."""
    found = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in point.attributes}
    assert len(found) == len(point.attributes)
    return found


def points(name: str) -> Iterator[Any]:
    """All points of all metrics."""
    for metric in metrics_in(name).values():
        yield from (metric.histogram if metric.HasField("histogram") else metric.gauge).data_points


@pytest.mark.parametrize("name", SESSIONS)
def test_a_receiver_of_otlp_takes_it(name: str) -> None:
    """Bounds rise, buckets are one more than bounds and sum to the count, no point is there twice."""
    for metric in metrics_in(name).values():
        seen = []
        for point in metric.histogram.data_points:
            assert list(point.explicit_bounds) == sorted(set(point.explicit_bounds))
            assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
            assert sum(point.bucket_counts) == point.count > 0
            assert point.min <= point.sum / point.count <= point.max or point.min == pytest.approx(point.max)
        for point in (*metric.histogram.data_points, *metric.gauge.data_points):
            assert point.start_time_unix_nano <= point.time_unix_nano
            seen.append(sorted(attributes(point).items()))
        assert all(seen.count(each) == 1 for each in seen)
        assert not metric.HasField("histogram") or metric.histogram.aggregation_temporality == 2


@pytest.mark.parametrize("name", SESSIONS)
def test_every_name_is_the_conventions_or_ours(name: str) -> None:
    """A name that is not ``harness.*`` stands in the published conventions, and so does every attribute's."""
    used = {*metrics_in(name), *(key for point in points(name) for key in attributes(point))}
    assert {each for each in used if not each.startswith("harness.")} <= KNOWN
    assert {each for each in HISTOGRAMS if not each.startswith("harness.")} <= KNOWN


def test_histograms_count_every_request_and_sum_its_time() -> None:
    """As many as there were, in seconds; tokens by whether they were read or made."""
    found = metrics_in("good")
    requests = [seen.request for seen in seen_requests(GOOD.session)]
    for metric, total_ms in (
        ("gen_ai.client.operation.duration", sum(map(metrics.end_to_end_ms, requests))),
        ("gen_ai.client.operation.time_to_first_chunk", sum(map(metrics.ttft_ms, requests))),
    ):
        data = found[metric].histogram.data_points
        assert sum(point.count for point in data) == len(requests)
        assert sum(point.sum for point in data) == pytest.approx(total_ms / 1e3)
    usage = found["gen_ai.client.token.usage"].histogram.data_points
    by_type = {kind: [p for p in usage if attributes(p)["gen_ai.token.type"] == kind] for kind in ("input", "output")}
    assert sum(point.sum for point in by_type["output"]) == sum(map(metrics.output_tokens, requests))
    assert sum(point.sum for point in by_type["input"]) == 5 * len(requests)


def test_the_servers_own_times_are_told_apart_from_the_clients() -> None:
    """First token: load, queue and prefill; per token: decode over the tokens after the first."""
    found = metrics_in("good")
    servers = [seen.request.server for seen in seen_requests(GOOD.session) if seen.request.server]
    first = sum(point.sum for point in found["gen_ai.server.time_to_first_token"].histogram.data_points)
    assert first == pytest.approx(sum(each.total_ns - each.eval_ns for each in servers) / 1e9)
    token = sum(point.sum for point in found["gen_ai.server.time_per_output_token"].histogram.data_points)
    assert token == pytest.approx(sum(each.eval_ns / (each.eval_count - 1) for each in servers) / 1e9)


def test_a_value_on_a_bound_counts_below_it() -> None:
    """Bounds are the upper ends of their buckets: 0.1 s is in the one that ends there."""
    point = metrics_in("good")["gen_ai.server.time_to_first_token"].histogram.data_points[0]
    assert (point.min, point.max) == (0.1, 0.1)
    assert point.bucket_counts[list(point.explicit_bounds).index(0.1)] == point.count


def test_whole_numbers_of_64_bits_are_texts() -> None:
    """As the encoding has it: a reader of JSON that knows only doubles would lose their last digits."""
    text = otlp_json(GOOD).decode()
    for name in ("count", "intValue", "startTimeUnixNano", "timeUnixNano"):
        assert f'"{name}":"' in text
        assert not re.search(rf'"{name}":[^"]', text)
    assert not re.search(r'"bucketCounts":\[[^"]', text)


def test_a_point_says_whose_it_is() -> None:
    """Operation, provider, model, agent, server's address and port, and where in the session."""
    point = metrics_in("good")["gen_ai.client.operation.duration"].histogram.data_points[0]
    assert attributes(point) == {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.provider.name": "harness.embedded",
        "gen_ai.request.model": "embedded",
        "gen_ai.agent.name": "A",
        "server.address": "127.0.0.1",
        "server.port": 1,
        "harness.scenario": "pair",
        "harness.arm": "solo:A",
        "harness.side": "candidate",
        "harness.valid": True,
    }


def test_failed_requests_have_an_error_and_no_first_token() -> None:
    """They count as operations; what only an answer has is not made up."""
    found = metrics_in("odd")
    failed = [
        p for p in found["gen_ai.client.operation.duration"].histogram.data_points if "error.type" in attributes(p)
    ]
    assert [(point.count, attributes(point)["harness.valid"]) for point in failed] == [(1, False)]
    first = found["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points
    assert not any(attributes(p)["gen_ai.agent.name"] == "A" and not attributes(p)["harness.valid"] for p in first)


def test_figures_of_a_scenario_have_their_intervals_and_its_verdict() -> None:
    """The point and both ends of each, and 1 for the verdict."""
    (scenario,) = GOOD.scenarios
    found = metrics_in("good")
    gauge = found["harness.slowdown"].gauge.data_points
    estimate = scenario.estimates["slowdown"]
    values = {attributes(point)["harness.estimate"]: point.as_double for point in gauge}
    assert values == {"point": estimate.point, "low": estimate.low, "high": estimate.high}
    (verdict,) = found["harness.verdict"].gauge.data_points
    assert attributes(verdict)["harness.verdict"] == "PASS"


def test_warm_ups_and_agents_in_the_background_are_left_out() -> None:
    """Of the study's five blocks the four that count, and of its agents those that did the work."""
    data = metrics_in("study")["gen_ai.client.operation.duration"].histogram.data_points
    assert sum(point.count for point in data) == 4 * 4
    assert {attributes(point)["gen_ai.agent.name"] for point in data} == {"A", "B"}


def test_hostile_names_are_harmless_in_metrics() -> None:
    """Every attribute is printable; what is no URL has no address."""
    texts = [value for point in points("hostile") for value in attributes(point).values() if isinstance(value, str)]
    assert texts
    assert all(text.isprintable() and HOSTILE not in text for text in texts)
    assert not any("server.address" in attributes(point) for point in points("hostile"))
