"""Cases and what a model says of them, as the rows of a prediction file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from datasets.folds.cases import Case
from models.losses import hazards, risk
from utils.runs.predictions import classification_table, survival_table


def prediction_table(
    task: str, cases: Sequence[Case], logits: Tensor, class_names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Cases and their logits (n, C) as the rows of a prediction file; a case without outcome has none there."""
    case_ids, slide_ids = [case.case_id for case in cases], [case.slide_ids for case in cases]
    wide = logits.double()
    if task == "cls":
        prob = torch.softmax(wide, dim=1).numpy()
        return classification_table(case_ids, slide_ids, known(cases, "label"), prob, class_names)
    return survival_table(
        case_ids,
        slide_ids,
        time=known(cases, "time"),
        event=1 - known(cases, "censored"),
        bin=known(cases, "bin"),
        risk=risk(wide).numpy(),
        hazard=hazards(wide).numpy(),
    )


def known(cases: Sequence[Case], name: str) -> np.ndarray:
    """An outcome of the cases, float64 (n,), NaN where it is not known."""
    return np.array([getattr(case, name) for case in cases], dtype=np.float64)  # None becomes NaN
