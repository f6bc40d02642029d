from __future__ import annotations

from collections import Counter

import numpy as np

from datasets.synthetic.clinical import CLINICAL_COLUMNS, clinical_rows


def test_the_stage_knows_part_of_the_risk_and_age_and_sex_nothing():
    risk = np.random.default_rng(0).normal(size=600)
    rows = clinical_rows([f"SYN-{index}" for index in range(600)], risk, np.random.default_rng(1))
    assert tuple(rows[0]) == CLINICAL_COLUMNS
    means = [
        np.mean([r for r, row in zip(risk, rows, strict=True) if row["stage"] == f"Stage {s}"])
        for s in ("I", "II", "III")
    ]
    assert means[0] + 0.3 < means[1] < means[2] - 0.3
    ages = np.array([row["age"] for row in rows])
    assert abs(np.corrcoef(ages, risk)[0, 1]) < 0.1
    female = np.array([row["sex"] == "female" for row in rows])
    assert abs(risk[female].mean() - risk[~female].mean()) < 0.2
    stages = Counter(row["stage"] for row in rows)
    assert 10 < stages.pop("[Not Available]") < 60
    assert min(stages.values()) > 170


def test_equal_generators_make_equal_rows_also_of_constant_risks():
    ids, risk = ["a", "b", "c", "d"], np.ones(4)
    made = [clinical_rows(ids, risk, np.random.default_rng(3)) for _ in range(2)]
    assert made[0] == made[1]
    assert [row["case_id"] for row in made[0]] == ids
