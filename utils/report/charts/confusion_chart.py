"""The confusion matrix of a classification run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from utils.files.phrases import counted
from utils.report.charts.chart import WIDTH, Chart, picture
from utils.report.charts.svg import tag, text
from utils.runs.predictions import output_columns

TITLE = "Confusion matrix"
MOST_OPAQUE = 0.8  # letters in the ink of the page stay readable on it


def confusion_charts(tables: Mapping[int, pd.DataFrame]) -> list[Chart]:
    """Cases by label (row) and prediction (column), summed over folds, with the percentage of the row.

    Each case is a test case of one fold. A row without cases has no percentages.
    """
    n_classes = len(output_columns(next(iter(tables.values()))))
    cases = pd.concat(tables.values(), ignore_index=True)
    counts = confusion_matrix(cases["label"], cases["prediction"], labels=range(n_classes))
    right = int(np.trace(counts))
    note = (
        f"{counted(len(cases), 'test slide')} of {counted(len(tables), 'fold')}; {right} right "
        f"({right / len(cases):.1%}). Percentages are of the row: those on the diagonal are the recall of each class."
    )
    return [Chart(TITLE, _picture(counts), note)]


def _picture(counts: np.ndarray) -> str:
    n = len(counts)
    left, top, right = 96.0, 46.0, 16.0
    width = (WIDTH - left - right) / n
    height = max(30.0, min(92.0, 330.0 / n))
    parts = [text(left + (WIDTH - left - right) / 2, 16, "predicted class", class_="label mid")]
    middle = top + n * height / 2
    parts.append(text(0, 0, "label", class_="label mid", transform=f"translate(16 {middle:.1f}) rotate(-90)"))
    for row in range(n):
        parts.append(
            text(left + (row + 0.5) * width, top - 9, f"class {row}" if n < 7 else str(row), class_="tick mid")
        )
        parts.append(text(left - 9, top + (row + 0.5) * height + 4.5, f"class {row}", class_="tick end"))
        total = int(counts[row].sum())
        for column in range(n):
            x, y = left + column * width, top + row * height
            parts.append(_cell(counts[row, column], total, row, column, (x, y, width, height)))
    return picture(parts, top + n * height + 12, TITLE, f"{n} classes, {counted(int(counts.sum()), 'slide')}.")


def _cell(count: int, total: int, row: int, column: int, box: tuple[float, float, float, float]) -> str:
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
    tip = f"class {row} predicted as class {column}\n{count} of {counted(total, 'slide')} ({percent})"
    return tag("g", rect + words, data_tip=tip)
