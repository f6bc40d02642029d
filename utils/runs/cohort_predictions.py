"""The predictions of another cohort, as far as they can be evaluated: read from the folder of `--stage predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from utils.errors import UserError
from utils.runs.predict_dir import ADVICE, ENSEMBLE, fold_predictions, read_record
from utils.runs.predictions import read_predictions, task_of, with_outcomes


def read_cohort_predictions(folder: Path) -> tuple[dict[str, Any], pd.DataFrame, dict[int, pd.DataFrame]]:
    """`predict.json`, the ensemble's predictions of the cases with outcomes, and {fold: its predictions of them}.

    Raises:
        UserError: a file is missing or damaged, of another task, or no case has an outcome.
    """
    record = read_record(folder)
    files = fold_predictions(folder)
    missing = [k for k in record["folds"] if k not in files]
    if missing:
        raise UserError(f"{folder}: predictions_fold{missing[0]}.csv is missing; {ADVICE}.")
    ensemble = _known_cases(folder / ENSEMBLE, record["task"])
    if not len(ensemble):
        raise UserError(f"{folder}: no case has an outcome, expected some; give --labels with main.py --stage predict.")
    return record, ensemble, {k: _known_cases(files[k], record["task"]) for k in record["folds"]}


def _known_cases(path: Path, task: str) -> pd.DataFrame:
    """The predictions of the cases with outcomes."""
    table = read_predictions(path, may_lack_outcomes=True)
    if task_of(table).name != task:
        raise UserError(f"{path}: holds predictions of task {task_of(table).name}, expected {task}; {ADVICE}.")
    return with_outcomes(table)
