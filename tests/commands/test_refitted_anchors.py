"""Equal anchors are equal files: fitted again they change no digest, and a run goes on with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.commands.conftest import cls_arguments, files_in
from utils.files.tensors import load_tensors, save_tensors

RUN = Path("cls/toy/mico_released")


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["dataset", "slide"])
def test_a_run_goes_on_with_anchors_that_were_fitted_again(
    cls_cohort, run_main, run_clustering, tmp_path, monkeypatch, scope
):
    def fit(out: Path, *more: str) -> dict[str, bytes]:
        folds = sorted(cls_cohort.splits_dir.glob("fold*.csv")) if scope == "dataset" else []
        places = ["--input_dir", cls_cohort.features_dir, "--output_dir", out, "--scope", scope]
        chosen = ["--fold_csv", *folds] if folds else []
        run_clustering("--dataset_name", "toy", "--n_clusters", "8", *places, *chosen, *more).check()
        return contents(out)

    first = fit(tmp_path / "a")
    monkeypatch.setattr("os.getpid", lambda: 1)  # as another process would
    assert fit(tmp_path / "b") == first
    name = "toy_C_8_slides" if scope == "slide" else "toy_C_8_init_fold{fold}.pt"
    arguments = cls_arguments(cls_cohort, tmp_path / "results", "--anchors", tmp_path / "a" / name, "--epochs", "1")
    run_main(*arguments).check()
    run_dir = tmp_path / "results" / RUN
    before = {file: content for file, content in contents(run_dir).items() if file.startswith("fold")}
    assert fit(tmp_path / "a", "--overwrite") == first
    (tmp_path / "a" / ".left behind").write_bytes(b"0")
    if scope == "slide":
        (tmp_path / "a" / name / ".DS_Store").write_bytes(b"0")
    run_main(*arguments, "--resume").check()
    assert {file: content for file, content in contents(run_dir).items() if file.startswith("fold")} == before


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_checkpoint_with_a_weight_that_is_no_number_is_named(cls_cohort, run_main, tmp_path, bad):
    arguments = cls_arguments(cls_cohort, tmp_path, "--epochs", "1", "--folds", "0")
    run_main(*arguments).check()
    fold_dir = tmp_path / RUN / "fold0"
    state = load_tensors(fold_dir / "checkpoint.pt")
    state["model"]["classifier.bias"][1] = bad
    save_tensors(fold_dir / "checkpoint.pt", state)
    before = contents(tmp_path)
    ended = run_main(*arguments, "--stage", "test", "--overwrite")
    assert ended.status == 2
    (line,) = ended.err.strip().splitlines()
    assert "fold0/checkpoint.pt holds NaN or infinity in classifier.bias, expected finite parameters" in line
    assert {name: content for name, content in contents(tmp_path).items() if name in before} == before
