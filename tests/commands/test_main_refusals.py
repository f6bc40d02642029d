"""What main.py refuses: one sentence that names the culprit, exit status 2, nothing written."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from datasets.slides.features import read_slide, write_slide
from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import Ended, cls_arguments, files_in, surv_arguments


@pytest.fixture
def cohort(cls_cohort, tmp_path) -> Cohort:
    """A classification cohort that a test may damage."""
    return copy_of(cls_cohort, tmp_path / "cohort")


@pytest.fixture
def surv(surv_cohort, tmp_path) -> Cohort:
    """A survival cohort that a test may damage."""
    return copy_of(surv_cohort, tmp_path / "cohort")


def copy_of(cohort: Cohort, place: Path) -> Cohort:
    shutil.copytree(cohort.features_dir.parent, place)
    names = {name: place / getattr(cohort, name).name for name in ("features_dir", "splits_dir", "truth_dir")}
    return Cohort(**{**vars(cohort), **names})


def refused(ended: Ended, results: Path, *words: str) -> None:
    assert ended.status == 2, ended.out + ended.err
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("main.py: error: ")
    for word in words:
        assert word in line, line
    assert not results.exists() or files_in(results) == []


def edit_fold(cohort: Cohort, fold: int, edit) -> None:
    path = cohort.splits_dir / f"fold{fold}.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    edit(table)
    table.to_csv(path, index=False)


def some_slide(cohort: Cohort) -> tuple[str, Path]:
    slide_id = cohort.cases[3].slide_ids[0]
    return slide_id, cohort.features_dir / f"{slide_id}.h5"


def test_missing_slide(cohort, run_main, tmp_path):
    slide_id, path = some_slide(cohort)
    path.unlink()
    refused(
        run_main(*cls_arguments(cohort, tmp_path / "r")), tmp_path / "r", slide_id, "1 of 16 slides", "--on_missing"
    )


def test_dropping_missing_slides_is_counted_in_the_summary(cohort, run_main, tmp_path):
    slide_id, path = some_slide(cohort)
    path.unlink()
    run_main(*cls_arguments(cohort, tmp_path / "r", "--on_missing", "drop")).check()
    summary = json.loads((tmp_path / "r/cls/toy/mico_released/summary.json").read_text())
    assert any(slide_id in warning and "dropped" in warning for warning in summary["warnings"])
    assert sum(fold["n_test"] for fold in summary["folds"]) == 15


def test_nan_in_features(cohort, run_main, tmp_path):
    slide_id, path = some_slide(cohort)
    features = read_slide(path).features.clone()
    features[:3, 1] = float("nan")
    path.unlink()
    torch.save(features, cohort.features_dir / f"{slide_id}.pt")
    words = f"3 of {len(features)} rows of {cohort.features_dir / f'{slide_id}.pt'} hold NaN or infinity"
    refused(run_main(*cls_arguments(cohort, tmp_path / "r")), tmp_path / "r", words)


def test_wrong_width(cohort, run_main, tmp_path):
    slide_id, path = some_slide(cohort)
    write_slide(path, torch.randn(5, 9), torch.zeros(5, 2))
    refused(run_main(*cls_arguments(cohort, tmp_path / "r")), tmp_path / "r", slide_id, "width 9", "8")


def test_patient_in_two_parts(surv, run_main, tmp_path):
    """A second slide of a training patient in test, under the same case id."""

    def leak(table: pd.DataFrame) -> None:
        column = [name for name in table if name.startswith("train_")]
        row = table.loc[0, column].tolist()
        free = len(table)
        table.loc[free] = ""
        table.loc[free, [name.replace("train_", "test_") for name in column]] = row
        table.loc[free, "test_slide_id"] = "SYN-extra"

    edit_fold(surv, 0, leak)
    write_slide(surv.features_dir / "SYN-extra.h5", torch.randn(9, 8), torch.zeros(9, 2))
    patient = pd.read_csv(surv.splits_dir / "fold0.csv")["train_case_id"][0]
    refused(run_main(*surv_arguments(surv, tmp_path / "r")), tmp_path / "r", patient, "--allow_patient_overlap")

    run_main(*surv_arguments(surv, tmp_path / "r", "--allow_patient_overlap")).check()
    summary = json.loads((tmp_path / "r/surv/toy/mico_released/summary.json").read_text())
    assert any(patient in warning for warning in summary["warnings"])


def test_one_class(cohort, run_main, tmp_path):
    def same_label(table: pd.DataFrame) -> None:
        for part in ("train", "val", "test"):
            table[f"{part}_label"] = table[f"{part}_label"].where(table[f"{part}_label"] == "", "1")

    edit_fold(cohort, 0, same_label)
    refused(run_main(*cls_arguments(cohort, tmp_path / "r")), tmp_path / "r", "fold0.csv", "class")


def test_no_events(surv, run_main, tmp_path):
    def all_censored(table: pd.DataFrame) -> None:
        table["train_censorship"] = table["train_censorship"].where(table["train_censorship"] == "", "1")

    edit_fold(surv, 1, all_censored)
    refused(run_main(*surv_arguments(surv, tmp_path / "r")), tmp_path / "r", "fold1.csv", "event")


def test_metrics_without_a_value_end_in_null_not_in_a_crash(surv, run_main, tmp_path):
    """No event in test and validation: training goes through, the C-index is null with its reason."""

    def censored(table: pd.DataFrame) -> None:
        for part in ("val", "test"):
            table[f"{part}_censorship"] = table[f"{part}_censorship"].where(table[f"{part}_censorship"] == "", "1")

    edit_fold(surv, 0, censored)
    run_main(*surv_arguments(surv, tmp_path / "r", "--folds", "0")).check()
    summary = json.loads((tmp_path / "r/surv/toy/mico_released/summary.json").read_text())
    (fold,) = summary["folds"]
    assert fold["c_index"] is None
    assert "no events" in fold["reasons"]["c_index"]
    assert summary["mean"]["c_index"] is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("--n_bins", "1"), ("--n_bins 1", "2 to 1000")),
        (("--dropout", "1"), ("--dropout",)),
        (("--epochs", "0"), ("--epochs 0",)),
        (("--n_clusters", "20"), ("20 anchors for 3 stages",)),
        (("--formulation", "paper", "--similarity", "dot"), ("paper form",)),
        (("--model", "micro"), ("micro", "mico")),
        (("--formulation", "draft"), ("--formulation", "draft")),
        (("--epoch", "3"), ("unrecognized arguments", "--epoch")),
        (("--learning_rate", "3"), ("unrecognized arguments", "--learning_rate")),
        (("--folds", "9"), ("fold9.csv",)),
        (("--folds", "0", "0"), ("--folds 0 0",)),
        (("--device", "tpu"), ("--device", "tpu")),
        (("--device", "cuda"), ("--device cuda",)),
        (("--anchors", "nowhere.pt"), ("nowhere.pt", "run_clustering.py")),
        (("--splits_dir", "nowhere"), ("nowhere",)),
        (("--features_dir", "nowhere"), ("nowhere",)),
        (("--run_name", "a/b"), ("--run_name 'a/b'",)),
        (("--resume", "--overwrite"), ("--resume", "--overwrite")),
        (("--stage", "test"), ("fold 0, 1", "train first")),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else "",
)
def test_impossible_settings(cls_cohort, run_main, tmp_path, changes, words):
    refused(run_main(*cls_arguments(cls_cohort, tmp_path / "r"), *changes), tmp_path / "r", *words)


def test_results_that_are_there_are_kept(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0")
    run_main(*arguments).check()
    before = files_in(tmp_path)
    ended = run_main(*arguments)
    assert ended.status == 2
    assert "fold0 (finished)" in ended.err
    changed = run_main(*arguments, "--resume", "--lr", "0.5")
    assert changed.status == 2
    assert "lr was 0.0002 and is 0.5" in changed.err
    assert files_in(tmp_path) == before


def test_results_directory_that_cannot_be_written(cls_cohort, run_main, tmp_path):
    (tmp_path / "file").write_text("")
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "file" / "results"))
    assert ended.status == 2
    assert "(Not a directory): a part of the path is a file: give a path of folders" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("pickle-was-run"),)


@pytest.mark.parametrize("write", ["torch.save", "pickle.dump"])
@pytest.mark.parametrize("where", ["anchors", "features"])
def test_a_pickle_of_anything_else_is_refused_without_running_it(cohort, run_main, tmp_path, monkeypatch, write, where):
    monkeypatch.chdir(tmp_path)
    _, path = some_slide(cohort)
    bad = tmp_path / "anchors.pt" if where == "anchors" else path.with_suffix(".pt")
    if where == "features":
        path.unlink()
    if write == "torch.save":
        torch.save({"features": Malicious()}, bad)
    else:
        bad.write_bytes(pickle.dumps(Malicious()))
    options = ("--anchors", bad) if where == "anchors" else ()
    refused(run_main(*cls_arguments(cohort, tmp_path / "r"), *options), tmp_path / "r", str(bad))
    assert not (tmp_path / "pickle-was-run").exists()


def test_anchors_of_the_released_code_load(cls_cohort, run_main, tmp_path):
    torch.save(np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32), tmp_path / "released.pt")
    ended = run_main(*cls_arguments(cls_cohort, tmp_path / "r"), "--anchors", tmp_path / "released.pt").check()
    assert "test slides may be among them" in ended.out


def test_a_damaged_checkpoint_is_named(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path, "--folds", "0")
    run_main(*arguments, "--stage", "train").check()
    checkpoint = tmp_path / "cls/toy/mico_released/fold0/checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    ended = run_main(*arguments, "--stage", "test")
    assert ended.status == 2
    assert str(checkpoint) in ended.err


def test_a_loss_that_explodes_is_one_sentence(cohort, run_main, tmp_path):
    for path in cohort.features_dir.glob("*.h5"):
        slide = read_slide(path)
        write_slide(path, slide.features * 1e30, slide.coords)
    ended = run_main(*cls_arguments(cohort, tmp_path / "results", "--folds", "0", "--model", "abmil", "--epochs", "9"))
    assert ended.status == 2
    assert "lower --lr" in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def without_coords(cohort: Cohort) -> None:
    for path in cohort.features_dir.glob("*.h5"):
        features = read_slide(path).features
        path.unlink()
        write_slide(path, features)


@pytest.mark.parametrize("model", ["patchgcn", "deepgraphconv"])
def test_graph_models_ask_for_coordinates_before_training(cohort, run_main, tmp_path, model):
    without_coords(cohort)
    arguments = cls_arguments(cohort, tmp_path / "r", "--folds", "0", "--model", model)
    words = (model, "16 of 16 slides", "--graph features")
    refused(run_main(*arguments), tmp_path / "r", *words)
    run_main(*arguments, "--graph", "features", "--epochs", "1").check()


def test_the_ablation_of_learned_anchors_with_slide_anchors(cls_cohort, run_main, run_clustering, tmp_path):
    fit = ["--dataset_name", "toy", "--n_clusters", "8", "--scope", "slide", "--output_dir", tmp_path / "anchors"]
    run_clustering(*fit, "--input_dir", cls_cohort.features_dir).check()
    anchors = ["--anchors", tmp_path / "anchors" / "toy_C_8_slides", "--ablate", "anchors"]
    refused(run_main(*cls_arguments(cls_cohort, tmp_path / "r", *anchors)), tmp_path / "r", "--ablate anchors")


def test_an_embedding_that_the_model_cannot_split(cls_cohort, run_main, tmp_path):
    arguments = cls_arguments(cls_cohort, tmp_path / "r", "--model", "transmil", "--embed_dim", "20")
    refused(run_main(*arguments), tmp_path / "r", "embed_dim 20", "multiple of 8")


def test_an_unknown_model_is_named_before_anything_is_read(tmp_path, cls_cohort, run_main):
    arguments = cls_arguments(cls_cohort, tmp_path / "r", "--model", "mico_x", "--features_dir", tmp_path / "nowhere")
    refused(run_main(*arguments), tmp_path / "r", "--model mico_x", "transmil")


def test_a_baseline_takes_the_scale_of_anchors_of_any_number(cls_cohort, run_main, run_clustering, tmp_path):
    fit = ["--dataset_name", "toy", "--n_clusters", "4", "--scope", "dataset", "--output_dir", tmp_path / "anchors"]
    run_clustering(*fit, "--input_dir", cls_cohort.features_dir, "--feature_norm", "l2").check()
    anchors = ["--anchors", tmp_path / "anchors" / "toy_C_4_init.pt", "--folds", "0", "--epochs", "1"]
    run_main(*cls_arguments(cls_cohort, tmp_path / "r", *anchors, "--model", "meanpool")).check()
    record = json.loads((tmp_path / "r/cls/toy/meanpool/run.json").read_text())
    assert record["feature_norm"] == "l2"
    refused(run_main(*cls_arguments(cls_cohort, tmp_path / "s", *anchors)), tmp_path / "s", "4 anchors")
