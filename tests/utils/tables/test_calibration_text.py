from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.utils.report.report_folders import write_run
from tests.utils.run_folders import cells
from utils.runs.predictions import read_predictions, write_predictions
from utils.tables.calibration_tables import Wording, calibration_tables
from utils.tables.calibration_text import calibration_text
from utils.tables.summary import summarise


def text_of(summary: dict[str, Any]) -> str:
    return "\n\n".join(calibration_text(summary))


def test_each_value_of_a_survival_run_stands_in_the_table(tmp_path: Path):
    summary = summarise(write_run(tmp_path / "LUAD" / "mico", "surv"))
    header, *rows = cells(text_of(summary))
    assert header == ["fold", "IBS", "IBS of Kaplan-Meier", "IBS skill", "calibration slope"]
    for row, fold in zip(rows, summary["folds"], strict=False):
        limits = f"({fold['calibration_slope_low']:.3f} to {fold['calibration_slope_high']:.3f})"
        numbers = [f"{fold[name]:.3f}" for name in ("ibs", "ibs_reference", "ibs_skill")]
        assert row == [f"fold {fold['fold']}", *numbers, f"{fold['calibration_slope']:.3f} {limits}"]
    mean, std = summary["mean"]["ibs_skill"], summary["std"]["ibs_skill"]
    assert rows[-1][3] == f"{mean:.3f} ± {std:.3f}"
    assert "IBS of Kaplan-Meier: the integrated Brier score of a model that predicts for everybody" in text_of(summary)


def test_each_value_of_two_classes_stands_in_the_tables(tmp_path: Path):
    summary = summarise(write_run(tmp_path / "BRCA" / "mico", "cls", class_names=["benign", "malignant"]))
    text, fold = text_of(summary), summary["folds"][0]
    row = cells(text)[1]
    assert row[1:3] == [f"{fold['auprc']:.3f}", f"{fold['auprc_reference']:.3f}"]
    assert row[6] == f"{fold['ece']:.3f} ({fold['ece_expected']:.3f})"
    header, first, *_, mean = cells(text, table=1)
    assert header == ["fold", "threshold", "sensitivity", "specificity", "PPV", "NPV"]
    assert first[1] == f"{fold['threshold']:.3f}"
    assert first[5] == f"{fold['npv']:.3f} ({fold['npv_low']:.3f} to {fold['npv_high']:.3f})"
    assert mean[5] == f"{summary['mean']['npv']:.3f} ± {summary['std']['npv']:.3f}"
    assert "A case is called malignant (class 1) where the probability of this class is at or above" in text
    assert "the class shares of these cases themselves, the best of all constants" in text


def test_whose_shares_the_reference_has_is_said_fold_by_fold(tmp_path: Path):
    run_dir = write_run(tmp_path / "BRCA" / "mico", "cls")
    shutil.copy(run_dir / "fold0" / "predictions_val.csv", run_dir / "fold0" / "predictions_train.csv")
    text = text_of(summarise(run_dir))
    assert "shares of the fold's training cases (fold 1: of these cases themselves, the best of all constants);" in text


def test_what_is_undefined_has_a_footnote_and_the_mean_its_cases(tmp_path: Path):
    run_dir = write_run(tmp_path / "BRCA" / "mico", "cls")
    (run_dir / "fold1" / "predictions_val.csv").unlink()
    text = text_of(summarise(run_dir))
    *_, second, mean = cells(text, table=1)
    assert second[1:] == ["– (1)"] * 5
    assert mean[1].endswith(" (1 of 2 folds, 30 slides)")
    reason = "the predictions of the validation cases are not there (predictions_val.csv)"
    assert f"- (1) fold 1: threshold, sensitivity, specificity, PPV and NPV undefined: {reason}" in text


def test_predictions_of_0_or_1_are_counted(tmp_path: Path):
    run_dir = write_run(tmp_path / "BRCA" / "mico", "cls")
    path = run_dir / "fold1" / "predictions_test.csv"
    table = read_predictions(path)
    table.loc[5, ["prediction", "prob_0", "prob_1"]] = 0, 1.0, 0.0
    write_predictions(path, table)
    assert "- fold 1: 1 prediction closer to 0 or 1 than 1e-06 was taken as 1e-06 away" in text_of(summarise(run_dir))


@pytest.mark.parametrize("task", ["cls", "surv"])
def test_a_single_fold_has_no_mean(tmp_path: Path, task: str):
    summary = summarise(write_run(tmp_path / "A" / "mico", task, n_folds=1))
    assert "mean ± std" not in text_of(summary)
    assert json.loads(json.dumps(summary)) == summary


def test_a_summary_without_these_metrics_has_no_tables():
    assert list(calibration_tables("surv", [], {"mean": {"c_index": 0.5}, "folds": []}, Wording())) == []
