"""Runs that somebody else measured and published: two agents together, and single agents; no solo baselines.

Of each agent only totals over its requests were recorded, so an agent's run here has no request records.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.records.session import Run


@dataclass(frozen=True, slots=True)
class AgentTotals:
    """What was recorded of one agent's requests taken together.

    Attributes:
        kind: The agent's recorded name; two agents of a run may share it.
        options: The Ollama options that were sent; empty for the server's defaults.
        calls: Requests.
        tokens: Generated tokens of all requests.
        ttft_ms: Time to first token, mean over the requests, ms.
        tok_s: The server's decode rate, mean over the requests, tok/s.
        requests_ns: Time in requests, ns.
        load_ns: The server's load durations added up, ns; None if it was not recorded.
        prompt_eval_ns: Its prompt evaluations, likewise.
        eval_ns: Its decode times, likewise.
    """

    kind: str
    options: dict[str, float]
    calls: int
    tokens: int
    ttft_ms: float
    tok_s: float
    requests_ns: int
    load_ns: int | None
    prompt_eval_ns: int | None
    eval_ns: int | None


@dataclass(frozen=True, slots=True)
class RecordedFigures:
    """What the publisher's own program computed of a run; None where it did not.

    Attributes:
        speedup: Sum of the agents' durations over the wall time.
        efficiency_pct: The speedup over the number of agents, %.
        contention: The program's flag.
        throughput_delta_tok_s: Second agent's rate less the first one's, tok/s.
        ttft_delta_ms: First agent's TTFT less the second one's, ms.
    """

    speedup: float
    efficiency_pct: float | None
    contention: bool
    throughput_delta_tok_s: float
    ttft_delta_ms: float


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """One run of all agents together.

    Attributes:
        phase: Part of the study it belongs to; may be empty.
        configuration: Name of its configuration; only with its phase and runtime is it unique in the study.
        scenario: ``baseline_vs_chimera``, ``chimera_hetero`` or ``chimera_homo``.
        runtime: What drove the agents, such as ``tokio-default``.
        index: Number of the repetition, from 1.
        model: The model.
        run: The concurrent arm. Only durations were recorded: each agent's is put at the start of the run,
            whether it began there or not.
        totals: What was recorded of each agent's requests, in the order of ``run.agents``.
        recorded: The publisher's own figures.
        source: The published file that it comes from, with its commit where that is known.
    """

    phase: str
    configuration: str
    scenario: str
    runtime: str
    index: int
    model: str
    run: Run
    totals: tuple[AgentTotals, ...]
    recorded: RecordedFigures
    source: str


@dataclass(frozen=True, slots=True)
class SoloRun:
    """One run of one agent alone.

    Attributes:
        configuration: Name of its configuration.
        index: Number of the repetition, from 1.
        model: The model.
        run: The solo arm.
        totals: What was recorded of the agent's requests.
        source: The published file that it comes from, with its commit where that is known.
    """

    configuration: str
    index: int
    model: str
    run: Run
    totals: AgentTotals
    source: str


@dataclass(frozen=True, slots=True)
class PublishedSession:
    """A published data set: a session without solo baselines of its own.

    Attributes:
        dataset: Its name; the report's number comes first, such as ``TR110-python-dual``.
        runs: Runs of the agents together.
        solos: Runs of an agent alone. They were other sessions: no run above is paired with them.
    """

    dataset: str
    runs: tuple[PublishedRun, ...]
    solos: tuple[SoloRun, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectedCell:
    """A cell of a published table, as it was printed.

    Attributes:
        report: The report's number, such as ``TR110``.
        table: Its table.
        row: Label of the row.
        column: Label of the column.
        printed: The cell's text: its digits, sign and unit are the form in which it is to be given again.
    """

    report: str
    table: str
    row: str
    column: str
    printed: str
