"""Tables of test cases: how certain the model is of each, and all predictions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from utils.explain.chosen_cases import certainty, choose_by_certainty
from utils.report.content import Cell, Table, count, number, row
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION, SURVIVAL

N_EXTREME = 3  # cases at each end of the certainty, per fold
MAX_ROWS = 500
_FOLD = 2  # the column of the prediction table that says the fold
CERTAINTY_WORDS = {
    CLASSIFICATION: "Certainty: the highest class probability.",
    SURVIVAL: "Certainty: distance of the risk from the median risk of the fold's test cases.",
}


def extreme_cases(
    tables: Mapping[int, pd.DataFrame], words: ClassWords | None = None, unit: str | None = None
) -> Table:
    """The most and the least certain test cases of each fold, three of each; of few cases each comes once.

    Where a row is a slide, it is named beside its case.

    Args:
        tables: {fold: predictions}.
        words: names of the classes.
        unit: what one prediction is about, by default as the task has it.
    """
    task = task_of(next(iter(tables.values())))
    unit = unit or task.unit
    by_slide = unit == "slide"
    rows = []
    for fold, table in tables.items():
        certain = certainty(table)
        median = median_risk(table)
        for chosen in choose_by_certainty(table, N_EXTREME):
            case = table.iloc[chosen.row]
            told = outcome_words(case, words), told_words(case, median, words)
            names = (case["case_id"], case["slide_ids"]) if by_slide else (case["case_id"],)
            rows.append(row(*names, count(fold), chosen.reason, number(certain[chosen.row]), *told))
    return Table(
        caption=f"Most and least certain test {unit}s of each fold",
        header=("case", *(["slide"] if by_slide else []), "fold", "chosen as", "certainty", "outcome", "prediction"),
        rows=tuple(rows),
        notes=(CERTAINTY_WORDS[task],),
    )


def outcome_words(case: pd.Series, words: ClassWords | None = None) -> str:
    """What is known of a case: `malignant`, `class 1` where classes have no names, or `died after 12.5 months`."""
    if "label" in case.index:
        return _class(case["label"], words)
    return f"{'died after' if case['event'] == 1 else 'censored at'} {case['time']:.1f} months"


def median_risk(table: pd.DataFrame) -> float | None:
    """The median risk of the test cases of a fold, which certainty is measured from; None in classification."""
    return float(np.median(table["risk"])) if "risk" in table.columns else None


def told_words(case: pd.Series, median: float | None, words: ClassWords | None = None) -> str:
    """What the model says: `malignant (0.93), right`, or `risk -1.978, below the fold's median of -1.309`."""
    if "label" in case.index:
        predicted = case["prediction"]
        right = "right" if case["label"] == predicted else "wrong"
        return f"{_class(predicted, words)} ({case[f'prob_{predicted}']:.2f}), {right}"
    risk = case["risk"]
    if median is None or risk == median:
        return f"risk {risk:.3f}" + ("" if median is None else ", the fold's median")
    return f"risk {risk:.3f}, {'above' if risk > median else 'below'} the fold's median of {median:.3f}"


def _class(index: int, words: ClassWords | None) -> str:
    return f"class {index}" if words is None else words.brief(index)


def prediction_table(
    tables: Mapping[int, pd.DataFrame],
    words: ClassWords | None = None,
    unit: str | None = None,
    *,
    is_ensemble: bool = False,
) -> Table:
    """The predictions of all test cases, the first 500 rows where there are more.

    Arguments as of `extreme_cases`; `is_ensemble`: the one table is of the ensemble of folds, so no column names them.
    """
    total = sum(map(len, tables.values()))
    rows: list[tuple[Cell, ...]] = []
    for fold, table in tables.items():
        rows += [_prediction_row(fold, case, words) for _, case in table.head(MAX_ROWS - len(rows)).iterrows()]
    first = next(iter(tables.values()))
    if task_of(first) == CLASSIFICATION:
        names = [f"probability of {_class(index, words)}" for index in range(len(output_columns(first)))]
        header = ("case", "slides", "fold", "class", "predicted", *names)
    else:
        names = [f"hazard {index}" for index in range(len(output_columns(first)))]
        header = ("case", "slides", "fold", "months", "death", "risk", *names)
    place = "predictions.csv" if is_ensemble else "fold*/predictions_test.csv"
    notes = (f"The first {MAX_ROWS} of {total}; all are in {place}.",) if total > MAX_ROWS else ()
    unit = unit or task_of(first).unit
    caption = f"Predictions of the {f'{unit}s by the ensemble' if is_ensemble else f'test {unit}s'}"
    if is_ensemble:
        header = tuple(name for name in header if name != "fold")
        rows = [(*cells[:_FOLD], *cells[_FOLD + 1 :]) for cells in rows]
    return Table(caption, header, tuple(rows), notes=notes)


def _prediction_row(fold: int, case: pd.Series, words: ClassWords | None) -> tuple[Cell, ...]:
    slides = case["slide_ids"].split(";")
    shown = slides[0] if len(slides) == 1 else f"{len(slides)} slides"
    outputs = [number(value) for name, value in case.items() if str(name).startswith(("prob_", "hazard_"))]
    if "label" in case.index:
        known = [count(case[name]) for name in ("label", "prediction")]
        if words is not None and words.are_names:
            known = [Cell(words.brief(case[name])) for name in ("label", "prediction")]
        return row(case["case_id"], shown, count(fold), *known, *outputs)
    return row(
        case["case_id"],
        shown,
        count(fold),
        number(case["time"], 1),
        "yes" if case["event"] == 1 else "no",
        number(case["risk"]),
        *outputs,
    )
