"""The block of summary.md about calibration and thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.files.text_table import markdown_table
from utils.tables.calibration_tables import CalibrationTable, Wording, calibration_tables


def calibration_text(summary: Mapping[str, Any]) -> Iterator[str]:
    """Headings, tables and notes, from the content of summary.json (see `utils.tables.summary.summarise`)."""
    for table in tables_of_run(summary):
        yield from table_text(table)


def tables_of_run(summary: Mapping[str, Any]) -> Iterator[CalibrationTable]:
    """The tables of a run, a row per fold."""
    rows = [(f"fold {row['fold']}", row) for row in summary["folds"]]
    return calibration_tables(summary["task"], rows, summary, Wording())


def table_text(table: CalibrationTable) -> Iterator[str]:
    """A table in Markdown: its heading, rows, explanation, and the list of its notes."""
    yield f"## {table.caption}"
    yield markdown_table([table.header, *([cell.text for cell in row] for row in (*table.rows, *table.footer))])
    method, *notes = table.notes
    yield method
    if notes:
        yield "\n".join(f"- {note}" for note in notes)
