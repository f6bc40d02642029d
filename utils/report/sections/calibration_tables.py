"""Calibration and thresholds in the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from utils.report.content import Block, Cell, Table
from utils.tables.calibration_tables import CalibrationTable, Entry
from utils.tables.calibration_text import tables_of_run


def calibration_blocks(summary: Mapping[str, Any]) -> tuple[Block, ...]:
    """The tables of a run."""
    return tuple(blocks_of(tables_of_run(summary)))


def blocks_of(tables: Iterable[CalibrationTable]) -> Iterator[Block]:
    """Each of the tables as a table of a page."""
    for table in tables:
        yield Table(table.caption, table.header, _cells(table.rows), _cells(table.footer), notes=table.notes)


def _cells(rows: tuple[tuple[Entry, ...], ...]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(tuple(Cell(entry.text, entry.value) for entry in row) for row in rows)
