"""The public repository's own ``metrics.json`` files, of three kinds, as rows: Python pairs, Rust pairs, Python solos.

Only what was measured is read; prompts, answers and the programs' analyses of them are passed over.

Source: the files themselves, at the commits that the tidied rows name.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from harness.store.published.places import Place
from harness.store.published.rows import OPTIONS, AgentRow, Count, NotNegative, PairRow, Positive, Row, SoloRow


@dataclass(frozen=True, slots=True)
class _PythonTotals:
    total_requests: Count
    total_duration_ms: Positive
    total_tokens_generated: Count
    average_ttft_ms: NotNegative
    average_tokens_per_second: Positive


@dataclass(frozen=True, slots=True)
class _PythonAgent:
    agent_type: str
    model: str
    configuration: dict[str, float | None]
    aggregate_metrics: _PythonTotals

    def row(self, url: str, total_s: float) -> AgentRow:
        found = self.aggregate_metrics
        return AgentRow(
            role=self.agent_type,
            url=url,
            llm_calls=found.total_requests,
            total_s=total_s,
            llm_total_s=found.total_duration_ms / 1e3,
            tokens=found.total_tokens_generated,
            ttft_ms=found.average_ttft_ms,
            tok_s=found.average_tokens_per_second,
            load_s=None,
            prompt_eval_s=None,
            eval_s=None,
            **{name: self.configuration.get(name) for name in OPTIONS},
        )


@dataclass(frozen=True, slots=True)
class _PythonSummary:
    run_number: Count
    collector_ollama_url: str
    insight_ollama_url: str
    concurrent_wall_time: Positive
    concurrency_speedup: Positive
    resource_contention_detected: bool
    throughput_delta: float
    ttft_delta_ms: float


@dataclass(frozen=True, slots=True)
class _PythonPair:
    collector: _PythonAgent
    insight: _PythonAgent
    summary: _PythonSummary
    collector_execution_time: Positive
    insight_execution_time: Positive

    def row(self, place: Place, source: str) -> PairRow:
        found = self.summary
        return PairRow(
            dataset=place.dataset,
            phase=place.phase,
            config_id=place.configuration,
            scenario=self._scenario(),
            run=place.index or found.run_number,
            runtime=place.runtime,
            model=self.collector.model,
            agent1=self.collector.row(found.collector_ollama_url, self.collector_execution_time),
            agent2=self.insight.row(found.insight_ollama_url, self.insight_execution_time),
            concurrent_wall_s=found.concurrent_wall_time,
            speedup=found.concurrency_speedup,
            efficiency_pct=None,
            contention=found.resource_contention_detected,
            throughput_delta=found.throughput_delta,
            ttft_delta_ms=found.ttft_delta_ms,
            source_path=source,
            source_commit="",
        )

    def _scenario(self) -> str:
        """The file does not name it; it follows from what the agents were sent."""
        if not self.collector.configuration:
            return "baseline_vs_chimera"
        same = self.collector.configuration == self.insight.configuration
        return "chimera_homo" if same else "chimera_hetero"


@dataclass(frozen=True, slots=True)
class _RustTotals:
    average_tokens_per_second: Positive
    average_ttft_ms: NotNegative
    eval_duration_ms: NotNegative
    load_duration_ms: NotNegative
    prompt_eval_duration_ms: NotNegative
    total_duration_ms: Positive
    total_tokens_generated: Count


@dataclass(frozen=True, slots=True)
class _RustConfig:
    base_url: str
    label: str
    model: str
    options: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class _RustResult:
    aggregate_metrics: _RustTotals
    runs: Count


@dataclass(frozen=True, slots=True)
class _RustAgent:
    config: _RustConfig
    execution_time_s: Positive
    result: _RustResult

    def row(self) -> AgentRow:
        found = self.result.aggregate_metrics
        return AgentRow(
            role=self.config.label,
            url=self.config.base_url,
            llm_calls=self.result.runs,
            total_s=self.execution_time_s,
            llm_total_s=found.total_duration_ms / 1e3,
            tokens=found.total_tokens_generated,
            ttft_ms=found.average_ttft_ms,
            tok_s=found.average_tokens_per_second,
            load_s=found.load_duration_ms / 1e3,
            prompt_eval_s=found.prompt_eval_duration_ms / 1e3,
            eval_s=found.eval_duration_ms / 1e3,
            **{name: self.config.options.get(name) for name in OPTIONS},
        )


@dataclass(frozen=True, slots=True)
class _RustSummary:
    concurrency_speedup: Positive
    concurrent_wall_time_s: Positive
    efficiency_percent: Positive
    resource_contention_detected: bool
    throughput_delta: float
    ttft_delta_ms: float


@dataclass(frozen=True, slots=True)
class _RustPair:
    collector: _RustAgent
    insight: _RustAgent
    run_number: Count
    scenario: str
    summary: _RustSummary

    def row(self, place: Place, source: str) -> PairRow:
        found = self.summary
        return PairRow(
            dataset=place.dataset,
            phase=place.phase,
            config_id=place.configuration,
            scenario=self.scenario,
            run=place.index or self.run_number,
            runtime=place.runtime,
            model=self.collector.config.model,
            agent1=self.collector.row(),
            agent2=self.insight.row(),
            concurrent_wall_s=found.concurrent_wall_time_s,
            speedup=found.concurrency_speedup,
            efficiency_pct=found.efficiency_percent,
            contention=found.resource_contention_detected,
            throughput_delta=found.throughput_delta,
            ttft_delta_ms=found.ttft_delta_ms,
            source_path=source,
            source_commit="",
        )


@dataclass(frozen=True, slots=True)
class _SoloResults:
    metrics: _PythonAgent
    execution_time: Positive


@dataclass(frozen=True, slots=True)
class _SoloItem:
    run_number: Count
    baseline_results: _SoloResults
    chimera_results: _SoloResults
    baseline_duration: Positive
    chimera_duration: Positive

    def rows(self, place: Place, source: str) -> list[SoloRow]:
        arms = (
            ("baseline", self.baseline_results, self.baseline_duration),
            ("chimera", self.chimera_results, self.chimera_duration),
        )
        return [
            SoloRow(
                dataset=place.dataset,
                config_id=place.configuration,
                run=self.run_number,
                model=results.metrics.model,
                agent=replace(results.metrics.row("", results.execution_time), role=name),
                duration_s=duration_s,
                source_path=source,
                source_commit="",
            )
            for name, results, duration_s in arms
        ]


def rows_of_metrics(document: object, place: Place, source: str) -> list[Row]:
    """The rows of a decoded ``metrics.json``; none if it is of no kind that is known.

    Args:
        document: What the file holds.
        place: Where it lies.
        source: Its path as it is to be named.

    Raises:
        msgspec.ValidationError: If it is of a known kind, but a field is missing, null or of another type.
    """
    if isinstance(document, list) and document and all(_has(item, "baseline_results") for item in document):
        return [row for item in msgspec.convert(document, list[_SoloItem]) for row in item.rows(place, source)]
    if _has(document, "collector_execution_time"):
        return [msgspec.convert(document, _PythonPair).row(place, source)]
    if _has(document, "collector") and _has(document, "scenario"):
        return [msgspec.convert(document, _RustPair).row(place, source)]
    return []


def _has(item: object, name: str) -> bool:
    return isinstance(item, dict) and name in item
