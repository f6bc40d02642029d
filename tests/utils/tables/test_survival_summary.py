from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils.tables.summary_folders import RUN, write_classification_fold, write_run, write_survival_fold
from utils.errors import UserError
from utils.runs.predictions import read_predictions
from utils.runs.tasks import SURVIVAL
from utils.runs.training_outcomes import read_training_outcomes, write_training_outcomes
from utils.statistics.censoring_metrics import TrainingOutcomes
from utils.statistics.group_effect import HAZARD_RATIO, group_effect
from utils.statistics.interval import logit_limits
from utils.statistics.metrics import survival_metrics
from utils.tables.summary import fold_metrics, summarise, write_summary


def test_the_summary_of_a_survival_run(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv", folds=[0, 1])
    # Three of four comparable pairs: (0, 1) (0, 2) (0, 3) are right, (1, 2) and (1, 3) too, (2, 3) is not comparable.
    time, event, risk = [1.0, 2, 3, 4], [1, 1, 0, 0], [0.9, 0.1, 0.5, 0.05]
    write_survival_fold(run_dir, 0, time, event, risk)
    write_survival_fold(run_dir, 1, time, [0, 0, 0, 0], risk)
    summary = summarise(run_dir)
    first, second = summary["folds"]
    assert first["c_index"] == pytest.approx(4 / 5)  # (1, 2) is wrong
    # Without each case in turn 1 of 2, 3 of 3, 2 of 3 and 2 of 3 pairs are right.
    without = np.array([1 / 2, 1, 1, 2 / 3])
    limits = logit_limits(4 / 5, 3 / 4 * ((without - without.mean()) ** 2).sum())
    assert (first["c_index_low"], first["c_index_high"]) == pytest.approx(limits)
    measured = summary["intervals"]["c_index"]
    limits = {"low": first["c_index_low"], "high": first["c_index_high"]}
    assert measured["folds"][0] == {"fold": 0, "value": first["c_index"], **limits, "reason": None}
    assert measured["folds"][1]["reason"] == "no events"
    assert measured["mean"] == {name: value for name, value in measured["folds"][0].items() if name != "fold"}
    assert [second[name] for name in SURVIVAL.metrics] == [None, None, None, None, 0, None, None, None]
    assert second["reasons"]["c_index"] == "no events"
    assert (summary["mean"]["c_index"], summary["std"]["c_index"]) == (first["c_index"], 0.0)
    assert (summary["mean"]["n_events"], summary["std"]["n_events"]) == (1.0, 1.0)


# Folds of odd and even size, with ties, and one of equal risks: time, event, risk.


FOLDS = {
    0: ([4.0, 9, 2, 7, 5], [1, 0, 1, 1, 1], [0.2, -1.0, 0.9, 0.1, 0.2]),
    1: ([3.0, 8, 1, 6], [1, 1, 0, 1], [15.0, 11, 14, 12]),
    2: ([3.0, 5], [1, 1], [0.5, 0.5]),
    10: ([2.0, 6, 10], [1, 0, 1], [-3.0, -3.5, -4]),
}
# High by hand, at or above the medians 0.2, 13 and -3.5; fold 2 has no halves.


HIGH = {0: [1, 0, 1, 0, 1], 1: [1, 0, 1, 0], 10: [1, 1, 0]}


@pytest.fixture
def survival_run(tmp_path: Path) -> Path:
    run_dir = write_run(tmp_path / "surv", "surv", folds=[0, 1, 2, 10])
    for fold, (time, event, risk) in FOLDS.items():
        write_survival_fold(run_dir, fold, time, event, risk)
    return run_dir


def test_the_pooled_logrank_from_prediction_files_to_the_three_files(survival_run: Path):
    time, event = (np.array([x for fold in (0, 1, 10) for x in FOLDS[fold][column]]) for column in (0, 1))
    high = np.array([x for fold in (0, 1, 10) for x in HIGH[fold]], dtype=bool)
    difference = variance = 0.0
    for t in np.unique(time[event == 1]):
        n, n_1, d = (time >= t).sum(), (time[high] >= t).sum(), ((time == t) & (event == 1)).sum()
        difference += ((time == t) & (event == 1) & high).sum() - d * n_1 / n
        variance += d * (n - d) * n_1 * (n - n_1) / (n * n * (n - 1)) if n > 1 else 0
    p = math.erfc(math.sqrt(difference**2 / variance / 2))
    summary = write_summary(survival_run)
    assert summary["pooled"] == {
        "logrank_p": pytest.approx(p, abs=1e-12),
        "n_cases": 12,
        "n_high": 7,
        "deaths_high": 5,  # at 4, 2, 5 of fold 0, at 3 of fold 1, at 2 of fold 10
        "deaths_low": 4,  # at 7, at 8 and 6, at 10
        "folds": [0, 1, 10],
        "left_out": {"2": "all risks equal"},
        "reason": None,
    }
    assert json.loads((survival_run / "summary.json").read_text()) == summary
    rows = list(csv.DictReader((survival_run / "summary.csv").read_text().splitlines()))
    assert [row["fold"] for row in rows] == ["0", "1", "2", "10", "mean", "std", "sample_std", "stratified", "pooled"]
    pooled = {name: cell for name, cell in rows[-1].items() if cell}
    assert pooled.keys() == {"fold", "n_test", "n_events", "logrank_p", "c_index"}
    assert float(pooled["c_index"]) == summary["c_index_within_folds"]["c_index"]
    assert (pooled["n_test"], pooled["n_events"]) == ("12", "9")
    assert float(pooled["logrank_p"]) == summary["pooled"]["logrank_p"]
    fold = np.array([k for k in (0, 1, 10) for _ in FOLDS[k][0]])
    effect = group_effect(event, time, high, fold)
    stratified = {name: float(cell) for name, cell in rows[-2].items() if cell and name != "fold"}
    assert effect.hazard_ratio is None  # only high-risk cases die while both halves are at risk
    assert stratified == {"n_test": 12, "n_events": 9, "logrank_p": effect.p}
    (line,) = [line for line in (survival_run / "summary.md").read_text().splitlines() if line.startswith("| released")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert 0.01 < p < 0.05
    assert cells[5].startswith(f"{p:.3f} (")  # below 0.05, but a fold is left out: no star


def test_the_halves_of_a_fold_are_at_or_above_its_median(survival_run: Path):
    row = summarise(survival_run)["folds"][3]
    # Fold 10: deaths at 2 (high) and 10 (low), the case at the median, high, censored at 6. At 2 months 3 at risk, 2 of
    # them high: expected 2/3, variance 2/9; at 10 nobody else: chi-squared (1/3)^2 / (2/9) = 1/2.
    assert row["logrank_p"] == pytest.approx(math.erfc(math.sqrt(1 / 2 / 2)), abs=1e-12)


def test_a_pooled_logrank_without_a_value_has_its_reason(tmp_path: Path):
    run_dir = write_run(tmp_path / "equal", "surv")
    write_survival_fold(run_dir, 0, [1, 2], [1, 1], [0.5, 0.5])
    summary = write_summary(run_dir)
    assert summary["pooled"] == dict.fromkeys(("n_cases", "n_high", "deaths_high", "deaths_low"), 0) | {
        "logrank_p": None, "folds": [], "left_out": {"0": "all risks equal"}, "reason": "no fold has two halves",
    }  # fmt: skip
    assert (run_dir / "summary.csv").read_text().splitlines()[-1] == "pooled,0,0.5,,,,0,,,,,,,,,,,"
    run_dir = write_run(tmp_path / "twice", "surv")
    for fold in (0, 1):
        write_survival_fold(run_dir, fold, [1, 2, 3], [1, 1, 0], [3, 2, 1])
    path = run_dir / "fold1" / "predictions_test.csv"
    path.write_text(path.read_text().replace("1-00", "0-00"))
    pooled = summarise(run_dir)["pooled"]
    assert (pooled["logrank_p"], pooled["n_cases"]) == (None, 6)
    assert pooled["reason"] == "3 cases in the test part of more than one fold"


def write_outcomes(run_dir: Path, fold: int, **change: Any) -> dict[str, Any]:
    """Training cases with the inner edges 3, 4.5 and 6 of four bins."""
    outcomes = {
        "event": np.array([1, 0, 1, 0, 1, 1, 0]),
        "time": np.array([1, 2, 3, 4, 4.5, 6, 9]),
        "bin": np.array([0, 0, 1, 1, 2, 3, 3]),
    } | change
    ids = [f"train_{index}" for index in range(len(outcomes["time"]))]
    write_training_outcomes(run_dir / f"fold{fold}" / "outcomes_train.csv", case_ids=ids, **outcomes)
    return outcomes


def test_training_outcomes_beside_the_predictions_give_the_metrics_corrected_for_censoring(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv", folds=[0, 1])
    time, event, risk = [2.0, 3.5, 5, 7, 8], [1, 1, 0, 1, 0], [0.5, 0.9, 0.4, 0.1, 0.3]
    write_survival_fold(run_dir, 0, time, event, risk)
    write_survival_fold(run_dir, 1, time, event, risk)
    outcomes = write_outcomes(run_dir, 1)
    summary = write_summary(run_dir)
    first, second = summary["folds"]
    expected = survival_metrics(
        np.array(event), np.array(time), np.array(risk), seed=RUN["seed"],
        train=TrainingOutcomes(**outcomes), hazards=np.full((5, 4), 0.5),
    )  # fmt: skip
    expected.pop("reasons")
    assert {name: second[name] for name in expected} == expected
    # The deaths before 6 months, at 2 and 3.5, have the same weight (G = 5/6 from 2 to 4 months): the first is ranked
    # right against 3 of 4 others, the second against 3 of 3.
    assert second["c_index_ipcw"] == pytest.approx(6 / 7)
    # By 3 months one has died, AUC 3/4 and S = 4/5; by 4.5 two, AUC 1 and S = 3/5; by 6 nobody more.
    assert second["td_auc"] == pytest.approx((3 / 4 * 1 / 5 + 1 * 1 / 5) / (2 / 5))
    constant = "constant among the cases at risk at every death"
    slope = dict.fromkeys(("calibration_slope", "calibration_slope_low", "calibration_slope_high"), constant)
    assert second["reasons"] == slope
    needing = ("c_index_ipcw", "td_auc", "ibs", "ibs_reference", "ibs_skill")
    reason = "the outcomes of the training cases are not there (outcomes_train.csv)"
    assert first["reasons"] == slope | dict.fromkeys(needing, reason)
    for name in needing:
        assert first[name] is None
        assert (summary["mean"][name], summary["std"][name], summary["n_defined"][name]) == (second[name], 0.0, 1)
    assert json.loads((run_dir / "summary.json").read_text()) == summary
    rows = list(csv.DictReader((run_dir / "summary.csv").read_text().splitlines()))
    assert list(rows[0])[2:] == [*SURVIVAL.measured, *HAZARD_RATIO]
    assert [row["ibs"] for row in rows] == ["", repr(second["ibs"]), repr(second["ibs"]), "0.0", "", "", ""]


def test_fold_metrics_take_training_outcomes_for_survival_only(tmp_path: Path):
    write_survival_fold(tmp_path, 0, [2.0, 3.5, 5, 7, 8], [1, 1, 0, 1, 0], [0.5, 0.9, 0.4, 0.1, 0.3])
    write_outcomes(tmp_path, 0)
    table = read_predictions(tmp_path / "fold0" / "predictions_test.csv")
    outcomes = read_training_outcomes(tmp_path / "fold0" / "outcomes_train.csv")
    assert fold_metrics(table, with_interval=False, outcomes=outcomes)["c_index_ipcw"] == pytest.approx(6 / 7)
    assert fold_metrics(table, with_interval=False)["c_index_ipcw"] is None
    write_classification_fold(tmp_path, 1, [0, 1], [0.1, 0.9])
    table = read_predictions(tmp_path / "fold1" / "predictions_test.csv")
    assert fold_metrics(table, outcomes=outcomes) == fold_metrics(table)


def test_training_outcomes_of_other_bins_or_damaged_ones_are_user_errors(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv")
    write_survival_fold(run_dir, 0, [1, 2, 3, 4], [1, 1, 0, 1], [4, 3, 2, 1])
    write_outcomes(run_dir, 0, bin=np.array([0, 0, 1, 1, 2, 3, 4]))
    with pytest.raises(UserError, match=r"outcomes_train.csv: holds bin 4, expected 0 to 3 as the predictions beside"):
        summarise(run_dir)
    (run_dir / "fold0" / "outcomes_train.csv").write_text("case_id,time,event,bin\na,1,7,0\n")
    with pytest.raises(UserError, match=r"outcomes_train.csv: column event, line 2: found '7'"):
        summarise(run_dir)


def test_the_csv_averages_no_p_values_and_no_interval_ends(tmp_path: Path):
    run_dir = write_run(tmp_path, "surv")
    write_survival_fold(run_dir, 0, [1, 2, 3, 4], [1, 1, 0, 1], [4, 2, 3, 1])
    summary = write_summary(run_dir)
    rows = {row["fold"]: row for row in csv.DictReader((run_dir / "summary.csv").read_text().splitlines())}
    assert float(rows["mean"]["c_index"]) == summary["mean"]["c_index"] == 4 / 5
    for name in ("c_index_low", "c_index_high", "logrank_p"):
        assert rows["0"][name] != ""
        assert rows["mean"][name] == rows["std"][name] == ""
