"""Which epoch main.py keeps, when it stops, and what it says where the choice means little."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from datasets.folds.cases import Case, Fold
from datasets.folds.splits import write_fold
from datasets.slides.features import write_slide
from tests.commands.conftest import cls_arguments, surv_arguments
from tests.reference.early_stopping import released_stop
from utils.files.tensors import load_tensors, save_tensors
from utils.training import training

pytestmark = pytest.mark.slow
LONG = ("--folds", "0", "--epochs", "60", "--lr", "1e-2", "--patience", "5")


def log_of(fold_dir: Path) -> pd.DataFrame:
    return pd.read_csv(fold_dir / "log.csv")


def kept_epoch(fold_dir: Path) -> int:
    return json.loads((fold_dir / "metrics.json").read_text())["best_epoch"]


@pytest.mark.parametrize(
    ("task", "monitor"),
    [("cls", "auto"), ("cls", "val_auc"), ("surv", "auto"), ("surv", "val_c_index")],
)
def test_training_stops_and_selects_by_the_released_rule(
    cls_cohort, surv_cohort, run_main, tmp_path, task: str, monitor: str
):
    arguments = {"cls": cls_arguments(cls_cohort, tmp_path), "surv": surv_arguments(surv_cohort, tmp_path)}[task]
    run_main(*arguments, *LONG, "--monitor", monitor, "--tie_rule", "first").check()
    fold_dir = tmp_path / task / "toy" / "mico_released" / "fold0"
    log = log_of(fold_dir)
    column = {"cls": "val_f1", "surv": "val_loss"}[task] if monitor == "auto" else monitor
    assert len(log) < 60
    expected = released_stop(log[column].tolist(), 5, lowest=column == "val_loss")
    assert (len(log), kept_epoch(fold_dir)) == expected
    record = json.loads((fold_dir.parent / "run.json").read_text())
    assert record["settings"]["monitor"] == column


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory) -> dict[str, Path]:
    """Three classes of 44, 18 and 10 slides that hardly differ; one fold with 12 validation slides."""
    root, rng = tmp_path_factory.mktemp("unbalanced"), np.random.default_rng(0)
    labels = rng.permutation(np.repeat([0, 1, 2], [44, 18, 10]))
    shifts = rng.normal(size=(3, 16)) / 4
    cases = [Case(f"s{index}", (f"s{index}",), label=int(label)) for index, label in enumerate(labels)]
    for case in cases:
        patches = rng.normal(size=(int(rng.integers(10, 20)), 16))
        patches[:2] += 4 * shifts[case.label]
        write_slide(root / "features" / f"{case.case_id}.pt", torch.from_numpy(patches.astype(np.float32)))
    path = root / "splits" / "fold0.csv"
    write_fold(path, Fold(0, path, "cls", 3, train=tuple(cases[:42]), val=tuple(cases[42:54]), test=tuple(cases[54:])))
    return {"features": root / "features", "splits": path.parent}


def train_unbalanced(unbalanced: dict[str, Path], results: Path, run_main, *more: str) -> tuple[Path, str]:
    places = ["--features_dir", unbalanced["features"], "--splits_dir", unbalanced["splits"], "--results_dir", results]
    options = "--task cls --dataset u --anchors random --n_clusters 8 --embed_dim 16 --batch_size 8 --grad_accum 1"
    ended = run_main(*options.split(), *places, "--lr", "5e-4", "--seed", "3", "--device", "cpu", *more).check()
    return results / "cls" / "u" / "mico_released_seed3", ended.out + ended.err


def test_a_score_that_stands_still_is_said_and_does_not_keep_the_untrained_model(unbalanced, run_main, tmp_path):
    """Macro F1 of the one class that is predicted is the same after each of nine epochs while the loss falls."""
    first, said_first = train_unbalanced(
        unbalanced, tmp_path / "first", run_main, "--tie_rule", "first", "--no_figures"
    )
    tied, _ = train_unbalanced(unbalanced, tmp_path / "tied", run_main)
    for place in (first, tied):
        log = log_of(place / "fold0")
        assert log["val_f1"].nunique() == 1
        assert len(log) == 9
    assert kept_epoch(first / "fold0") == 1
    assert kept_epoch(tied / "fold0") == log_of(tied / "fold0")["val_loss"].idxmin() + 1 == 9

    still = "val_f1 is the same after every epoch, so that {} selected one: give --monitor val_loss"
    (predicted,) = pd.read_csv(tied / "fold0" / "predictions_test.csv")["prediction"].unique()
    one_class = f"all test slides are predicted as class {predicted}: look at the learning curves"
    for text in (still.format("nothing"), one_class):
        assert f"warning: fold 0: {text}" in said_first
    still = still.format("the loss")
    summary, report = (tied / "summary.md").read_text(), (tied / "report.html").read_text()
    for text in (still, one_class):
        assert f"- fold 0: {text}" in summary
        assert f"fold 0: {text}" in report


def test_the_loss_selects_a_trained_model_where_macro_f1_cannot(unbalanced, run_main, tmp_path):
    place, said = train_unbalanced(unbalanced, tmp_path, run_main, "--monitor", "val_loss", "--no_figures")
    log = log_of(place / "fold0")
    assert kept_epoch(place / "fold0") > 9
    assert log["train_loss"].iloc[kept_epoch(place / "fold0") - 1] < log["train_loss"].iloc[0]
    assert "the same after every epoch" not in said


def test_a_test_stage_is_judged_by_the_score_of_the_training(unbalanced, run_main, tmp_path):
    place, said = train_unbalanced(unbalanced, tmp_path, run_main, "--stage", "train", "--epochs", "3", "--no_figures")
    assert "val_f1 is the same after every epoch" in said
    again = ("--stage", "test", "--epochs", "3", "--monitor", "val_auc", "--no_figures")
    _, said = train_unbalanced(unbalanced, tmp_path, run_main, *again)
    assert said.count("fold 0: val_f1 is the same after every epoch") == 2  # while it runs, and in the summary
    (place / "fold0" / "log.csv").write_text("damaged")
    _, said = train_unbalanced(unbalanced, tmp_path, run_main, *again, "--overwrite")
    assert "are predicted as class" in said
    assert "val_f1 is" not in said


def test_a_score_that_the_validation_cases_do_not_define_stops_the_run_before_work(unbalanced, run_main, tmp_path):
    """The twelve validation slides hold all classes; without the third one their AUC is undefined."""
    table = pd.read_csv(unbalanced["splits"] / "fold0.csv", dtype=str)
    table.loc[table["val_label"].astype(str).str.startswith("2"), ["val_slide_id", "val_label"]] = np.nan
    (tmp_path / "splits").mkdir()
    table.to_csv(tmp_path / "splits" / "fold0.csv", index=False)
    places = ["--features_dir", unbalanced["features"], "--splits_dir", tmp_path / "splits", "--results_dir", tmp_path]
    options = "--task cls --dataset u --anchors random --n_clusters 8 --embed_dim 16 --monitor val_auc"
    ended = run_main(*options.split(), *places)
    assert ended.status == 2
    assert (
        "val_auc is undefined for the validation cases of fold 0 (no case of class 2 among the labels), expected a "
        "score that can select the epoch: give another --monitor, or other splits"
    ) in ended.err
    assert not (tmp_path / "cls").exists()


def test_a_run_of_before_goes_on_where_only_its_record_is_older(cls_cohort, run_main, tmp_path, monkeypatch):
    """A fold of before --tie_rule, stopped in its third epoch; the rules that its options leave are the same today."""

    def arguments(place: str) -> list[str | Path]:
        options = "--folds 0 --epochs 12 --patience 3 --lr 1e-3 --optimizer adamw --grad_accum 1 --tie_rule first"
        return cls_arguments(cls_cohort, tmp_path / place, *options.split())

    def stopped(runner, batches, *rest, **more):
        if more["epoch"] == 3:
            raise KeyboardInterrupt
        return train_epoch(runner, batches, *rest, **more)

    run_main(*arguments("whole")).check()
    train_epoch = training.train_epoch
    with monkeypatch.context() as patched:
        patched.setattr(training, "train_epoch", stopped)
        assert run_main(*arguments("old")).status == 130

    run_dir = tmp_path / "old" / "cls" / "toy" / "mico_released"
    record = json.loads((run_dir / "run.json").read_text())
    assert record["protocol"] == {}
    del record["protocol"], record["settings"]["monitor"], record["settings"]["tie_rule"]
    (run_dir / "run.json").write_text(json.dumps(record))
    state = load_tensors(run_dir / "fold0" / "last.pt")
    del state["progress"]["improved"], state["progress"]["best_loss"]
    save_tensors(run_dir / "fold0" / "last.pt", state)

    refused = run_main(
        *[argument for argument in arguments("old") if argument not in ("--tie_rule", "first")], "--resume"
    )
    assert refused.status == 2
    assert "begun with other settings (tie_rule was first and is val_loss)" in refused.err
    run_main(*arguments("old"), "--resume").check()
    whole = tmp_path / "whole" / "cls" / "toy" / "mico_released"
    for name in ("predictions_val.csv", "predictions_test.csv", "metrics.json"):
        assert (run_dir / "fold0" / name).read_bytes() == (whole / "fold0" / name).read_bytes()
