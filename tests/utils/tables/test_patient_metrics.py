from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.run_folders import classification_fold, classification_folds
from utils.runs.predictions import classification_table
from utils.tables.patient_metrics import NO_PATIENT, patient_metrics


def slides(*rows: tuple[str, int, float]) -> pd.DataFrame:
    """Predictions of slides from (patient, label, probability of class 1)."""
    patients, label, positive = zip(*rows, strict=True)
    prob = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    return classification_table(patients, [[f"s{row}"] for row in range(len(rows))], np.array(label), prob)


# Slides: 4 of 6 right. Patients: P1 0.4 of class 1 (wrong), P2 0.6 (right), P3 0.3 (right); ranks 0.3 < 0.4 < 0.6.
TWO_OF_THREE = slides(
    ("P1", 1, 0.7), ("P1", 1, 0.1), ("P2", 1, 0.6), ("P3", 0, 0.55), ("P3", 0, 0.15), ("P3", 0, 0.2),
)  # fmt: skip


def test_a_hand_worked_run():
    found = patient_metrics({0: TWO_OF_THREE, 3: classification_fold((0.1, 0.9), label=(0, 1))})
    assert found is not None
    first, second = found["folds"]
    # Labels 1 1 0, predictions 0 1 0: F1 of class 0 2/3, of class 1 2/3; recalls 1 and 1/2.
    assert (first["fold"], first["n_test"], first["left_out"]) == (0, 3, [])
    assert {name: first[name] for name in ("acc", "balanced_acc", "f1", "auc")} == {
        "acc": pytest.approx(2 / 3), "balanced_acc": 0.75, "f1": pytest.approx(2 / 3), "auc": 1.0,
    }  # fmt: skip
    assert first["reasons"] == {}
    # A fold of one slide per patient is the same by patient.
    assert (second["fold"], second["n_test"], second["acc"], second["auc"]) == (3, 2, 1.0, 1.0)
    assert found["mean"]["acc"] == pytest.approx(5 / 6)
    assert found["std"]["acc"] == pytest.approx(1 / 6)
    assert found["n_defined"] == dict.fromkeys(("acc", "balanced_acc", "f1", "auc"), 2)


def test_nothing_where_rows_are_patients():
    assert patient_metrics(classification_folds((0.1, 0.9, 0.2, 0.8), (0.1, 0.4, 0.6, 0.8))) is None


def test_patients_of_both_classes_are_left_out():
    torn = slides(("P1", 1, 0.7), ("P1", 0, 0.9), ("P2", 1, 0.6), ("P3", 0, 0.2))
    found = patient_metrics({0: torn, 1: torn[:2]})
    assert found is not None
    first, second = found["folds"]
    assert (first["n_test"], first["left_out"], first["acc"], first["auc"]) == (2, ["P1"], 1.0, 1.0)
    assert (second["n_test"], second["left_out"], second["acc"]) == (0, ["P1"], None)
    assert second["reasons"] == dict.fromkeys(("acc", "balanced_acc", "f1", "auc"), NO_PATIENT)
    assert found["n_defined"]["acc"] == 1
