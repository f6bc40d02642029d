"""main.py on a classification cohort whose patients have several slides: slides or patients as bags."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from tests.commands.conftest import SMALL, cls_arguments
from utils.runs.predictions import read_predictions
from utils.statistics.metrics import classification_metrics

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Cohort:
    settings = CohortSettings(task="cls", n_cases=16, slides_per_case=(1, 3), **SMALL)
    return make_cohort(tmp_path_factory.mktemp("several"), settings)


def slides_of(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["case_id"], table["slide_ids"], strict=True))


def test_slides_are_predicted_and_patients_evaluated_beside_them(cohort, run_main, tmp_path):
    run_main(*cls_arguments(cohort, tmp_path, "--run_name", "run")).check()
    run_dir = tmp_path / "cls" / "toy" / "run"
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["unit"] == "slide"
    assert sum(fold["n_test"] for fold in summary["folds"]) == sum(len(case.slide_ids) for case in cohort.cases)
    for fold in summary["by_patient"]["folds"]:
        table = pd.read_csv(run_dir / f"fold{fold['fold']}" / "predictions_test.csv")
        means = table.groupby("case_id")[["label", "prob_0", "prob_1"]].mean()
        expected = classification_metrics(means["label"].to_numpy(dtype=int), means[["prob_0", "prob_1"]].to_numpy())
        assert fold["reasons"] == expected.pop("reasons") == {}
        assert {name: fold[name] for name in expected} == pytest.approx(expected)
        assert fold["n_test"] == len(means) < len(table)
    assert "## By patient (mean of the slides' probabilities)" in (run_dir / "summary.md").read_text()


def test_patients_as_bags_from_training_to_explanations(cohort, run_main, tmp_path):
    arguments = cls_arguments(cohort, tmp_path, "--run_name", "run", "--unit", "patient", "--max_patches", "10")
    arguments += ["--weighted_sampling", "--batch_size", "3"]
    run_main(*arguments, "--folds", "0").check()
    run_main(*arguments, "--resume").check()
    run_main(*arguments, "--stage", "explain", "--explain_cases", "1").check()
    run_dir = tmp_path / "cls" / "toy" / "run"
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["unit"] == "patient"
    assert "by_patient" not in summary
    tables = [read_predictions(run_dir / f"fold{fold}" / "predictions_test.csv") for fold in (0, 1)]
    known = {case.case_id: ";".join(case.slide_ids) for case in cohort.cases}
    assert slides_of(tables[0]) | slides_of(tables[1]) == known  # a row per patient
    record = json.loads((run_dir / "run.json").read_text())
    parts = record["cohort"]["fold0"].values()
    assert sum(part["cases"] for part in parts) == len(cohort.cases)
    assert sum(sum(part["slides_per_class"].values()) for part in parts) == sum(len(c.slide_ids) for c in cohort.cases)
    chosen = pd.read_csv(run_dir / "fold0" / "explain" / "cases.csv")
    for case in chosen.itertuples():
        assert case.slide_ids == known[case.case_id]
        for slide_id in case.slide_ids.split(";"):
            assert (run_dir / "fold0" / "explain" / slide_id / "attention.png").exists()
    shares = pd.read_csv(run_dir / "fold0" / "explain" / "anchor_shares.csv")
    assert slides_of(shares) == slides_of(tables[0])


def test_a_run_goes_on_with_its_unit(cohort, run_main, tmp_path):
    arguments = cls_arguments(cohort, tmp_path, "--run_name", "run", "--model", "meanpool", "--folds", "0")
    run_main(*arguments).check()
    ended = run_main(*arguments, "--resume", "--unit", "patient")
    assert ended.status == 2
    assert "was begun with other settings (unit was slide and is patient)" in ended.err


def test_patients_of_two_classes_stop_a_run_before_it_begins(cohort, run_main, tmp_path):
    splits = tmp_path / "splits"
    splits.mkdir()
    table = pd.read_csv(cohort.splits_dir / "fold0.csv", dtype=str)
    several = table["train_case_id"].duplicated(keep=False) & table["train_case_id"].notna()
    row = int(np.flatnonzero(several)[0])
    table.loc[row, "train_label"] = str(1 - int(table.loc[row, "train_label"]))
    table.to_csv(splits / "fold0.csv", index=False)
    arguments = [splits if part == cohort.splits_dir else part for part in cls_arguments(cohort, tmp_path)]
    run_main(*arguments, "--model", "meanpool").check()
    ended = run_main(*arguments, "--unit", "patient", "--run_name", "patients")
    assert ended.status == 2
    patient = table.loc[row, "train_case_id"]
    assert f"1 of {len(cohort.cases)} patients has slides of different classes in " in ended.err
    assert f"({patient} of 0 and 1), where --unit patient expects one class of a patient" in ended.err
    assert not Path(tmp_path, "cls", "toy", "patients").exists()
