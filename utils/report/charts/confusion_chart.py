"""The confusion matrix of a classification run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from utils.files.phrases import counted
from utils.files.short_names import shortened_apart
from utils.report.charts.chart import WIDTH, Chart, of_models, picture
from utils.report.charts.svg import fitting, tag, text, text_width
from utils.runs.class_words import ClassWords
from utils.runs.predictions import output_columns

TITLE = "Confusion matrix"
_WIDEST_NAME, _NARROWEST = 150.0, 58.0  # units of names beside the rows, and of columns that have room for one
MOST_OPAQUE = 0.8  # letters in the ink of the page stay readable on it


def confusion_charts(
    tables: Mapping[int, pd.DataFrame],
    words: ClassWords | None = None,
    unit: str = "slide",
    *,
    is_ensemble: bool = False,
) -> list[Chart]:
    """Cases by label (row) and prediction (column), summed over folds, with the percentage of the row.

    Each case is a test case of one fold. A row without cases has no percentages.

    Args:
        tables: {fold: predictions}.
        words: names of the classes.
        unit: what one prediction is about.
        is_ensemble: the one table is of the ensemble of folds.
    """
    n_classes = len(output_columns(next(iter(tables.values()))))
    cases = pd.concat(tables.values(), ignore_index=True)
    counts = confusion_matrix(cases["label"], cases["prediction"], labels=range(n_classes))
    right = int(np.trace(counts))
    note = (
        f"{counted(len(cases), f'test {unit}')} of {of_models(len(tables), is_ensemble=is_ensemble)}; {right} right "
        f"({right / len(cases):.1%}). Percentages are of the row: those on the diagonal are the recall of each class."
    )
    return [Chart(TITLE, _picture(counts, words or ClassWords.numbered(n_classes), unit), note)]


def _picture(counts: np.ndarray, words: ClassWords, unit: str) -> str:
    n = len(counts)
    names = [words.brief(index) for index in range(n)]
    top, right = 46.0, 16.0
    left = 42 + min(_WIDEST_NAME, max(54.0, *map(text_width, names)))
    width = (WIDTH - left - right) / n
    above = shortened_apart(names, fitting(width - 6)) if width > _NARROWEST else [str(index) for index in range(n)]
    beside = [name if width > _NARROWEST or not words.are_names else f"{k}: {name}" for k, name in enumerate(names)]
    beside = shortened_apart(beside, fitting(left - 42))
    height = max(30.0, min(92.0, 330.0 / n))
    parts = [text(left + (WIDTH - left - right) / 2, 16, "predicted class", class_="label mid")]
    middle = top + n * height / 2
    parts.append(text(0, 0, "label", class_="label mid", transform=f"translate(16 {middle:.1f}) rotate(-90)"))
    for row in range(n):
        whole = words.full(row)
        parts.append(text(left + (row + 0.5) * width, top - 9, whole, shown=above[row], class_="tick mid"))
        parts.append(text(left - 9, top + (row + 0.5) * height + 4.5, whole, shown=beside[row], class_="tick end"))
        total = int(counts[row].sum())
        for column in range(n):
            x, y = left + column * width, top + row * height
            what = f"{whole} predicted as {words.full(column)}"
            parts.append(_cell(counts[row, column], total, what, unit, (x, y, width, height)))
    return picture(parts, top + n * height + 12, TITLE, f"{n} classes, {counted(int(counts.sum()), unit)}.")


def _cell(count: int, total: int, what: str, unit: str, box: tuple[float, float, float, float]) -> str:
    x, y, width, height = box
    share = count / total if total else 0.0
    percent = f"{share:.0%}" if total else "–"
    rect = tag(
        "rect", class_="cell", x=x + 1, y=y + 1, width=width - 2, height=height - 2,
        fill_opacity=f"{share * MOST_OPAQUE:.2f}",
    )  # fmt: skip
    middle, centre = x + width / 2, y + height / 2
    if height >= 44:
        words = text(middle, centre - 2, str(count), class_="count mid")
        words += text(middle, centre + 17, percent, class_="key mid")
    else:
        words = text(middle, centre + 4.5, str(count), class_="key mid")
    tip = f"{what}\n{count} of {counted(total, unit)} ({percent})"
    return tag("g", rect + words, data_tip=tip)
