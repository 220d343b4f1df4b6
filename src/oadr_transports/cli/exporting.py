"""Received values as a table in a file: CSV, lines of JSON, or Parquet.

It stands alone because each form is one writer, and none ever holds more than a few thousand values.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from io import TextIOWrapper
from itertools import islice
from typing import IO, Any, Final

from .admin import Json

COLUMNS: Final = {
    "ven_id": str,
    "ven_name": str,
    "resource_id": str,
    "report_specifier_id": str,
    "report_request_id": str,
    "report_name": str,
    "r_id": str,
    "report_type": str,
    "reading_type": str,
    "market_context": str,
    "measurement": str,
    "unit": str,
    "scale": str,
    "start": datetime,
    "duration": float,
    "value": float,
    "data_quality": str,
    "accuracy": float,
    "confidence": int,
    "state": str,
    "received_at": datetime,
}
"""The columns, in all forms; ``duration`` is in seconds, ``state`` JSON of what is no number."""
GROUP: Final = 50_000
"""Rows of a group of a Parquet file: some megabytes."""
Progress = Callable[[int], None]


def rows(values: Iterable[tuple[Json, Json]], ven_names: dict[str, str]) -> Iterator[Json]:
    """Flat rows; what is not known is left out."""
    for series, value in values:
        row = {**series, **value}
        if name := ven_names.get(series["ven_id"]):
            row["ven_name"] = name
        if "state" in row:
            row["state"] = json.dumps(row["state"], ensure_ascii=False)
        yield row


def write_csv(found: Iterable[Json], out: IO[bytes]) -> None:
    """Comma-separated, in UTF-8, with a line of names."""
    text = TextIOWrapper(out, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([row.get(name) for name in COLUMNS] for row in found)
    text.flush()
    text.detach()


def write_json(found: Iterable[Json], out: IO[bytes]) -> None:
    """One JSON object a line; what is not known is left out."""
    for row in found:
        known = {name: row[name] for name in COLUMNS if row.get(name) is not None}
        out.write(json.dumps(known, ensure_ascii=False).encode() + b"\n")


def write_parquet(found: Iterable[Json], out: IO[bytes]) -> None:
    """Apache Parquet, typed, with times in UTC; needs pyarrow."""
    import pyarrow
    from pyarrow import parquet

    types = {
        str: pyarrow.string(),
        float: pyarrow.float64(),
        int: pyarrow.int64(),
        datetime: pyarrow.timestamp("us", tz="UTC"),
    }
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        source = iter(found)
        while group := list(islice(source, GROUP)):
            writer.write_table(pyarrow.Table.from_pylist([_typed(row) for row in group], schema))


def _typed(row: Json) -> dict[str, Any]:
    """Times and numbers as Python has them."""
    found = {name: row.get(name) for name in COLUMNS}
    for name, kind in COLUMNS.items():
        what = found[name]
        if what is not None and kind is not str:
            found[name] = datetime.fromisoformat(what) if kind is datetime else kind(what)
    return found


FORMS: Final[dict[str, Callable[[Iterable[Json], IO[bytes]], None]]] = {
    "csv": write_csv,
    "json": write_json,
    "parquet": write_parquet,
}
SUFFIXES: Final = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}


def counted(found: Iterable[Json], tell: Progress) -> Iterator[Json]:
    """The same rows; after each thousand, and at the end, ``tell`` hears how many there were."""
    count = 0
    for row in found:
        yield row
        count += 1
        if not count % 1_000:
            tell(count)
    tell(count)
