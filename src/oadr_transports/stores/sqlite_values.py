"""The values of reports in an SQLite database: a table of series, and one of blocks of their values.

It stands alone as the half of the SQLite store that knows what reports are; :mod:`.sqlite` opens the database, and
decides when a transaction begins and ends.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from oadr_core.engine.values import ReportReceived

from .blocks import (
    MICROSECOND,
    Block,
    Packed,
    Row,
    block_of,
    blocks_of,
    described,
    extended,
    merged,
    microseconds,
    packed,
    unpacked,
)
from .values import Series

TABLES: Final = (
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        ven_id TEXT NOT NULL,
        report_specifier_id TEXT NOT NULL,
        report_request_id TEXT NOT NULL,
        r_id TEXT NOT NULL,
        described TEXT NOT NULL,
        UNIQUE (ven_id, report_specifier_id, report_request_id, r_id, described)
    )""",
    """CREATE TABLE block (
        id INTEGER PRIMARY KEY,
        series INTEGER NOT NULL REFERENCES series,
        start INTEGER NOT NULL,
        last INTEGER NOT NULL,
        size INTEGER NOT NULL,
        step INTEGER,
        times BLOB,
        numbers BLOB NOT NULL,
        details TEXT NOT NULL,
        received INTEGER NOT NULL
    )""",
    "CREATE UNIQUE INDEX block_by_time ON block (series, start)",
)
"""Blocks of one series never overlap. Times are in microseconds since 1970."""
PRUNED: Final = 512
"""Blocks that are removed at once, for some milliseconds."""
GROWN: Final = 64
"""Values up to which a block grows when they come one by one: an hour of minutes, half a kilobyte."""
GROWING: Final = timedelta(hours=1)
"""For how long it does. Its values count as arrived with the first of them."""
_GROWING: Final = GROWING // MICROSECOND
NAMES: Final = "ven_id, report_specifier_id, report_request_id, r_id, described"
PACKED: Final = ", ".join(Packed._fields)
_SMALL: Final = {"numbers", "times"}
_LAST_BLOCK: Final = ", ".join(
    f"iif(size < {GROWN}, {name}, NULL)" if name in _SMALL else name for name in Packed._fields
)
_KNOWN: Final = (
    f"SELECT r_id, described, series.id, block.id, received, {_LAST_BLOCK} FROM series LEFT JOIN block "
    "ON block.id = (SELECT id FROM block WHERE block.series = series.id ORDER BY start DESC LIMIT 1) "
    "WHERE ven_id = ? AND report_specifier_id = ? AND report_request_id = ? AND r_id BETWEEN ? AND ?"
)
_OVERLAPPING: Final = (
    "SELECT id, start, last FROM block WHERE series = ?1 AND start <= ?3 AND last >= ?2 AND start >= ifnull("
    "(SELECT max(start) FROM block WHERE series = ?1 AND start <= ?2), ?2) ORDER BY start"
)
_BLOCK: Final = f"SELECT {PACKED} FROM block WHERE id = ?"
_EXTEND: Final = "UPDATE block SET last = ?, size = ?, step = ?, numbers = ? WHERE id = ?"
_INSERT: Final = f"INSERT INTO block (series, received, {PACKED}) VALUES (?, ?{', ?' * len(Packed._fields)})"


class ValueTables:
    """Writes values into a database whose transaction somebody else has begun."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add(self, reports: Iterable[ReportReceived], received_at: datetime) -> None:
        """Keep the values of reports; of several for one time the last stays (R346)."""
        received = microseconds(received_at)
        for report in reports:
            if found := list(blocks_of(report)):
                self._add(report, found, received)

    def _add(self, report: ReportReceived, found: list[tuple[Series, list[Block]]], received: int) -> None:
        names = [series.r_id for series, _ in found]
        key = (report.ven_id, report.report_specifier_id, report.report_request_id, min(names), max(names))
        known = {row[:2]: row[2:] for row in self._database.execute(_KNOWN, key)}
        later: list[tuple[object, ...]] = []
        grown: list[tuple[object, ...]] = []
        for series, blocks in found:
            text = described(series.report_name, series.point)
            row = known.get((series.r_id, text)) or (self._new(series, text), None, 0)
            number, last, arrived = row[:3]
            there = None if last is None else Packed._make(row[3:])
            for block in blocks:
                if there is not None and block.times[0] <= there.last:
                    self._merge(number, block, received)
                    continue
                new = packed(block)
                longer = extended(there, new) if there is not None and _may_grow(there, received - arrived) else None
                if longer is None:
                    later.append((number, received, *new))
                else:
                    grown.append((longer.last, longer.size, longer.step, longer.numbers, last))
        if grown:
            self._database.executemany(_EXTEND, grown)
        if later:
            self._database.executemany(_INSERT, later)

    def prune(self, before: datetime) -> bool:
        """Remove some blocks that arrived before a time; true when there may be more of them."""
        oldest = f"SELECT id, received FROM block ORDER BY id LIMIT {PRUNED}"
        sql = f"DELETE FROM block WHERE id IN (SELECT id FROM ({oldest}) WHERE received < ?)"
        return self._database.execute(sql, (microseconds(before - GROWING),)).rowcount >= PRUNED

    def _new(self, series: Series, text: str) -> int:
        key = (series.ven_id, series.report_specifier_id, series.report_request_id, series.r_id, text)
        number = self._database.execute(f"INSERT INTO series ({NAMES}) VALUES (?, ?, ?, ?, ?)", key).lastrowid
        assert number is not None, "an insertion has a number"
        return number

    def _merge(self, number: int, block: Block, received: int) -> None:
        """Keep a block that may overlap those that are there: only those that have values of its times are written
        anew, for a report may have a value of today, and one of last year.
        """
        there = self._database.execute(_OVERLAPPING, (number, block.times[0], block.times[-1])).fetchall()
        starts = [start for _, start, _ in there]
        parts: dict[tuple[int, bool], list[Row]] = {}
        for row in block.rows():
            index = bisect_right(starts, row.at) - 1
            parts.setdefault((index, index >= 0 and row.at <= there[index][2]), []).append(row)
        for (index, is_inside), rows in parts.items():
            blocks = [block_of(rows)]
            if is_inside:
                [old] = self._database.execute(_BLOCK, there[index][:1]).fetchall()
                self._database.execute("DELETE FROM block WHERE id = ?", there[index][:1])
                blocks = merged([unpacked(Packed(*old)), *blocks])
            self._database.executemany(_INSERT, [(number, received, *packed(one)) for one in blocks])


def _may_grow(block: Packed, age: int) -> bool:
    return block.size < GROWN and 0 <= age < _GROWING
