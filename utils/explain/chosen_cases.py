"""Which test cases of a fold are explained, and why: `fold{k}/explain/cases.csv`.

Columns: `case_id`, `slide_ids` (the slides explained, joined by `;`), `reason` (`most certain`, `least certain` or
`chosen`) and `certainty`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils.explain.advice import ADVICE
from utils.files.csv_table import read_csv, write_csv
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION

COLUMNS = ("case_id", "slide_ids", "reason", "certainty")
MOST, LEAST, CHOSEN = "most certain", "least certain", "chosen"


@dataclass(frozen=True)
class ChosenCase:
    """A test case to explain.

    Attributes:
        row: of the prediction table.
        slide_ids: the slides of the case to explain.
        reason: `MOST`, `LEAST` or `CHOSEN`.
    """

    row: int
    slide_ids: tuple[str, ...]
    reason: str


def certainty(predictions: pd.DataFrame) -> np.ndarray:
    """How certain the model is of each case of a fold, (n,); comparable within the fold only.

    Classification: the highest class probability. Survival: `|risk - median risk|` over the cases given, since a risk
    is a place among other risks.

    >>> certainty(pd.DataFrame({"risk": [-2.0, -1.0, -0.5], "hazard_0": [0.1, 0.2, 0.3]})).tolist()
    [1.0, 0.0, 0.5]
    """
    if task_of(predictions) == CLASSIFICATION:
        return predictions[output_columns(predictions)].to_numpy().max(axis=1)
    risk = predictions["risk"].to_numpy()
    return np.abs(risk - np.median(risk))


def choose_by_certainty(predictions: pd.DataFrame, n_each: int) -> list[ChosenCase]:
    """The `n_each` most and the `n_each` least certain cases; of few cases each comes once, the most certain first."""
    order = np.argsort(-certainty(predictions), kind="stable")
    most = order[:n_each]
    least = order[len(most) :][::-1][:n_each]
    return [
        ChosenCase(int(row), tuple(predictions["slide_ids"].iloc[row].split(";")), reason)
        for rows, reason in ((most, MOST), (least, LEAST))
        for row in rows
    ]


def choose_slides(predictions: pd.DataFrame, slide_ids: Collection[str]) -> list[ChosenCase]:
    """The cases that these slides belong to, with those slides only; slides of other folds are left out."""
    chosen = []
    for row, joined in enumerate(predictions["slide_ids"]):
        own = tuple(slide_id for slide_id in joined.split(";") if slide_id in slide_ids)
        if own:
            chosen.append(ChosenCase(row, own, CHOSEN))
    return chosen


def write_cases(path: Path, cases: list[ChosenCase], predictions: pd.DataFrame) -> None:
    """Write `cases.csv`, atomically. Rows of an earlier call stay, but for slides and choices that are made again."""
    certain = certainty(predictions)
    rows = [
        (predictions["case_id"].iloc[case.row], ";".join(case.slide_ids), case.reason, certain[case.row])
        for case in cases
    ]
    if path.exists():
        again = {slide_id for case in cases for slide_id in case.slide_ids}
        chosen_again = {case.reason for case in cases} - {CHOSEN}
        for row in read_cases(path).itertuples(index=False, name=None):
            if row[2] not in chosen_again and not again & set(row[1].split(";")):
                rows.append(row)
    write_csv(path, pd.DataFrame(rows, columns=list(COLUMNS)))


def read_cases(path: Path) -> pd.DataFrame:
    """Read `cases.csv`; ids and reasons are text, `certainty` float64.

    Raises:
        UserError: the file is missing, unreadable, of other columns, or a certainty is no number.
    """
    cells = read_csv(path, advice=ADVICE, may_be_empty=True)
    if cells.header != list(COLUMNS):
        found = ", ".join(cells.header) or "nothing"
        raise cells.error(f"expected the columns {', '.join(COLUMNS)}, found {found}")
    return cells.frame(text=COLUMNS[:3])
