from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.utils.run_folders import C_1, classification_fold, survival_fold
from utils.runs.predictions import classification_table
from utils.statistics.patients import by_patient, has_patients_of_several_rows


def table_of(*rows: tuple[str, str, int, tuple[float, ...]]) -> pd.DataFrame:
    """Predictions from (patient, slides joined by ;, label, probabilities)."""
    patients, slides, label, prob = zip(*rows, strict=True)
    return classification_table(patients, [text.split(";") for text in slides], np.array(label), np.array(prob))


def test_a_hand_worked_table():
    found = by_patient(
        table_of(
            ("P2", "s1", 1, (0.1, 0.9)),
            ("P1", "s2", 0, (0.7, 0.3)),
            ("P2", "s3", 1, (0.7, 0.3)),  # wrong by itself: P2 has (0.9 + 0.3) / 2 of class 1
            ("P3", "s4", 0, (0.2, 0.8)),  # of both classes
            ("P3", "s5", 1, (0.2, 0.8)),
        )
    )
    expected = table_of(("P2", "s1;s3", 1, (0.4, 0.6)), ("P1", "s2", 0, (0.7, 0.3)))
    pd.testing.assert_frame_equal(found.table, expected)
    assert found.table["prediction"].tolist() == [1, 0]
    assert found.left_out == ("P3",)


def test_three_classes_against_a_loop_over_patients():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 12)
    patient = rng.integers(0, 12, 60)
    prob = rng.dirichlet(np.ones(3), 60)
    slides = [[f"s{row}"] for row in range(60)]
    found = by_patient(classification_table([f"P{i}" for i in patient], slides, labels[patient], prob))
    assert found.left_out == ()
    assert found.table["case_id"].tolist() == list(dict.fromkeys(f"P{i}" for i in patient))
    for row in found.table.itertuples():
        index = int(row.case_id[1:])
        own = [prob[i] for i in range(60) if patient[i] == index]
        assert (row.prob_0, row.prob_1, row.prob_2) == pytest.approx(sum(own) / len(own))
        assert row.label == labels[index]
        assert row.slide_ids == ";".join(f"s{i}" for i in range(60) if patient[i] == index)


def test_patients_of_one_row_keep_it():
    """Digit by digit, also where a row is of several slides already (`--unit patient`)."""
    for table in (classification_fold((0.1, 0.3, 0.7, 1 / 3)), table_of(("P1", "a;b", 1, (0.1, 0.9)))):
        assert not has_patients_of_several_rows(table)
        pd.testing.assert_frame_equal(by_patient(table).table, table, check_exact=True)


def test_no_patient_with_a_label():
    table = table_of(("P3", "s4", 0, (0.2, 0.8)), ("P3", "s5", 1, (0.2, 0.8)))
    assert has_patients_of_several_rows(table)
    found = by_patient(table)
    assert (len(found.table), found.left_out) == (0, ("P3",))
    assert list(found.table.columns) == list(table.columns)


def test_survival_is_by_patient_already():
    with pytest.raises(ValueError, match="expected predictions of classification"):
        by_patient(survival_fold(C_1))
