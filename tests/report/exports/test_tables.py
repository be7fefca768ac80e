"""The table of requests: read back from CSV and Parquet, the same in both, and with the records' own times."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.judge import metrics
from harness.report import JudgedSession
from harness.report.exports.rows import COLUMNS, Kind
from harness.report.exports.seen import seen_requests
from harness.report.exports.tables import blocks_csv, blocks_parquet
from harness.testing import build_block, build_request, build_session
from tests.report.exports.sessions import EMPTY, GOOD, HOSTILE, SESSIONS, moved

Row = dict[str, Any]


def read_csv(judged: JudgedSession) -> list[dict[str, str]]:
    """The rows as a reader of CSV sees them."""
    return list(csv.DictReader(io.StringIO(blocks_csv(judged), newline="")))


def read_parquet(judged: JudgedSession) -> pa.Table:
    """The table as pyarrow reads it."""
    return pq.read_table(io.BytesIO(blocks_parquet(judged)))


def _typed(text: str, kind: Kind) -> object:
    if kind == "text":
        return text.removeprefix("'")
    if not text:
        return None
    if kind == "truth":
        return text == "true"
    return int(text) if kind == "integer" else float(text)


@pytest.mark.parametrize("name", SESSIONS)
def test_csv_and_parquet_have_the_same_rows(name: str) -> None:
    """A row for each request, every value the same in both."""
    judged = SESSIONS[name]
    kinds = {column.name: column.kind for column in COLUMNS}
    rows: list[Row] = [
        {column: _typed(text, kinds[column]) for column, text in row.items()} for row in read_csv(judged)
    ]
    table: list[Row] = [
        {column: "" if kinds[column] == "text" and value is None else value for column, value in row.items()}
        for row in read_parquet(judged).to_pylist()
    ]
    assert rows == table
    assert len(rows) == sum(1 for _ in seen_requests(judged.session))


def test_an_empty_session_still_has_its_columns() -> None:
    """A heading, and a schema whose fields say what they mean."""
    assert blocks_csv(EMPTY).splitlines() == [",".join(column.name for column in COLUMNS)]
    schema = read_parquet(EMPTY).schema
    assert schema.names == [column.name for column in COLUMNS]
    assert all(field.metadata[b"description"] for field in schema)
    assert str(schema.field("sent_unix_ns").type) == "int64"


def test_a_row_has_the_times_of_its_record() -> None:
    """Instants from the block's start and as a date, and the latencies that the judge computes."""
    rows = read_csv(GOOD)
    for row, seen in zip(rows, seen_requests(GOOD.session), strict=True):
        request = seen.request
        assert float(row["ttft_ms"]) == metrics.ttft_ms(request)
        assert float(row["end_to_end_ms"]) == metrics.end_to_end_ms(request)
        assert float(row["ended_ms"]) - float(row["sent_ms"]) == pytest.approx(metrics.end_to_end_ms(request))
        assert int(row["sent_unix_ns"]) == request.sent_ns + 1  # the anchor is 1 ns, at 2 ns of 1970
        assert request.server is not None
        phases = ("server_load_ms", "server_queue_ms", "server_prefill_ms", "server_decode_ms")
        assert sum(float(row[name]) for name in phases) == pytest.approx(request.server.total_ns / 1e6)
    assert {row["session"] for row in rows} == {"j.jsonl"}
    assert {row["block"] for row in rows} == {"1", "2", "3", "4", "5"}
    assert float(rows[-1]["sent_ms"]) == 0.0  # of its own block


def test_rows_say_which_of_them_count() -> None:
    """Warm-ups were judged by nobody, invalid blocks have their reasons, agents in the background are told apart."""
    odd = read_csv(SESSIONS["odd"])
    valid = {(row["block"], row["warmup"]): (row["valid"], row["invalid_reasons"]) for row in odd}
    assert valid == {("0", "true"): ("", ""), ("1", "false"): ("true", ""), ("2", "false"): ("false", "deadline")}
    failed = next(row for row in odd if row["error"])
    assert (failed["error"], failed["ttft_ms"], failed["done_reason"]) == ("connection reset", "", "")
    silent = next(row for row in odd if row["role"] == "B" and row["block"] == "2")
    assert (silent["server_total_ms"], silent["prompt_tokens"], silent["output_tokens"]) == ("", "", "10")
    behind = [row["background"] for row in read_csv(SESSIONS["study"]) if row["arm"] == "dual"]
    assert behind.count("true") * 2 == behind.count("false")


def test_a_base_has_its_side_and_its_model() -> None:
    """Rows of the base are of the other model."""
    found = {(row["side"], row["model"]) for row in read_csv(SESSIONS["compared"])}
    assert found == {("candidate", "embedded"), ("base", "other-model")}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "＝1"])  # noqa: RUF001
def test_no_cell_of_a_name_is_a_formula(text: str) -> None:
    """What a spreadsheet would compute has an apostrophe before it; Parquet has it as it is."""
    (block, *_) = GOOD.session.blocks
    (run, *_) = block.runs
    (agent, *_) = run.agents
    asked = replace(build_request(), name=text)
    one = replace(block, runs=(replace(run, agents=(replace(agent, requests=(asked,)),)),))
    judged = replace(EMPTY, session=build_session([one]))
    assert read_csv(judged)[0]["request"] == f"'{text}"
    assert read_parquet(judged).to_pylist()[0]["request"] == text


def test_negative_numbers_are_no_formulas() -> None:
    """A number is written as one: an agent that was let in before it asked has a negative wait."""
    (block, *_) = GOOD.session.blocks
    early = [
        replace(run, agents=tuple(replace(a, queued_ns=a.admitted_ns + 1000) for a in run.agents)) for run in block.runs
    ]
    judged = replace(EMPTY, session=build_session([replace(block, runs=tuple(early))]))
    assert {float(row["coordinator_wait_ms"]) for row in read_csv(judged)} == {-0.001}


def test_a_number_that_does_not_fit_is_left_out() -> None:
    """An instant beyond 64 bits has no date; the row is there all the same."""
    (block, *_) = build_session([build_block()]).blocks
    late = replace(EMPTY, session=build_session([moved(block, 2**63 - 1)]))
    assert {(row["sent_unix_ns"], row["ttft_ms"]) for row in read_csv(late)} == {("", "100.0")}
    assert read_parquet(late).num_rows == 4


def test_hostile_names_are_harmless_in_a_table() -> None:
    """One line a request, and nothing in it that could steer a terminal."""
    text = blocks_csv(SESSIONS["hostile"])
    assert len(text.splitlines()) == 1 + len(read_csv(SESSIONS["hostile"]))
    assert all(line.isprintable() for line in text.split("\n"))
    assert HOSTILE not in text
