"""Predictions that do not tell cases apart: all the same risk, the same probabilities, or the same class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import CLASSIFICATION

# Risks are sums of up to C probabilities, and these are from logits in float32: below, they differ by rounding.
SAME = 1e-6


def same_scores(table: pd.DataFrame) -> str | None:
    """What all cases of a prediction table have the same of, but for rounding: `risk` or `probabilities`; or None."""
    if len(table) < 2:
        return None
    is_classes = task_of(table) == CLASSIFICATION
    scores = table[output_columns(table) if is_classes else ["risk"]].to_numpy(dtype=np.float64)
    same = bool((np.ptp(scores, axis=0) <= SAME).all())
    return ("probabilities" if is_classes else "risk") if same else None


def only_class(table: pd.DataFrame) -> str | None:
    """The number, and name if it has one, of the class that all of two cases or more are predicted as; or None.

    Where all of these cases are known to be of that class, it is right, and None.
    """
    if task_of(table) != CLASSIFICATION or len(table) < 2:
        return None
    predicted = table["prediction"].unique()
    if len(predicted) > 1 or table["label"].eq(predicted[0]).fillna(False).all():
        return None
    return f"{predicted[0]} ({table['prediction_name'].iloc[0]})" if "prediction_name" in table else str(predicted[0])


def unlabelled_warnings(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """What to know of predictions {who made them: table} of cases without outcomes."""
    for who, table in tables.items():
        same, named = same_scores(table), only_class(table)
        if same is not None:
            yield f"{who} predicts the same {same} for all cases, but for rounding: look at the features"
        elif named is not None:
            yield f"{who} predicts class {named} for all cases: perhaps its threshold does not fit them"
