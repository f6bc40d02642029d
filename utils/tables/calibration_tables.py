"""Calibration and threshold of the test cases as tables of words, for summary.md and the report alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from utils.files.phrases import agreeing, counted, listed
from utils.runs.class_words import ClassWords
from utils.runs.tasks import AT_THRESHOLD, METRIC_WORDS, SURVIVAL, TASKS
from utils.statistics.calibration_metrics import TWO_CLASSES
from utils.statistics.calibration_slope import CLIP
from utils.tables.averages import mean_and_deviation, shortfall
from utils.tables.row_notes import RowNotes

IBS_METHOD = (
    "IBS of Kaplan-Meier: the integrated Brier score of a model that predicts for everybody the Kaplan-Meier curve of "
    "{reference}, with the same edges and weights; IBS skill: 1 - IBS / IBS of Kaplan-Meier, 0 where the model knows "
    "no more than that curve, below 0 where it does worse. "
)
SURVIVAL_SLOPE = (
    "Calibration slope: the Cox coefficient of log(-log S), S the predicted survival at the middle inner edge of the "
    "time bins: 1 is calibrated, below 1 predictions are too extreme, below 0 they point the wrong way; 95 % Wald "
    "limits (in simulations of calibrated models 93 to 98 % hold 1, up to 99.8 % with 15 cases)."
)
CLASS_METHOD = (
    "AUPRC: average precision; by chance: the share of the class. Brier score: mean squared error of the probability, "
    "{classes}; its reference gives every case the class shares of {shares}; Brier skill: 1 - Brier score / reference. "
    "ECE: expected calibration error in groups of about ten patients or more; in brackets what a perfectly calibrated "
    "model with these predictions is expected to have, which is above 0 in so few cases (mean over labels drawn from "
    "the predictions)."
)
CLASS_SLOPE = (
    "Calibration slope and intercept: logistic regression of the label on the logit of the probability (1 and 0 are "
    "calibrated; a slope below 1: predictions are too extreme); 95 % Wald limits (in simulations of calibrated models "
    "93 to 98 % hold 1 and 0, up to 99.8 % with 15 cases)."
)
THRESHOLD_METHOD = (
    "A case is called {positive} where the probability of this class is at or above the threshold: {threshold}. Of "
    "equally good thresholds it is the one closest to 0.5. In brackets 95 % Wilson limits; predictive values hold for "
    "the prevalence of these cases. ACC and F1 do not use this threshold: they take the class of the highest "
    "probability."
)
_OF_VALIDATION = "the one of the highest Youden's J (sensitivity + specificity - 1) of the fold's validation cases"


@dataclass(frozen=True)
class Entry:
    """A cell: what is shown, and the number that it is sorted by."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class CalibrationTable:
    """A table; `footer` is the mean over folds where there are several rows; `notes` explain it and what it lacks."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    footer: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Wording:
    """What the rows are and the references are of: the test folds of a run, or another cohort."""

    row: str = "fold"
    reference: str = "the fold's training cases"
    threshold: str = _OF_VALIDATION


def calibration_tables(
    task_name: str, rows: Sequence[tuple[str, Mapping[str, Any]]], averages: Mapping[str, Any], wording: Wording
) -> Iterator[CalibrationTable]:
    """The tables of the calibration metrics of a task; none where `averages` are of before there were any.

    Args:
        task_name: `cls` or `surv`.
        rows: what each row is called (`fold 0`), and its metrics with `reasons`.
        averages: the summary, with `mean`, `std`, `n_defined`, `folds` and so on; a single fold has no row of the mean.
        wording: what references and threshold are of.
    """
    task = TASKS[task_name]
    if task.calibration[0] not in averages["mean"]:
        return
    if task == SURVIVAL:
        of_survival = ("ibs", "ibs_reference", "ibs_skill", "calibration_slope")
        method = IBS_METHOD.format(reference=wording.reference) + SURVIVAL_SLOPE
        yield _table("Calibration of the predicted survival", of_survival, rows, averages, method, wording.row)
        return
    positive = ClassWords.named(averages.get("class_names"), 2).full(1)
    two = any(row["reasons"].get("threshold") != TWO_CLASSES for _, row in rows)
    method = CLASS_METHOD.format(classes=f"of {positive}" if two else "summed over the classes", shares=_shares(rows))
    columns = ["auprc", "auprc_reference", "brier", "brier_reference", "brier_skill", "ece"]
    if not two:
        method += " AUPRC and ECE: the mean over classes, each against the rest."
        yield _table("Precision and calibration of the probabilities", columns, rows, averages, method, wording.row)
        return
    columns += ["calibration_slope", "calibration_intercept"]
    yield _table(
        "Precision and calibration of the probabilities",
        columns,
        rows,
        averages,
        f"{method} {CLASS_SLOPE}",
        wording.row,
    )
    method = THRESHOLD_METHOD.format(positive=positive, threshold=wording.threshold)
    yield _table("Two classes at a threshold", ("threshold", *AT_THRESHOLD), rows, averages, method, wording.row)


def _table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    averages: Mapping[str, Any],
    method: str,
    first: str,
) -> CalibrationTable:
    words = METRIC_WORDS | {"ece": "ECE (if calibrated)"}
    notes = RowNotes()
    lines = []
    for name, row in rows:
        reasons = {column: row["reasons"][column] for column in columns if column in row["reasons"]}
        marks = notes.undefined(reasons, name)
        lines.append((Entry(name), *(_entry(row, column, marks) for column in columns)))
    said = notes.lines()
    if "calibration_slope" in columns:
        clipped = [(name, row["n_clipped"]) for name, row in rows if row.get("n_clipped")]
        said += [
            f"{name}: {counted(n, 'prediction')} closer to 0 or 1 than {CLIP:g} "
            f"{agreeing(n, 'was', 'were')} taken as {CLIP:g} away for the slope"
            for name, n in clipped
        ]
    several = len(averages["folds"]) > 1
    footer = ((Entry("mean ± std"), *(_mean(averages, column) for column in columns)),) if several else ()
    header = (first, *(words[column] for column in columns))
    return CalibrationTable(caption, header, tuple(lines), footer, (method, *said))


def _entry(row: Mapping[str, Any], name: str, marks: Mapping[str, str]) -> Entry:
    value = row[name]
    if value is None:
        return Entry(marks.get(name, "–"))
    text = f"{value:.3f}"
    if row.get(f"{name}_low") is not None:
        text += f" ({row[f'{name}_low']:.3f} to {row[f'{name}_high']:.3f})"
    elif name == "ece":
        text += f" ({row['ece_expected']:.3f})"
    return Entry(text, value)


def _mean(averages: Mapping[str, Any], name: str) -> Entry:
    """Mean and population standard deviation, with the cases of the folds that define it where some do not."""
    mean = averages["mean"][name]
    expected = f" ({averages['mean']['ece_expected']:.3f})" if name == "ece" and mean is not None else ""
    return Entry(mean_and_deviation(averages, name) + expected + shortfall(averages, name), mean)


def _shares(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """Whose class shares the reference of the Brier score has, where rows differ with their names."""
    own = [name for name, row in rows if row["brier_reference_of"] == "test"]
    these = "these cases themselves, the best of all constants"
    if len(own) == len(rows):
        return these
    return "the fold's training cases" + (f" ({listed(own)}: of {these})" if own else "")
