from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from tests.utils.explain.anchor_tables import classes_of_cases, random_counts, shares_of, survival_of
from utils.errors import UserError
from utils.explain.anchor_statistics import (
    anchor_statistics,
    classes_of,
    read_anchor_statistics,
    write_anchor_statistics,
)
from utils.statistics.delong import auc_interval
from utils.statistics.holm import holm


def _survival(n_cases: int = 25, n_anchors: int = 6, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    counts = random_counts(n_cases, n_anchors, seed)
    time = np.round(rng.exponential(10 * np.exp(-4 * counts[:, 0] / 200)), 1)
    return shares_of(counts), survival_of(time, rng.random(n_cases) < 0.7)


def test_counts_and_attention_of_a_hand_worked_fold():
    """Two cases: 4 patches (1 and 3 at anchors 0 and 1, attention 0.4 and 0.4), 6 patches (3 at 0, 3 at 2; 0.1, 0.5).

    Alike, case 0 would give anchor 0 1/4 of 0.8 and case 1 half of 0.6: 0.2 + 0.3; it has 0.4 + 0.1, so 1.
    Anchor 1: 0.4 of 0.6, anchor 2: 0.5 of 0.3.
    """
    shares = shares_of(np.array([[1, 3, 0, 0], [3, 0, 3, 0]]), np.array([[0.4, 0.4, 0, 0], [0.1, 0, 0.5, 0]]))
    table = anchor_statistics(shares, classes_of_cases(np.array([0, 1]), 2))
    assert table["anchor"].tolist() == [0, 1, 2, 3]
    assert table["n_patches"].tolist() == [4, 3, 3, 0]
    assert table["share"].tolist() == [0.4, 0.3, 0.3, 0]
    assert table["n_cases"].tolist() == [2, 1, 1, 0]
    np.testing.assert_allclose(table["mean_attention"], [1, 2 / 3, 5 / 3, np.nan])
    assert table["auc_1"].tolist()[:3] == [1, 0, 1]
    why = "class 1: all positive cases lie on one side of all others (exact p)"
    assert table["note"].tolist() == [why, f"{why}; in 1 case only", f"{why}; in 1 case only", "nearest to no patch"]


def test_equal_patches_have_a_mean_attention_of_one_and_others_average_to_one():
    counts = random_counts(12, 5, seed=1)
    predictions = classes_of_cases(np.arange(12) % 2, 2)
    np.testing.assert_allclose(anchor_statistics(shares_of(counts), predictions)["mean_attention"], 1)
    attention = np.random.default_rng(2).dirichlet(np.ones(6), size=12)[:, :5] * (counts > 0)
    table = anchor_statistics(shares_of(counts, attention), predictions)
    expected = (attention.sum(axis=1, keepdims=True) * counts / counts.sum(axis=1, keepdims=True)).sum(axis=0)
    assert (table["mean_attention"] * expected).sum() / expected.sum() == pytest.approx(1)
    assert table["mean_attention"].std() > 0.05


def test_hazards_are_per_standard_deviation_and_corrected_over_the_anchors():
    shares, predictions = _survival()
    table = anchor_statistics(shares, predictions)
    assert classes_of(table) is None
    target = Surv.from_arrays(predictions["event"].astype(bool), predictions["time"])
    for k in range(6):
        x = shares[f"share_{k}"].to_numpy()
        fit = CoxPHSurvivalAnalysis(ties="efron", tol=1e-12).fit(x[:, None], target)  # per unit of the share
        assert table["log_hazard"][k] == pytest.approx(fit.coef_[0] * x.std(), rel=1e-6)
        assert table["log_hazard_low"][k] < table["log_hazard"][k] < table["log_hazard_high"][k]
    np.testing.assert_allclose(table["p_holm"], holm(table["p"].tolist()))
    assert (table["p_holm"] > table["p"]).any()
    assert table["log_hazard"][0] > 0  # the anchor that the times were drawn from
    assert table["note"].tolist() == ["", "", "in 1 case only", "in 2 cases only", "", ""]
    assert table["n_cases"].tolist()[2:4] == [1, 2]


def test_an_anchor_in_a_handful_of_cases_has_a_note():
    counts = np.full((12, 5), 7)
    counts[:, 1:4] = 0
    counts[:5, 1], counts[:4, 2], counts[0, 3] = 1, 1, 1
    counts[:, 4] += np.arange(12)
    table = anchor_statistics(shares_of(counts), survival_of(np.arange(1.0, 13), np.arange(12) % 2))
    assert table["n_cases"].tolist() == [12, 5, 4, 1, 12]
    assert [note.split("; ")[-1] for note in table["note"]][2:4] == ["in 4 cases only", "in 1 case only"]
    assert not any("only" in note for note in table["note"].iloc[[0, 1, 4]])
    everybody = anchor_statistics(shares_of(counts[:3]), survival_of(np.array([3.0, 1, 2]), np.ones(3)))
    assert not any("3 cases only" in note for note in everybody["note"])


def test_two_classes_have_the_auc_of_class_1_alone_and_three_have_one_each():
    counts = random_counts(30, 4, seed=3)
    shares, label = shares_of(counts), np.arange(30) % 3
    two = anchor_statistics(shares, classes_of_cases(np.minimum(label, 1), 2))
    three = anchor_statistics(shares, classes_of_cases(label, 3))
    assert classes_of(two) == [1]
    assert classes_of(three) == [0, 1, 2]
    assert "auc_0" not in two.columns
    for table, labels in ((two, np.minimum(label, 1)), (three, label)):
        for c in classes_of(table):
            for k in range(4):
                share = shares[f"share_{k}"].to_numpy()
                result = auc_interval(labels == c, share)
                assert table[f"auc_{c}"][k] == pytest.approx(roc_auc_score(labels == c, share))
                row = table.loc[k, [f"auc_{c}_low", f"auc_{c}_high", f"p_{c}"]].tolist()
                assert row == [result.low, result.high, result.p]
            np.testing.assert_allclose(table[f"p_{c}_holm"], holm(table[f"p_{c}"].tolist()))


def test_slides_of_one_patient_are_not_counted_as_independent():
    rng = np.random.default_rng(4)
    once, label = random_counts(15, 3, seed=4), rng.permutation(np.arange(15) % 2)
    plain = anchor_statistics(shares_of(once), classes_of_cases(label, 2))
    predictions = classes_of_cases(np.tile(label, 3), 2)
    thrice = shares_of(np.tile(once, (3, 1)))
    by_patient = anchor_statistics(thrice, predictions.assign(case_id=[f"P{i % 15}" for i in range(45)]))
    columns = ["auc_1", "auc_1_low", "auc_1_high", "p_1", "p_1_holm"]
    pd.testing.assert_frame_equal(by_patient[columns], plain[columns])
    assert (anchor_statistics(thrice, predictions)["p_1"] < plain["p_1"]).all()


def test_rows_are_matched_by_their_slides_whatever_the_order():
    shares, predictions = _survival()
    shuffled = predictions.sample(frac=1, random_state=1).reset_index(drop=True)
    pd.testing.assert_frame_equal(anchor_statistics(shares, predictions), anchor_statistics(shares, shuffled))
    predictions["case_id"] = "one patient with many slides"
    pd.testing.assert_frame_equal(anchor_statistics(shares, predictions), anchor_statistics(shares, shuffled))


def test_other_test_cases_are_refused():
    shares, predictions = _survival()
    with pytest.raises(UserError, match=r"slides S0 are in the anchor shares only \(1 such rows\)"):
        anchor_statistics(shares, predictions.iloc[1:])
    with pytest.raises(UserError, match=r"slides S23 are in the predictions only \(2 such rows\)"):
        anchor_statistics(shares.iloc[:23], predictions)


def test_what_is_undefined_is_empty_and_says_why_and_does_not_count_in_holm():
    counts = random_counts(20, 5, seed=5)
    counts[:, 3], counts[:, 4] = 0, counts[:, 4].sum() * 0 + counts[:, :3].sum(axis=1)  # anchor 4: half of all patches
    shares = shares_of(counts)
    rng = np.random.default_rng(6)
    predictions = survival_of(rng.exponential(9, 20), rng.random(20) < 0.8)
    table = anchor_statistics(shares, predictions)
    assert table["note"].tolist() == ["", "", "", "nearest to no patch", "the same share in all cases"]
    undefined = table.loc[3:, ["log_hazard", "log_hazard_low", "log_hazard_high", "p", "p_holm"]]
    assert undefined.isna().all().all()
    np.testing.assert_allclose(table["p_holm"][:3], holm(table["p"].tolist()[:3]))
    without_events = anchor_statistics(shares, survival_of(rng.exponential(9, 20), np.zeros(20)))
    assert without_events["note"].tolist() == ["no events"] * 3 + table["note"].tolist()[3:]
    one_class = anchor_statistics(shares, classes_of_cases(np.zeros(20, dtype=int), 2))
    assert one_class["note"].tolist() == ["class 1: no positive case"] * 3 + table["note"].tolist()[3:]
    three = anchor_statistics(shares, classes_of_cases(np.arange(20) % 2, 3))
    assert three["note"].tolist() == ["class 2: no positive case"] * 3 + table["note"].tolist()[3:]
    assert three["auc_0"][:3].notna().all()


def test_one_case_is_described_without_an_association():
    table = anchor_statistics(shares_of(np.array([[2, 3]])), survival_of(np.array([3.0]), np.array([1])))
    assert table["share"].tolist() == [0.4, 0.6]
    assert table["note"].tolist() == ["the same share in all cases"] * 2


@pytest.mark.parametrize("task", ["surv", "cls"])
def test_the_file_reads_back_to_the_last_bit(tmp_path: Path, task: str):
    shares, predictions = _survival()
    if task == "cls":
        predictions = classes_of_cases(np.arange(25) % 3, 3)
    shares["share_5"], shares["share_4"] = 0.0, shares["share_4"] + shares["share_5"]
    table = anchor_statistics(shares, predictions)
    write_anchor_statistics(tmp_path / "anchors.csv", table)
    assert [path.name for path in tmp_path.iterdir()] == ["anchors.csv"]
    again = read_anchor_statistics(tmp_path / "anchors.csv")
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert again["note"].iloc[5] == "nearest to no patch"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mean_attention", "attention", "column mean_attention is missing"),
        ("note", "remark", "column note is missing"),
        ("p_holm", "q", "column p_holm is missing"),
        ("log_hazard,", "hazard,", r"columns log_hazard \(survival\) and auc_1 \(classification\) are both missing"),
        ("\n0,", "\n0.5,", "column anchor: expected whole numbers"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, old: str, new: str, message: str):
    path = tmp_path / "anchors.csv"
    write_anchor_statistics(path, anchor_statistics(*_survival()))
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=f"anchors.csv: {message}"):
        read_anchor_statistics(path)
