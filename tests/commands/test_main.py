"""main.py from features to tables: what it writes, that numbers agree, and that runs can be continued."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datasets.folds.splits import read_fold
from datasets.slides import feature_index
from datasets.slides.features import read_slide, write_slide
from models import MODELS, build_model, model_class
from models.losses import hazards, risk
from tests.commands.conftest import cls_arguments, files_in, surv_arguments
from utils.pipeline.models import load_model
from utils.statistics.censoring_metrics import TrainingOutcomes
from utils.statistics.metrics import survival_metrics
from utils.training import tensorboard_log, training

pytestmark = pytest.mark.slow

RUN = Path("toy", "mico_released")
FOLD_FILES = ["checkpoint.pt", "last.pt", "log.csv", "metrics.json"] + [
    f"predictions_{part}.csv" for part in ("test", "train", "val")
]


def predictions(run_dir: Path) -> dict[str, bytes]:
    return {path: (run_dir / path).read_bytes() for path in files_in(run_dir) if "predictions" in path}


def test_classification_writes_what_the_interface_promises(cls_cohort, run_main, tmp_path):
    arguments = [argument for argument in cls_arguments(cls_cohort, tmp_path) if argument != "--no_figures"]
    ended = run_main(*arguments).check()
    run_dir = tmp_path / "cls" / RUN
    figures = ["figures/learning_curves.png", "figures/roc.png"]
    tables = ["report.html", "run.json", "summary.csv", "summary.json", "summary.md"]
    folds = [f"fold{k}/{name}" for k in (0, 1) for name in FOLD_FILES]
    assert files_in(run_dir) == sorted([*figures, *tables, *folds])
    assert (run_dir / "summary.md").read_text().strip() in ended.out

    summary = json.loads((run_dir / "summary.json").read_text())
    assert {name: summary[name] for name in ("task", "dataset", "model", "formulation")} == {
        "task": "cls",
        "dataset": "toy",
        "model": "mico",
        "formulation": "released",
    }
    assert [fold["fold"] for fold in summary["folds"]] == [0, 1]
    assert sum(fold["n_test"] for fold in summary["folds"]) == 16
    for name in ("acc", "balanced_acc", "f1", "auc"):
        values = [fold[name] for fold in summary["folds"]]
        assert summary["mean"][name] == pytest.approx(np.mean(values))
        assert summary["std"][name] == pytest.approx(np.std(values))

    table = pd.read_csv(run_dir / "fold0" / "predictions_test.csv")
    assert list(table.columns) == ["case_id", "slide_ids", "label", "prediction", "prob_0", "prob_1"]
    record = json.loads((run_dir / "run.json").read_text())
    assert record["settings"]["lr"] == 2e-4
    assert record["versions"]["torch"] == torch.__version__
    assert set(record["splits"]) == {"fold0.csv", "fold1.csv"}


def test_survival_predictions_are_those_of_the_checkpoint(surv_cohort, run_main, tmp_path):
    """The checkpoint alone, loaded by hand, gives the hazards and risks of the prediction file."""
    run_main(*surv_arguments(surv_cohort, tmp_path, "--folds", "1")).check()
    fold_dir = tmp_path / "surv" / RUN / "fold1"
    table = pd.read_csv(fold_dir / "predictions_test.csv")
    assert list(table.columns[:6]) == ["case_id", "slide_ids", "time", "event", "bin", "risk"]

    state = torch.load(fold_dir / "checkpoint.pt", weights_only=True)
    model = build_model(**state["architecture"]).eval()
    model.load_state_dict(state["model"])
    known = {case.case_id: case for case in surv_cohort.cases}
    for row in table.itertuples():
        slides = []
        for slide_id in row.slide_ids.split(";"):
            slides.append(read_slide(surv_cohort.features_dir / f"{slide_id}.h5").features)
        index = torch.repeat_interleave(torch.arange(len(slides)), torch.tensor([len(s) for s in slides]))
        with torch.no_grad():
            logits = model(torch.cat(slides), index, torch.zeros(len(slides), dtype=torch.long)).logits
        assert risk(logits.double()).item() == pytest.approx(row.risk, abs=1e-6)
        assert hazards(logits)[0].tolist() == pytest.approx([row.hazard_0, row.hazard_1], abs=1e-6)
        assert (row.time, row.event) == (known[row.case_id].time, 1 - known[row.case_id].censored)
        assert tuple(row.slide_ids.split(";")) == known[row.case_id].slide_ids

    outcomes = pd.read_csv(fold_dir / "outcomes_train.csv", dtype={"case_id": str})
    fold = read_fold(surv_cohort.splits_dir / f"{fold_dir.name}.csv", "surv", n_bins=2)
    of_file = outcomes[["case_id", "time", "event", "bin"]].itertuples(index=False, name=None)
    assert list(of_file) == [(case.case_id, case.time, 1 - case.censored, case.bin) for case in fold.train]

    metrics = json.loads((fold_dir / "metrics.json").read_text())
    columns = {name: outcomes[name].to_numpy() for name in ("event", "time", "bin")}
    observed = [table[name].to_numpy() for name in ("event", "time", "risk")]
    hazard = table[["hazard_0", "hazard_1"]].to_numpy()
    expected = survival_metrics(*observed, seed=2024, train=TrainingOutcomes(**columns), hazards=hazard)
    assert metrics["test"]["reasons"].items() >= expected.pop("reasons").items()
    assert metrics["test"].items() >= expected.items()
    summary = json.loads((fold_dir.parent / "summary.json").read_text())
    assert summary["folds"][0].items() >= metrics["test"].items()
    assert summary["folds"][0]["calibration_slope"] is not None
    assert metrics["test"]["c_index_ipcw"] is not None
    assert metrics["best_epoch"] == state["epoch"]


def test_the_log_has_a_row_per_epoch_and_marks_the_checkpoint(surv_cohort, run_main, tmp_path):
    run_main(*surv_arguments(surv_cohort, tmp_path, "--folds", "0", "--lr", "0.01", "--epochs", "12")).check()
    fold_dir = tmp_path / "surv" / RUN / "fold0"
    with (fold_dir / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "train_loss", "val_loss", "val_c_index", "lr", "seconds", "best"]
    losses = [float(row["val_loss"]) for row in rows]
    best = torch.load(fold_dir / "checkpoint.pt", weights_only=True)["epoch"]
    assert losses[best - 1] == min(losses)
    assert [row["epoch"] for row in rows if row["best"] == "1"][-1] == str(best)
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])


def test_early_stopping_waits_for_patience_epochs(cls_cohort, run_main, tmp_path):
    """With no learning at all the first epoch stays the best one, and training ends `patience` epochs later."""
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0", "--lr", "1e-12", "--epochs", "50")
    run_main(*arguments, "--patience", "4").check()
    with (tmp_path / "cls" / RUN / "fold0" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["best"] for row in rows] == ["1", "0", "0", "0", "0"]


@pytest.mark.parametrize("stop", [(0, 1, 0), (0, 2, 3), (1, 2, 0), (1, 3, 3)], ids=str)
def test_resume_repeats_an_uninterrupted_run(cls_cohort, run_main, tmp_path, monkeypatch, stop):
    """Ctrl-C in some fold, epoch and batch; then --resume: the same predictions, to the byte."""
    arguments = [*cls_arguments(cls_cohort, tmp_path / "a"), "--dropout", "0.3", "--max_patches", "10"]
    run_main(*arguments).check()
    interrupted = [tmp_path / "b" if argument == tmp_path / "a" else argument for argument in arguments]

    real, (fold, epoch, batch) = training.train_epoch, stop

    def train_epoch(runner, batches, *rest, **more):
        def until_stopped():
            for number, item in enumerate(batches):
                if more["label"] == f"fold {fold} epoch {epoch}" and number == batch:
                    raise KeyboardInterrupt
                yield item

        return real(runner, until_stopped(), *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(training, "train_epoch", train_epoch)
        ended = run_main(*interrupted)
    assert ended.status == 130
    assert "--resume" in ended.err
    assert predictions(tmp_path / "a") != predictions(tmp_path / "b")

    run_main(*interrupted, "--resume").check()
    assert predictions(tmp_path / "a") == predictions(tmp_path / "b")
    assert (tmp_path / "a/cls" / RUN / "summary.csv").read_text() == (
        tmp_path / "b/cls" / RUN / "summary.csv"
    ).read_text()


def test_resume_skips_finished_folds(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path)
    ended = run_main(*arguments, "--folds", "0").check()
    assert "- 1 of 2 folds of the splits were run: 0\n" in ended.out
    before = (tmp_path / "cls" / RUN / "fold0" / "checkpoint.pt").stat().st_mtime_ns
    ended = run_main(*arguments, "--resume").check()
    assert "fold 0 is finished" in ended.out
    assert "of the splits were run" not in ended.out
    assert (tmp_path / "cls" / RUN / "fold0" / "checkpoint.pt").stat().st_mtime_ns == before
    assert json.loads((tmp_path / "cls" / RUN / "run.json").read_text())["folds"] == [0, 1]


def test_more_epochs_continue_as_if_asked_for_from_the_beginning(cls_cohort, run_main, tmp_path):
    """Both folds run out of the first two epochs."""
    options = ("--patience", "2", "--lr", "3e-3", "--monitor", "val_loss")
    run_main(*cls_arguments(cls_cohort, tmp_path / "a", *options, "--epochs", "7")).check()
    run_main(*cls_arguments(cls_cohort, tmp_path / "b", *options, "--epochs", "2")).check()
    short = predictions(tmp_path / "b")
    (tmp_path / "b" / "cls" / RUN / "fold1" / "last.pt").unlink()  # trained from the beginning, to the same end
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "b", *options, "--epochs", "7", "--resume")).check()
    assert "--epochs was 2 and is 7: going on after epoch 2: folds 0 and 1\n" in ended.out
    assert "fold1 has lost its last.pt, so it is trained from the beginning" in ended.out
    assert predictions(tmp_path / "a") == predictions(tmp_path / "b") != short
    for fold in (0, 1):
        a, b = (tmp_path / name / "cls" / RUN / f"fold{fold}" for name in "ab")
        assert (a / "checkpoint.pt").read_bytes() == (b / "checkpoint.pt").read_bytes()
        logs = [pd.read_csv(place / "log.csv").drop(columns="seconds") for place in (a, b)]
        assert logs[0].equals(logs[1])
        assert len(logs[0]) > 2
    assert (tmp_path / "a" / "cls" / RUN / "summary.md").read_text() == (
        tmp_path / "b" / "cls" / RUN / "summary.md"
    ).read_text()
    record = json.loads((tmp_path / "b" / "cls" / RUN / "run.json").read_text())
    assert record["settings"]["epochs"] == 7
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "b", *options, "--epochs", "3", "--resume"))
    assert ended.status == 2
    assert "epochs was 7 and is 3" in ended.err


def test_a_finished_training_is_not_predicted_again(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--stage", "train", "--folds", "0")
    run_main(*arguments).check()
    ended = run_main(*arguments, "--resume").check()
    assert "fold 0 is finished" in ended.out
    assert not (tmp_path / "cls" / RUN / "fold0" / "predictions_test.csv").exists()


def test_a_run_of_an_earlier_default_name_goes_on(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--model", "meanpool", "--folds", "0")
    run_main(*arguments, "--run_name", "meanpool_released").check()
    ended = run_main(*arguments, "--resume").check()
    assert "meanpool_released was begun under the default name of an earlier version, and goes on there" in ended.out
    assert "fold 0 is finished" in ended.out
    assert not (tmp_path / "cls" / "toy" / "meanpool").exists()


def test_reading_ahead_changes_nothing(cls_cohort, run_main, tmp_path):
    for name, workers in (("a", "0"), ("b", "2")):
        arguments = cls_arguments(cls_cohort, tmp_path / name, "--folds", "0", "--max_patches", "9")
        run_main(*arguments, "--num_workers", workers).check()
    assert predictions(tmp_path / "a") == predictions(tmp_path / "b")


def test_the_profile_of_a_fold_is_printed_and_written(cls_cohort, run_main, tmp_path):
    ended = run_main(*cls_arguments(cls_cohort, tmp_path, "--folds", "0", "--profile")).check()
    assert re.search(r"profile of fold 0: \d+\.\d s: reading [\d.]+ %, forward .* the rest [\d.]+ %", ended.out)
    split = json.loads((tmp_path / "cls" / RUN / "fold0" / "profile.json").read_text())
    assert sum(split.values()) == pytest.approx(2 * split["total"])
    assert min(split.values()) > 0


@pytest.mark.parametrize("formulation", ["released", "paper"])
def test_training_in_recomputed_blocks_gives_the_same_model(cls_cohort, run_main, tmp_path, formulation, monkeypatch):
    """Without dropout, whose draws come in another order; 12 to 30 patches a slide in blocks of 7."""
    form = ("--folds", "0", "--dropout", "0", "--formulation", formulation)
    run_main(*cls_arguments(cls_cohort, tmp_path / "whole", *form)).check()
    monkeypatch.setattr("models.mico.BLOCK_ROWS", 7)
    run_main(*cls_arguments(cls_cohort, tmp_path / "blocks", *form, "--recompute_above", "10")).check()
    states = [
        torch.load(tmp_path / name / f"cls/toy/mico_{formulation}/fold0/last.pt", weights_only=True)["model"]
        for name in ("whole", "blocks")
    ]
    for name, value in states[0].items():
        if name != "attention_network.attention_scorer.bias":  # a softmax ignores it: Adam makes steps of its rounding
            torch.testing.assert_close(states[1][name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("size", [[], ["--cache_gb", "0.00001"]], ids=["all slides", "a part of them"])
def test_slides_kept_in_memory_change_nothing(cls_cohort, run_main, tmp_path, monkeypatch, size):
    """Each slide that fits is read once for both folds; --resume accepts another choice."""
    more = ["--feature_norm", "zscore", "--max_patches", "9"]
    run_main(*cls_arguments(cls_cohort, tmp_path / "a", *more)).check()
    read = []
    monkeypatch.setattr(feature_index, "read_slide", lambda path, **how: read.append(path) or read_slide(path, **how))
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "b", *more, "--cache", "ram", *size)).check()
    assert predictions(tmp_path / "a") == predictions(tmp_path / "b")
    once = [path for path in read if read.count(path) == 1]
    assert 0 < len(once) < 16 if size else len(once) == 16
    assert ended.out.count(f"{len(once)} of 16 slides are kept in memory") == 1
    assert "fold 0 is finished" in run_main(*cls_arguments(cls_cohort, tmp_path / "b", *more, "--resume")).check().out


def test_training_and_testing_apart_equal_both_at_once(cls_cohort, run_main, tmp_path):
    run_main(*cls_arguments(cls_cohort, tmp_path / "a")).check()
    run_main(*cls_arguments(cls_cohort, tmp_path / "b", "--stage", "train")).check()
    trained = files_in(tmp_path / "b" / "cls" / RUN)
    assert not [path for path in trained if "test" in path or "summary" in path or "metrics" in path]
    run_main(*cls_arguments(cls_cohort, tmp_path / "b", "--stage", "test")).check()
    assert predictions(tmp_path / "a") == predictions(tmp_path / "b")
    again = run_main(*cls_arguments(cls_cohort, tmp_path / "b", "--stage", "test"))
    assert again.status == 2
    assert "were predicted before" in again.err


def test_figures_can_be_left_out(cls_cohort, run_main, tmp_path):
    run_main(*cls_arguments(cls_cohort, tmp_path, "--folds", "0", "--epochs", "1")).check()  # with --no_figures
    assert "summary.md" in files_in(tmp_path / "cls" / RUN)
    assert not (tmp_path / "cls" / RUN / "figures").exists()


def test_overwrite_repeats_the_run(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0")
    run_main(*arguments).check()
    before = predictions(tmp_path)
    run_main(*arguments, "--overwrite").check()
    assert predictions(tmp_path) == before


@pytest.mark.parametrize(
    "options",
    [
        ("--formulation", "paper"),
        ("--similarity", "dot", "--assignment", "hard"),
        ("--precision", "bf16"),
        ("--precision", "fp16"),
        ("--optimizer", "adamw", "--weighted_sampling"),
        ("--batch_size", "3", "--grad_accum", "3"),
        ("--n_stages", "1", "--alpha_surv", "0.3"),
        ("--feature_norm", "zscore"),
        ("--feature_norm", "l2"),
    ],
    ids=" ".join,
)
def test_every_way_to_train_ends_in_a_table(surv_cohort, run_main, tmp_path, options):
    ended = run_main(*surv_arguments(surv_cohort, tmp_path, "--folds", "0", "--run_name", "way", *options)).check()
    assert "C-index" in ended.out
    summary = json.loads((tmp_path / "surv" / "toy" / "way" / "summary.json").read_text())
    assert 0 <= summary["folds"][0]["c_index"] <= 1


def test_options_change_the_predictions(surv_cohort, run_main, tmp_path):
    """An option that nothing reads would leave them as they are."""
    variants = {
        "plain": (),
        "alpha": ("--alpha_surv", "0.5"),
        "seed": ("--seed", "7"),
        "dropout": ("--dropout", "0.5"),
        "decay": ("--weight_decay", "0.5", "--lr", "0.05"),
        "lr": ("--lr", "0.05"),
        "dot": ("--similarity", "dot"),
        "hard": ("--assignment", "hard"),
        "stages": ("--n_stages", "2"),
        "paper": ("--formulation", "paper"),
        "subset": ("--max_patches", "5"),
        "weighted": ("--weighted_sampling",),
        "accum": ("--grad_accum", "5"),
        "norm": ("--feature_norm", "zscore"),
        "bf16": ("--precision", "bf16"),
        "adamw": ("--optimizer", "adamw"),
        "radam": ("--optimizer", "radam"),
        "batch": ("--batch_size", "4"),
    }
    seen = {}
    for name, options in variants.items():
        arguments = surv_arguments(surv_cohort, tmp_path, "--folds", "0", "--lr", "0.002", "--run_name", name)
        # 18 steps: Lookahead pulls at the 12th for the first time.
        run_main(*arguments, "--epochs", "3", "--grad_accum", "1", *options).check()
        content = (tmp_path / "surv" / "toy" / name / "fold0" / "predictions_test.csv").read_bytes()
        assert content not in seen, f"{name} predicts as {seen[content]} does"
        seen[content] = name


@pytest.mark.parametrize("lost", ["checkpoint.pt", "predictions_test.csv", "metrics.json", "last.pt"])
def test_what_was_lost_is_made_again(cls_cohort, run_main, tmp_path, lost):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0")
    run_main(*arguments).check()
    before, fold_dir = predictions(tmp_path), tmp_path / "cls" / RUN / "fold0"
    (fold_dir / lost).unlink()
    if lost == "checkpoint.pt":
        (fold_dir / "metrics.json").unlink()
    run_main(*arguments, "--resume").check()
    assert predictions(tmp_path) == before
    assert (fold_dir / "checkpoint.pt").exists()
    assert (fold_dir / "metrics.json").exists()


@pytest.mark.parametrize("model", [name for name in MODELS if name != "mico"])
@pytest.mark.parametrize("task", ["cls", "surv"])
def test_every_baseline_goes_through_the_whole_job(cls_cohort, surv_cohort, run_main, tmp_path, task, model):
    arguments = cls_arguments(cls_cohort, tmp_path) if task == "cls" else surv_arguments(surv_cohort, tmp_path)
    run_main(*arguments, "--folds", "0", "--epochs", "2", "--model", model).check()
    run_dir = tmp_path / task / "toy" / model
    summary = json.loads((run_dir / "summary.json").read_text())
    assert (summary["model"], summary["formulation"], len(summary["folds"])) == (model, "none", 1)
    assert (run_dir / "summary.md").read_text().startswith(f"# toy: {model}, ")
    restored, _ = load_model(run_dir / "fold0" / "checkpoint.pt")
    assert type(restored) is model_class(model)


@pytest.mark.parametrize("part", ["anchors", "route", "reducer"])
def test_ablations_are_runs_of_their_own(surv_cohort, run_main, run_clustering, tmp_path, part):
    """With the same anchors and seed as the full model, each predicts something else; the checkpoint knows which."""
    fit = ["--dataset_name", "toy", "--scope", "dataset", "--n_clusters", "8", "--output_dir", tmp_path / "anchors"]
    folds = ["--fold_csv", surv_cohort.splits_dir / "fold0.csv"]
    run_clustering(*fit, *folds, "--input_dir", surv_cohort.features_dir).check()
    anchors = ["--anchors", tmp_path / "anchors" / "toy_C_8_init_fold0.pt"]
    arguments = [*surv_arguments(surv_cohort, tmp_path, "--folds", "0", "--epochs", "2"), *anchors]
    run_main(*arguments).check()
    run_main(*arguments, "--ablate", part).check()
    full, ablated = (tmp_path / "surv" / "toy" / name for name in ("mico_released", f"mico_released_no_{part}"))
    tables = [(run_dir / "fold0" / "predictions_test.csv").read_bytes() for run_dir in (full, ablated)]
    assert tables[0] != tables[1]
    assert (ablated / "summary.md").read_text().startswith(f"# toy: mico (released, without {part}), ")
    model, _ = load_model(ablated / "fold0" / "checkpoint.pt")
    assert model.ablate == (part,)


def test_a_changed_run_begins_again_on_request_and_says_why(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0", "--resume", "--on_change", "restart")
    run_main(*arguments).check()
    before = predictions(tmp_path)
    kept = run_main(*arguments).check()
    assert "started again" not in kept.out + kept.err
    ended = run_main(*arguments, "--lr", "0.05", "--embed_dim", "24").check()
    said = ended.out + ended.err
    assert "started again" in said
    assert "embed_dim was 16 and is 24; lr was 0.0002 and is 0.05" in said
    assert predictions(tmp_path) != before
    assert json.loads((tmp_path / "cls" / RUN / "run.json").read_text())["settings"]["lr"] == 0.05


def test_a_run_does_not_go_on_with_other_features(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0", "--stage", "train")
    run_main(*arguments).check()
    for path in cls_cohort.features_dir.glob("*.h5"):
        slide = read_slide(path)
        write_slide(tmp_path / "other" / path.name, slide.features * 2, slide.coords)
    ended = run_main(*arguments, "--resume", "--features_dir", tmp_path / "other")
    assert ended.status == 2
    assert "the features of fold0 changed" in ended.err


def test_a_checkpoint_is_a_model_with_its_scale(surv_cohort, run_main, tmp_path):
    run_main(*surv_arguments(surv_cohort, tmp_path, "--folds", "0", "--feature_norm", "zscore")).check()
    fold_dir = tmp_path / "surv" / RUN / "fold0"
    model, epoch = load_model(fold_dir / "checkpoint.pt")
    assert not model.training
    assert model.feature_scale.kind == "zscore"
    assert epoch == json.loads((fold_dir / "metrics.json").read_text())["best_epoch"]


def test_tensorboard_shows_the_log(cls_cohort, run_main, tmp_path):
    run_main(*cls_arguments(cls_cohort, tmp_path, "--folds", "1", "--tensorboard")).check()
    fold_dir = tmp_path / "cls" / RUN / "fold1"
    events = EventAccumulator(str(fold_dir / "tensorboard"))
    events.Reload()
    log = pd.read_csv(fold_dir / "log.csv")
    assert set(events.Tags()["scalars"]) == set(log.columns) - {"epoch"}
    for name in log.columns.drop("epoch"):
        shown = [(event.step, event.value) for event in events.Scalars(name)]
        assert shown == [(epoch, pytest.approx(value)) for epoch, value in zip(log["epoch"], log[name], strict=True)]


def test_tensorboard_shows_the_log_of_a_fold_that_is_finished(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "1")
    run_main(*arguments).check()
    fold_dir = tmp_path / "cls" / RUN / "fold1"
    run_main(*arguments, "--resume", "--tensorboard").check()
    run_main(*arguments, "--resume", "--tensorboard").check()  # adds nothing
    events = EventAccumulator(str(fold_dir / "tensorboard"))
    events.Reload()
    log = pd.read_csv(fold_dir / "log.csv")
    assert [event.value for event in events.Scalars("val_loss")] == pytest.approx(log["val_loss"].tolist())


def test_tensorboard_that_is_not_there_stops_before_any_work(cls_cohort, run_main, tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard_log, "find_spec", lambda name: None)
    ended = run_main(*cls_arguments(cls_cohort, tmp_path, "--tensorboard"))
    assert (ended.status, files_in(tmp_path)) == (2, [])
    assert "--with-extras" in ended.err


def test_the_record_counts_the_parts_of_each_fold(surv_cohort, run_main, tmp_path):
    run_main(*surv_arguments(surv_cohort, tmp_path, "--folds", "0")).check()
    run_main(*surv_arguments(surv_cohort, tmp_path, "--folds", "1", "--resume")).check()
    cohort = json.loads((tmp_path / "surv" / RUN / "run.json").read_text())["cohort"]
    assert list(cohort) == ["fold0", "fold1"]
    for k in (0, 1):
        fold = read_fold(surv_cohort.splits_dir / f"fold{k}.csv", "surv", n_bins=2)
        for part, counts in cohort[f"fold{k}"].items():
            cases = fold.part(part)
            assert counts["cases"] == len(cases)
            assert counts["slides"] == sum(len(case.slide_ids) for case in cases)
            assert counts["events"] == sum(case.censored == 0 for case in cases)
