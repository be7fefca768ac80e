"""The agents' workflows: their calls, and that they ask the same in every arm."""

from __future__ import annotations

import asyncio

import pytest

from harness.records import RequestRecord
from harness.scenarios import ENDLESS_WORKFLOWS, WORKFLOWS
from harness.scenarios.workflows import Aggregate, BenchmarkRecord, aggregate, ingest
from harness.testing import build_request


def _asked(workflow: str, answer: str = "") -> list[tuple[str, str]]:
    asked: list[tuple[str, str]] = []

    async def ask(name: str, prompt: str) -> RequestRecord:
        asked.append((name, prompt))
        return build_request(name=name, tokens=len(answer))

    asyncio.run(_run(workflow, ask))
    return asked


async def _run(workflow: str, ask: object) -> None:
    await WORKFLOWS[workflow](ask)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("workflow", "names"), [("data_collector", ["ingest", "aggregate"]), ("insight", ["analyse", "recommend"])]
)
def test_each_workflow_makes_its_two_calls(workflow: str, names: list[str]) -> None:
    """The calls come in the order of the guide."""
    assert [name for name, _ in _asked(workflow)] == names


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_the_prompts_do_not_depend_on_the_answers(workflow: str) -> None:
    """Whatever a model says, the next arm is asked the same: otherwise the arms would do different work."""
    assert _asked(workflow, "short") == _asked(workflow, "a very long answer")


def test_the_collector_hands_over_what_it_computed() -> None:
    """The aggregate really is computed from the ingested records, and stands in the prompts."""
    (_, listed), (_, handed) = _asked("data_collector")
    assert "server one: 96 tokens in 2 seconds" in listed
    assert "server one: 46 tokens a second, first 0.40" in handed
    assert "server one: 46 tokens a second" in _asked("insight")[0][1]


def test_ingest_reads_rows_by_their_header() -> None:
    """Columns are found by name, not by position."""
    assert ingest("first,server,seconds,tokens\n0.5,x,2,10\n") == (BenchmarkRecord("x", 10, 2.0, 0.5),)


def test_aggregate_averages_by_server_in_order_of_appearance() -> None:
    """Throughput is the mean of the rows' rates."""
    rows = (
        BenchmarkRecord("b", 10, 1.0, 0.25),
        BenchmarkRecord("a", 8, 2.0, 1.0),
        BenchmarkRecord("b", 40, 2.0, 0.75),
    )
    assert aggregate(rows) == (Aggregate("b", 15.0, 0.5), Aggregate("a", 4.0, 1.0))


class EnoughError(Exception):
    """Ends what does not end by itself."""


@pytest.mark.parametrize("name", ENDLESS_WORKFLOWS)
@pytest.mark.asyncio
async def test_an_agent_in_the_background_asks_until_it_is_cut_off(name: str) -> None:
    """The same call again and again."""
    asked: list[str] = []

    async def ask(call: str, _prompt: str) -> RequestRecord:
        asked.append(call)
        if len(asked) == 5:
            raise EnoughError
        return build_request()

    with pytest.raises(EnoughError):
        await ENDLESS_WORKFLOWS[name](ask)
    assert len(set(asked)) == 1
