"""Tables of test cases: how certain the model is of each, and all predictions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.explain.chosen_cases import certainty, choose_by_certainty
from utils.report.content import Cell, Table, count, number, row
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION, SURVIVAL

N_EXTREME = 3  # cases at each end of the certainty, per fold
MAX_ROWS = 500
CERTAINTY_WORDS = {
    CLASSIFICATION: "Certainty: the highest class probability.",
    SURVIVAL: "Certainty: distance of the risk from the median risk of the fold's test cases.",
}


def extreme_cases(tables: Mapping[int, pd.DataFrame]) -> Table:
    """The most and the least certain test cases of each fold, three of each; of few cases each comes once.

    In classification a row is a slide, and names it beside its case.
    """
    task = task_of(next(iter(tables.values())))
    by_slide = task == CLASSIFICATION
    rows = []
    for fold, table in tables.items():
        certain = certainty(table)
        median = median_risk(table)
        for chosen in choose_by_certainty(table, N_EXTREME):
            case = table.iloc[chosen.row]
            words = outcome_words(case), told_words(case, median)
            names = (case["case_id"], case["slide_ids"]) if by_slide else (case["case_id"],)
            rows.append(row(*names, count(fold), chosen.reason, number(certain[chosen.row]), *words))
    return Table(
        caption=f"Most and least certain test {task.unit}s of each fold",
        header=("case", *(["slide"] if by_slide else []), "fold", "chosen as", "certainty", "outcome", "prediction"),
        rows=tuple(rows),
        notes=(CERTAINTY_WORDS[task],),
    )


def outcome_words(case: pd.Series) -> str:
    """What is known of a case: `class 1`, or `died after 12.5 months`."""
    if "label" in case.index:
        return f"class {case['label']}"
    return f"{'died after' if case['event'] == 1 else 'censored at'} {case['time']:.1f} months"


def median_risk(table: pd.DataFrame) -> float | None:
    """The median risk of the test cases of a fold, which certainty is measured from; None in classification."""
    return float(np.median(table["risk"])) if "risk" in table.columns else None


def told_words(case: pd.Series, median: float | None) -> str:
    """What the model says: `class 1 (0.93), right`, or `risk -1.978, below the fold's median of -1.309`."""
    if "label" in case.index:
        predicted = case["prediction"]
        right = "right" if case["label"] == predicted else "wrong"
        return f"class {predicted} ({case[f'prob_{predicted}']:.2f}), {right}"
    risk = case["risk"]
    if median is None or risk == median:
        return f"risk {risk:.3f}" + ("" if median is None else ", the fold's median")
    return f"risk {risk:.3f}, {'above' if risk > median else 'below'} the fold's median of {median:.3f}"


def prediction_table(tables: Mapping[int, pd.DataFrame]) -> Table:
    """The predictions of all test cases, the first 500 rows where there are more."""
    total = sum(map(len, tables.values()))
    rows = [
        _prediction_row(fold, case) for fold, table in tables.items() for _, case in table.head(MAX_ROWS).iterrows()
    ]
    first = next(iter(tables.values()))
    if task_of(first) == CLASSIFICATION:
        names = [f"probability of class {index}" for index in range(len(output_columns(first)))]
        header = ("case", "slides", "fold", "class", "predicted", *names)
    else:
        names = [f"hazard {index}" for index in range(len(output_columns(first)))]
        header = ("case", "slides", "fold", "months", "death", "risk", *names)
    notes = (f"The first {MAX_ROWS} of {total}; all are in fold*/predictions_test.csv.",) if total > MAX_ROWS else ()
    caption = f"Predictions of the test {task_of(first).unit}s"
    return Table(caption, header, tuple(rows[:MAX_ROWS]), notes=notes)


def _prediction_row(fold: int, case: pd.Series) -> tuple[Cell, ...]:
    slides = case["slide_ids"].split(";")
    shown = slides[0] if len(slides) == 1 else f"{len(slides)} slides"
    outputs = [number(value) for name, value in case.items() if str(name).startswith(("prob_", "hazard_"))]
    if "label" in case.index:
        return row(case["case_id"], shown, count(fold), count(case["label"]), count(case["prediction"]), *outputs)
    return row(
        case["case_id"],
        shown,
        count(fold),
        number(case["time"], 1),
        "yes" if case["event"] == 1 else "no",
        number(case["risk"]),
        *outputs,
    )
