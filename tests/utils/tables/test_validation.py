from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.utils.tables.cohort_folders import classification_folder, survival_folder
from utils.errors import UserError
from utils.files.provenance import digest
from utils.runs.cohort_predictions import read_cohort_predictions
from utils.runs.predict_dir import write_record
from utils.runs.predictions import read_predictions, write_predictions
from utils.statistics.metric_intervals import metric_intervals
from utils.tables.validation import validate, write_validation
from utils.tables.validation_text import format_validation


@pytest.mark.parametrize("make", [classification_folder, survival_folder])
def test_tables_come_from_the_prediction_files_alone(tmp_path: Path, make):
    folder = make(tmp_path)
    summary = write_validation(folder)
    assert json.loads((folder / "summary.json").read_text()) == json.loads(json.dumps(summary))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == {"ensemble": summary["ensemble"], "folds": summary["folds"]}
    table = pd.read_csv(folder / "summary.csv")
    assert table["fold"].tolist() == ["ensemble", "0", "2", "mean", "std", "sample_std"]
    assert [row["fold"] for row in summary["folds"]] == [0, 2]
    main = "auc" if summary["task"] == "cls" else "c_index"
    assert table[main].iloc[0] == pytest.approx(summary["ensemble"][main])
    assert summary["mean"][main] == pytest.approx(np.mean([row[main] for row in summary["folds"]]))


def test_only_cases_with_an_outcome_count(tmp_path: Path):
    folder = classification_folder(tmp_path, n_unknown=5)
    summary = validate(folder)
    n_rows = len(read_predictions(folder / "predictions.csv", may_lack_outcomes=True))
    assert (summary["n_cases"], summary["n_known"]) == (n_rows, n_rows - 5)
    assert summary["ensemble"]["n_test"] == n_rows - 5
    assert f"{n_rows - 5} slides with an outcome of {n_rows} slides predicted" in format_validation(summary)


def test_the_interval_is_that_of_the_ensemble(tmp_path: Path):
    folder = classification_folder(tmp_path)
    summary = validate(folder)
    _, ensemble, _ = read_cohort_predictions(folder)
    expected = metric_intervals({0: ensemble})["auc"].per_fold[0]
    found = summary["ensemble"]["intervals"]["auc"]
    assert (found["value"], found["low"], found["high"]) == (expected.value, expected.low, expected.high)
    text = format_validation(summary)
    assert f"{found['low']:.3f} to {found['high']:.3f}" in text
    acc = summary["ensemble"]["intervals"]["acc"]
    assert f"95 % intervals of the ensemble: ACC {acc['low']:.3f} to {acc['high']:.3f}, macro F1 " in text


def test_a_survival_ensemble_in_perfect_order_has_no_limits_and_says_why(tmp_path: Path):
    folder = survival_folder(tmp_path)
    path = folder / "predictions.csv"
    table = read_predictions(path, may_lack_outcomes=True)
    table["risk"] = -table["time"].astype(float)
    write_predictions(path, table, may_lack_outcomes=True)
    summary = validate(folder)
    assert summary["ensemble"]["c_index_low"] is None
    text = format_validation(summary)
    row = next(line for line in text.splitlines() if line.startswith("| ensemble"))
    assert "1.000 | – (1)" in " ".join(row.split())
    assert "(1) ensemble: 95 % interval undefined: a value of 1 has no variance" in text


def test_separated_classes_have_a_lower_limit(tmp_path: Path):
    folder = classification_folder(tmp_path)
    path = folder / "predictions.csv"
    table = read_predictions(path, may_lack_outcomes=True)
    prob = table["label"].astype(float) * 0.5 + 0.1 + np.arange(len(table)) / (3 * len(table))
    table["prob_0"], table["prob_1"], table["prediction"] = 1 - prob, prob, table["label"]
    table["prediction_name"] = table["label_name"]
    table["case_id"] = table["slide_ids"]
    write_predictions(path, table, may_lack_outcomes=True)
    ensemble = validate(folder)["ensemble"]
    fewest = int(min(table["label"].value_counts()))
    measured = ensemble["intervals"]["auc"]
    assert (measured["value"], measured["low"], measured["high"]) == (1.0, pytest.approx(0.025 ** (1 / fewest)), 1.0)


def test_the_text_says_how_the_cut_off_divides(tmp_path: Path):
    summary = validate(survival_folder(tmp_path))
    row = summary["ensemble"]
    text = format_validation(summary)
    assert f"{row['n_high']} of {row['n_test']} cases have a risk at or above the cut-off" in text
    assert "# there: external validation of here, mico (released), survival" in text


