from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.utils.run_folders import classification_fold, survival_fold
from utils.clinical.predicted_cases import read_predicted_cases
from utils.errors import UserError
from utils.runs.predictions import classification_table, write_predictions


def _run(tmp_path: Path, task: str, tables: dict[int, pd.DataFrame], **record: Any) -> Path:
    run = {"task": task, "dataset": "toy", "model": "mico", "formulation": "released", "folds": sorted(tables)}
    (tmp_path / "run.json").write_text(json.dumps(run | record), encoding="utf-8")
    for fold, table in tables.items():
        write_predictions(tmp_path / f"fold{fold}" / "predictions_test.csv", table)
    return tmp_path


def test_the_folds_of_a_survival_run_follow_each_other(tmp_path: Path):
    run_dir = _run(
        tmp_path, "surv", {0: survival_fold((3, 2, 1)), 2: survival_fold((1, 2, 3), event=(1, 0, 1), fold=1)}
    )
    cases = read_predicted_cases(run_dir)
    assert cases.case_id.tolist() == ["P0", "P1", "P2", "P3", "P4", "P5"]
    assert cases.fold.tolist() == [0, 0, 0, 2, 2, 2]
    assert cases.score.tolist() == [3, 2, 1, 1, 2, 3]
    assert cases.outcome.tolist() == [True, True, True, True, False, True]
    assert (cases.metric, cases.outcome_words, set(cases.digests)) == ("c_index", "deaths", {"fold0", "fold2"})
    some = cases.only(cases.fold == 2)
    assert (some.case_id.tolist(), some.time.tolist()) == (["P3", "P4", "P5"], [1, 2, 3])
    assert some.outcome.tolist() == [True, False, True]


def test_slides_of_a_patient_are_averaged_and_scores_are_logits(tmp_path: Path):
    prob = np.array([[0.9, 0.1], [0.5, 0.5], [0.0, 1.0], [0.2, 0.8], [0.4, 0.6]])
    table = classification_table(["A", "A", "B", "C", "C"], [[s] for s in "abcde"], np.array([0, 0, 1, 0, 1]), prob)
    cases = read_predicted_cases(_run(tmp_path, "cls", {0: table}, class_names=["no", "tumour"]))
    assert cases.case_id.tolist() == ["A", "B"]
    np.testing.assert_allclose(1 / (1 + np.exp(-cases.score)), [0.3, 1.0], atol=1e-6)
    assert cases.outcome_words == "tumour"
    assert cases.slides == {"a": "A", "b": "A", "c": "B", "d": "C", "e": "C"}
    assert cases.notes == (
        "The probability of a patient is the mean of those of the patient's slides.",
        "Left out: 1 patient with slides of different labels (C).",
    )
    assert cases.time is None
    event, time = cases.event_and_time
    assert (event.tolist(), time.tolist()) == ([False, True], [1, 0])


def test_runs_that_cannot_be_asked(tmp_path: Path):
    with pytest.raises(UserError, match=r"has no fold\*/predictions_test.csv"):
        read_predicted_cases(_run(tmp_path, "cls", {}))
    three = classification_table(["A"], [["a"]], np.array([2]), np.array([[0.1, 0.2, 0.7]]))
    with pytest.raises(UserError, match="has 3 classes: expected survival or two classes"):
        read_predicted_cases(_run(tmp_path, "cls", {0: three}))
    with pytest.raises(UserError, match="holds predictions of task cls, expected surv"):
        read_predicted_cases(_run(tmp_path, "surv", {0: classification_fold((0.1, 0.9, 0.2, 0.8))}))
    with pytest.raises(UserError, match="3 patients in the test parts of several folds"):
        read_predicted_cases(_run(tmp_path, "surv", {0: survival_fold((3, 2, 1)), 1: survival_fold((3, 2, 1))}))
