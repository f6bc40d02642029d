"""Clinical values of synthetic cases: what a pathologist's report might say, of which only the stage knows the risk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

CLINICAL_COLUMNS = ("case_id", "age", "sex", "stage")
_MEAN_AGE, _AGE_DEVIATION = 62.0, 9.0
_STAGES = ("Stage I", "Stage II", "Stage III")
_STAGE_NOISE = 1.5  # standard deviations of the true risk: the stage knows part of it
_MISSING, _MISSING_SHARE = "[Not Available]", 0.05


def clinical_rows(case_ids: Sequence[str], risk: np.ndarray, rng: np.random.Generator) -> list[dict[str, Any]]:
    """A row per case with `CLINICAL_COLUMNS`.

    The stage is the third, among the cases, of `r + 1.5 e`, r the true risk (n,) in standard deviations and e standard
    normal; age (years) and sex are independent of it. A stage in twenty is missing, in the word of TCGA.
    """
    n = len(risk)
    spread = risk.std()
    known = (risk - risk.mean()) / spread if spread > 0 else np.zeros(n)
    rank = np.argsort(np.argsort(known + _STAGE_NOISE * rng.standard_normal(n)))
    age = np.clip(np.round(rng.normal(_MEAN_AGE, _AGE_DEVIATION, n)), 18, 95).astype(int)
    sex = rng.choice(["female", "male"], n)
    is_missing = rng.random(n) < _MISSING_SHARE
    return [
        {
            "case_id": case_id,
            "age": int(age[index]),
            "sex": str(sex[index]),
            "stage": _MISSING if is_missing[index] else _STAGES[int(rank[index] * len(_STAGES) // n)],
        }
        for index, case_id in enumerate(case_ids)
    ]
