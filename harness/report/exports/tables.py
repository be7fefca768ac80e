"""The table of requests as CSV and as Parquet.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, in a CSV file too. Names and
reasons come from servers and models, so in the CSV such a text has an apostrophe before it, which spreadsheets hide;
numbers are left alone. The Parquet file has types, and its texts have none.
"""

from __future__ import annotations

import csv
import io

from harness.report.exports.rows import COLUMNS, Kind, Value, request_rows
from harness.report.judged import JudgedSession
from harness.report.text import printable

_FORMULAS = "=+-@＝＋－＠"  # noqa: RUF001 - spreadsheets take the wide ones, too


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{value}" if value[:1] in _FORMULAS and value else value
    return repr(value)


def blocks_csv(judged: JudgedSession) -> str:
    """The requests of a session as CSV: a heading, commas, UTF-8; truths are ``true`` and ``false``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in COLUMNS])
    for row in request_rows(judged):
        writer.writerow([_cell(row.get(column.name)) for column in COLUMNS])
    return text.getvalue()


def blocks_parquet(judged: JudgedSession) -> bytes:
    """The requests of a session as Parquet; every field has its meaning in its metadata under ``description``.

    Needs pyarrow, of the extra ``parquet``.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra, and 50 MB
    import pyarrow.parquet as pq  # noqa: PLC0415

    kinds: dict[Kind, pa.DataType] = {
        "text": pa.string(),
        "integer": pa.int64(),
        "real": pa.float64(),
        "truth": pa.bool_(),
    }
    schema = pa.schema(
        [pa.field(each.name, kinds[each.kind], metadata={"description": each.meaning}) for each in COLUMNS],
        metadata={"journal": printable(judged.journal)},
    )
    rows = list(request_rows(judged))
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), file, compression="zstd")
    return file.getvalue()
