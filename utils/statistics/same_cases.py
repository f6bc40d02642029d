"""Prediction tables of one fold brought to the same order of cases, once they are known to be of the same cases."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.errors import UserError
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION, Task


def aligned(
    tables: Mapping[tuple[str, int], pd.DataFrame], fold: int, task: Task
) -> dict[tuple[str, int], pd.DataFrame]:
    """The tables {(model, seed): table} of one fold with their rows in the same order.

    Raises:
        UserError: a table of another task, a row that stands twice, or tables that differ in their cases or outcomes
            (the first difference is named).
    """
    ordered_tables: dict[tuple[str, int], pd.DataFrame] = {}
    for (name, run_seed), table in tables.items():
        where = f"fold {fold}, seed {run_seed}, {name}"
        if task_of(table) != task:
            raise UserError(f"{where}: predictions of task {task_of(table).name}, expected {task.name} for this metric")
        twice = table[task.row_id][table[task.row_id].duplicated()]
        if len(twice):
            raise UserError(f"{where}: {twice.iloc[0]} stands in two rows of the predictions, expected one")
        ordered = table.sort_values(task.row_id, ignore_index=True)
        if ordered_tables:
            (first_name, first_seed), first = next(iter(ordered_tables.items()))
            problem = _first_difference(first, ordered, task)
            if problem is not None:
                raise UserError(
                    f"fold {fold}: {problem} (the first table is of {first_name} with seed {first_seed}, the second of "
                    f"{name} with seed {run_seed}); compare runs on the same splits and slides"
                )
        ordered_tables[name, run_seed] = ordered
    return ordered_tables


def _first_difference(first: pd.DataFrame, second: pd.DataFrame, task: Task) -> str | None:
    """The first case or outcome that differs between two tables in the same order, in words."""
    row = task.row_id
    alone = sorted(set(first[row]) ^ set(second[row]))
    if alone:
        if task == CLASSIFICATION and _slides(first) == _slides(second):
            return "a row is a slide in one table and a patient in the other, as their --unit says"
        which = "first" if alone[0] in set(first[row]) else "second"
        return f"{alone[0]} is among the cases of the {which} table only ({len(alone)} cases are in one table only)"
    for name in ("case_id", *task.outcome):  # what both models must say of a row
        differs = (first[name] != second[name]).to_numpy()
        if differs.any():
            at = int(np.argmax(differs))
            return f"{first[row].iloc[at]} has {name} {first[name].iloc[at]} and {second[name].iloc[at]}"
    if task == CLASSIFICATION and output_columns(first) != output_columns(second):
        return f"{len(output_columns(first))} classes and {len(output_columns(second))} classes"
    return None


def _slides(table: pd.DataFrame) -> set[str]:
    return set(";".join(table["slide_ids"]).split(";"))
