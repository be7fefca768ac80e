"""Rows, tables and who takes part."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from harness.servers.truth import TrueRequest, TruthConfig
from perf.fidelity.drive import nonces_of
from perf.fidelity.errors import Errors, Quantiles
from perf.fidelity.loads import STALLS, Load, load_of, start_up
from perf.fidelity.observed import Reported
from perf.fidelity.rounds import Bench, Cell, Contestant
from perf.fidelity.rows import Row, rows
from perf.fidelity.session import NAMES, Request, contestants, split_cpus
from perf.fidelity.table import markdown, terminal_table

LOAD = Load("2", streams=2, tokens=10, bursts=3, ttft_ms=20.0, gap_ms=10.0)


def found(ttft_p99_ms: float) -> Errors:
    """Errors of a cell with 2000 tokens."""
    one = Quantiles(0.1, 0.2)
    return Errors(200, 1, 2000, 0, Quantiles(0.5, ttft_p99_ms), 0.4, one, one, 0.01, 10.2, 10.0, 20.0, 21.0)


def cells(client: str, values: Sequence[float], reported: Reported | None = None) -> list[Cell]:
    """One cell a round."""
    return [
        Cell(client, "2", n, "1.0", "so", found(value), 3.0, 2000, 1.0 if reported else 0.0, 5, 0.7, reported)
        for n, value in enumerate(values)
    ]


def test_a_noisy_round_does_not_decide() -> None:
    """A row holds the medians of its rounds and the sums of its counts."""
    (row,) = rows(cells("ours", [1.0, 90.0, 2.0]))
    assert (row.ttft_p99_ms, row.rounds, row.requests, row.failed, row.tokens) == (2.0, 3, 600, 3, 6000)
    assert (row.cpu_s_per_1000, row.cpu_net_s_per_1000) == (1.5, 1.5)


def test_a_tools_start_up_is_told_apart() -> None:
    """The whole run's CPU, and the same less a run of one request; the summary's own ITL."""
    (row,) = rows(cells("guidellm", [1.0], Reported(21.0, 24.0, 10.4)))
    assert (row.cpu_s_per_1000, row.cpu_net_s_per_1000) == (1.5, 1.0)
    assert (row.summary_ttft_p50_ms, row.summary_ttft_p99_ms, row.itl_p99_ms) == (1.0, 3.0, 10.4)


def test_a_round_that_failed_is_said_and_not_averaged() -> None:
    """The other rounds' medians stand, with the reason beside them."""
    (row,) = rows([*cells("ours", [1.0, 3.0]), Cell("ours", "2", 2, failure="it hung")])
    assert (row.rounds, row.ttft_p99_ms, row.failure) == (2, 2.0, "it hung")


@pytest.fixture
def some_rows() -> list[Row]:
    """Two clients and a tool that failed throughout."""
    tool = Cell("aiperf", "2", 0, failure="exit status 1\nno tokenizer")
    return rows([*cells("ours", [1.0]), *cells("guidellm", [1.0], Reported(21.0, 24.0, 10.4)), tool])


def test_the_table_names_who_was_left_out_and_who_failed(some_rows: list[Row]) -> None:
    """Nobody disappears silently, in the terminal and in Markdown."""
    left_out = {"ollama-python": "not installed: ollama"}
    text = terminal_table(some_rows, [LOAD], 3, left_out)
    page = markdown(some_rows, [LOAD], 3, left_out, {"ours": "1.0; so"}, "a host")
    for document in (text, page):
        assert "LEFT OUT: ollama-python: not installed: ollama" in document
        assert "FAILED: aiperf, 2: exit status 1 / no tokenizer" in document
        assert "its summary's TTFT is off by +1.00 ms at p50 and +3.00 ms at p99" in document
    assert "2 streams, 10 tokens every 10 ms, 3 bursts, all start at one instant; 3 rounds" in text
    assert "| ours | 0.500 | 1.00 | +0.400 |" in page


def test_a_program_that_is_not_there_is_left_out() -> None:
    """Its name, and how to give it, are in the reason."""
    able, left_out = contestants(Request(loads=(LOAD,), clients=("guidellm",), programs={"guidellm": "/no/such"}))
    assert able == []
    assert left_out == {"guidellm": "not installed: /no/such (--guidellm PATH)"}


def test_names_are_unique() -> None:
    """A client is known by its name alone."""
    assert len(set(NAMES)) == len(NAMES)


def test_server_and_clients_do_not_share_a_cpu() -> None:
    """The server has the first CPU, the clients the others; there is no choice with one."""
    assert split_cpus(frozenset({0, 1, 2})) == ((0,), (1, 2))
    assert split_cpus(frozenset({5})) == ((5,), (5,))


@pytest.mark.parametrize("streams", [2, 16, 128, 1000])
def test_a_load_is_large_enough_for_its_p99(streams: int) -> None:
    """At least 200 requests and 2000 tokens in every round."""
    load = load_of(streams)
    assert load.requests >= 200
    assert load.requests * load.tokens >= 2000
    assert len(set(nonces_of(load))) == load.requests


def test_other_numbers_of_streams_have_a_load_too() -> None:
    """Between the known ones, the next smaller one's paces, for as many requests."""
    load = load_of(64)
    assert (load.streams, load.gap_ms, load.bursts) == (64, load_of(16).gap_ms, 3)
    assert load_of(1).streams == 1


def test_starts_can_be_spread() -> None:
    """Over half a stream's time, 1 s at most."""
    assert load_of(2).spread().spread_ms == pytest.approx(55)
    assert load_of(1000).spread().spread_ms == 1000


def test_the_server_is_told_the_loads_pace() -> None:
    """TTFT, gaps and stalls; a load travels to the client's process as JSON."""
    behaviour = STALLS.config().behaviour
    assert (behaviour.ttft.ms, behaviour.gaps.kind, behaviour.gaps.ms, behaviour.gaps.stall_ms) == (
        50,
        "stalls",
        10,
        40,
    )
    assert msgspec.json.decode(msgspec.json.encode(STALLS), type=Load) == STALLS
    assert start_up(STALLS).requests == 1


class FakeTruth:
    """A server that nobody talks to."""

    urls = ("http://127.0.0.1:9",)

    def configure(self, config: TruthConfig) -> None:
        """Nothing."""

    def log(self) -> tuple[TrueRequest, ...]:
        """Nothing."""
        return ()

    def clear(self) -> None:
        """Nothing."""


def test_a_client_process_that_breaks_is_a_failed_cell() -> None:
    """A client without a server does not end the run; the reason is kept."""
    said: list[str] = []
    load = Load("1", streams=1, tokens=1, bursts=1, ttft_ms=1.0, gap_ms=1.0)
    (cell,) = Bench(FakeTruth(), (0,), said.append).measure([Contestant("httpx-lines")], [load], rounds=1, seed=0)
    assert cell.errors is None
    assert "ConnectError" in cell.failure
    assert said[0] == "round 1/1, 1: httpx-lines"
