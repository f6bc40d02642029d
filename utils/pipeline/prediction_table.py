"""Cases and what a model says of them, as the rows of a prediction file."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from datasets.bags import outcomes_of
from datasets.folds.cases import Case
from models.losses import hazards, risk
from utils.runs.predictions import classification_table, survival_table


def prediction_table(task: str, cases: Sequence[Case], logits: Tensor) -> pd.DataFrame:
    """Cases and their logits (n, C) as the rows of a prediction file."""
    case_ids, slide_ids = [case.case_id for case in cases], [case.slide_ids for case in cases]
    known, wide = {name: value.numpy() for name, value in outcomes_of(cases).items()}, logits.double()
    if task == "cls":
        return classification_table(case_ids, slide_ids, known["label"], torch.softmax(wide, dim=1).numpy())
    return survival_table(
        case_ids,
        slide_ids,
        time=known["time"],
        event=1 - known["censored"],
        bin=known["bin"],
        risk=risk(wide).numpy(),
        hazard=hazards(wide).numpy(),
    )
