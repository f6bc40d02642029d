"""Runs as ensembles: what is missing or unfinished is said, and what training has fixed is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.utils.pipeline.conftest import inputs_of
from tests.utils.pipeline.test_train_fold import CPU, PROTOCOL, design_of
from utils.errors import UserError
from utils.files.atomic import write_json
from utils.pipeline import load_ensemble
from utils.pipeline.ensemble import FoldModels, mean_edges
from utils.pipeline.inputs import AnchorSource
from utils.pipeline.train_fold import run_fold

RECORD = {"task": "surv", "dataset": "A", "model": "abmil", "formulation": "none", "n_outputs": 2, "folds": [0, 1]}


@pytest.fixture(scope="module")
def run_dir(surv_cohort, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    for inputs in inputs_of(surv_cohort, "surv", AnchorSource("random", None, "l2"), 0, 1):
        protocol = replace(PROTOCOL, seed=3)
        run_fold(inputs, design_of(inputs), protocol, CPU, folder / f"fold{inputs.index}", stage="train")
        write_json(folder / "run.json", RECORD | {"dim_in": inputs.dim_in})
    return folder


def copied(run_dir: Path, place: Path, *without: str) -> Path:
    """The run without some of its files."""
    for path in run_dir.rglob("*"):
        name = path.relative_to(run_dir)
        if path.is_file() and name.as_posix() not in without:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(path.read_bytes())
    return place


def test_what_training_has_fixed(run_dir, surv_cohort):
    ensemble = load_ensemble(run_dir)
    assert [fold.index for fold in ensemble.folds] == [0, 1]
    for fold in ensemble.folds:
        training = pd.read_csv(run_dir / f"fold{fold.index}" / "predictions_train.csv")
        outcomes = pd.read_csv(run_dir / f"fold{fold.index}" / "outcomes_train.csv")
        assert fold.cut_off == pytest.approx(np.median(training["risk"]))
        assert fold.inner_edges == (outcomes.loc[outcomes["bin"] == 1, "time"].min(),)
        assert training["case_id"].tolist() == outcomes["case_id"].tolist()
    known = [fold.inner_edges[0] for fold in ensemble.folds]
    assert mean_edges(ensemble.folds).tolist() == pytest.approx([np.mean(known)])


def test_the_call_is_the_mean_of_the_curves(run_dir):
    ensemble = load_ensemble(run_dir)
    slides = [torch.randn(20, ensemble.dim_in), torch.randn(7, ensemble.dim_in)]
    index, case = torch.tensor([0] * 20 + [1] * 7), torch.zeros(2, dtype=torch.long)
    with torch.no_grad():
        logits = [fold.model(torch.cat(slides), index, case).logits[0].double() for fold in ensemble.folds]
        models = FoldModels(ensemble.folds)(torch.cat(slides), index, case)
    curves = torch.stack([(1 - torch.sigmoid(logit)).cumprod(0) for logit in logits])
    torch.testing.assert_close(ensemble(slides), curves.mean(0))
    torch.testing.assert_close(models[:, 0].double(), torch.stack(logits))


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ("fold1/checkpoint.pt", "lacks the end of the training of fold 1"),
        ("fold1/predictions_val.csv", "lacks the end of the training of fold 1"),
        ("fold0/predictions_train.csv", "called again with --resume"),
        ("run.json", "cannot be read"),
    ],
)
def test_what_lacks_is_named(run_dir, tmp_path, without: str, said: str):
    with pytest.raises(UserError, match=said):
        load_ensemble(copied(run_dir, tmp_path / "copy", without))


def test_folds_that_are_asked_for(run_dir, tmp_path):
    unfinished = copied(run_dir, tmp_path / "copy", "fold1/checkpoint.pt")
    assert [fold.index for fold in load_ensemble(unfinished, [0]).folds] == [0]
    with pytest.raises(UserError, match=r"got --folds 5, expected folds of .*: it has folds 0 and 1"):
        load_ensemble(run_dir, [5])
    with pytest.raises(UserError, match="expected the folder of a run, or an exported model"):
        load_ensemble(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("slides", "said"),
    [
        ([], "got no slide"),
        ([torch.zeros(0, 8)], r"got features of shape \(0, 8\), expected \(M, 8\), M at least 1"),
        ([torch.ones(3, 5)], r"got features of shape \(3, 5\)"),
        ([torch.ones(8)], r"got features of shape \(8,\)"),
        ([torch.full((3, 8), torch.nan)], "no finite floating-point numbers"),
        ([torch.ones(3, 8, dtype=torch.long)], "no finite floating-point numbers"),
    ],
)
def test_slides_that_are_none(run_dir, slides, said: str):
    with pytest.raises(ValueError, match=said):
        load_ensemble(run_dir)(slides)


def test_arrays_are_slides_too_and_another_scale_is_none(run_dir, tmp_path):
    place = copied(run_dir, tmp_path / "copy")
    record = json.loads((place / "run.json").read_text())
    write_json(place / "run.json", record | {"feature_facts": {"mean_length": 8**0.5, "patch_um": None}})
    ensemble = load_ensemble(place)
    assert torch.equal(ensemble([np.ones((3, 8), np.float32)]), ensemble([torch.ones(3, 8)]))
    with pytest.raises(UserError, match="on the same scale"):
        ensemble([torch.ones(3, 8) * 100])