def test_what_is_undefined_has_its_reason(tmp_path: Path):
    summary = validate(survival_folder(tmp_path, cut_off=-100.0))
    assert summary["ensemble"]["logrank_p"] is None
    said = "(1) folds 0 and 2, ensemble: log-rank p and hazard ratio undefined: the risk of every case is at or"
    assert said in format_validation(summary)


def test_a_folder_without_outcomes_or_files_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no case has an outcome"):
        validate(classification_folder(tmp_path / "a", n_unknown=10**6))
    folder = classification_folder(tmp_path / "b")
    (folder / "predictions_fold2.csv").unlink()
    with pytest.raises(UserError, match=r"predictions_fold2\.csv is missing"):
        validate(folder)
    with pytest.raises(UserError, match=r"predict\.json: cannot be read"):
        validate(tmp_path)


def test_a_fold_that_was_trained_again_is_said(tmp_path: Path):
    folder = classification_folder(tmp_path / "run" / "predict" / "there")
    checkpoint = tmp_path / "run" / "fold2" / "checkpoint.pt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"weights")
    record = json.loads((folder / "predict.json").read_text())
    write_record(folder, record | {"models": {"fold0": "gone", "fold2": digest(checkpoint)}})
    assert validate(folder)["warnings"] == ["a warning"]
    checkpoint.write_bytes(b"other weights")
    said = "trained again since it predicted this cohort, which has to be predicted again: fold 2"
    assert validate(folder)["warnings"] == [said, "a warning"]
    assert f"- {said}" in format_validation(validate(folder))


def test_an_ensemble_that_tells_no_case_apart(tmp_path: Path):
    folder = classification_folder(tmp_path)
    for name in ("predictions.csv", "predictions_fold0.csv", "predictions_fold2.csv"):
        table = read_predictions(folder / name)
        table = table.assign(prob_1=0.4, prob_0=0.6, prediction=0, prediction_name="benign")
        write_predictions(folder / name, table)
    said = "the ensemble predicts the same probabilities for all of 40 slides, but for rounding: look at the features"
    assert said in validate(folder)["warnings"]


def test_a_ranking_the_wrong_way_round_and_one_class_are_said(tmp_path: Path):
    folder = classification_folder(tmp_path)
    for name in ("predictions.csv", "predictions_fold0.csv", "predictions_fold2.csv"):
        table = read_predictions(folder / name)
        turned = 0.9 + 0.1 * table["prob_0"]  # all of class 1, and the true class 1 the least
        table = table.assign(prob_1=turned, prob_0=1 - turned, prediction=1, prediction_name="malignant")
        write_predictions(folder / name, table)
    one_class, wrong_way, *_ = validate(folder)["warnings"]
    assert one_class.startswith("the ensemble predicts class 1 (malignant) for all of 40 slides")
    assert wrong_way.startswith("worse than chance: the 95 % interval of the AUC lies below 0.5")


def test_the_thresholds_of_the_run_divide_the_cohort(tmp_path: Path):
    folder = classification_folder(tmp_path)
    summary = validate(folder)
    assert [row["threshold"] for row in (summary["ensemble"], *summary["folds"])] == [0.5, 0.25, 0.75]
    text = format_validation(summary)
    assert "of the ensemble the mean of these. Of equally good thresholds" in text
    assert "## Two classes at a threshold" in text
    assert "| ensemble   | 0.500 " in text


def test_folds_of_the_same_cases_are_not_added_up(tmp_path: Path):
    folder = classification_folder(tmp_path)
    record = json.loads((folder / "predict.json").read_text())
    record["thresholds"].pop("fold2")
    (folder / "predict.json").write_text(json.dumps(record))
    summary = validate(folder)
    assert "n_test" not in summary
    text = format_validation(summary)
    assert "| 0.250 (1 of 2 folds) |" in text
    assert "fold 2: threshold, sensitivity, specificity, PPV and NPV undefined: no threshold of the run's" in text


def test_the_reference_of_survival_is_the_cohort_itself(tmp_path: Path):
    summary = validate(survival_folder(tmp_path))
    assert summary["ensemble"]["ibs_skill"] == pytest.approx(
        1 - summary["ensemble"]["ibs"] / summary["ensemble"]["ibs_reference"]
    )
    assert len({row["ibs_reference"] for row in (summary["ensemble"], *summary["folds"])}) == 1
    assert "for everybody the Kaplan-Meier curve of the cohort itself, with" in format_validation(summary)
