"""The risk halves of a survival run in its report: hazard ratio and log-rank p, by fold and stratified by fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from utils.report.content import Cell, Table
from utils.tables.risk_groups_text import HEADER, risk_group_method, risk_group_rows
from utils.tables.row_notes import RowNotes


def risk_group_table(summary: Mapping[str, Any]) -> Table:
    """The block "Risk groups" of summary.md as a table."""
    notes = RowNotes()
    rows = [tuple(Cell(text) for text in cells) for cells in risk_group_rows(summary, notes)]
    n_folds = len(summary["risk_groups"]["folds"])
    method = tuple(risk_group_method(summary))
    return Table(
        "Risk groups: high against low half",
        HEADER,
        tuple(rows[:n_folds]),
        tuple(rows[n_folds:]),
        notes=(*method, *(f"{note}." for note in notes.lines())),
        is_sortable=False,
    )
