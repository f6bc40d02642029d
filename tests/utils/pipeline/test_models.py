"""The model of a fold: its start, its scale of the features, its checkpoint, and the loss of the task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from models import MODELS, options_of
from models.losses import nll_survival
from utils.anchors.feature_norm import FeatureNorm
from utils.anchors.fold_anchors import FoldAnchors
from utils.errors import UserError
from utils.pipeline import models
from utils.pipeline.models import architecture, load_model, loss_of, new_model
from utils.training.checkpoint import save_checkpoint

SCALE = FeatureNorm("zscore", torch.full((6,), 2.0), torch.full((6,), 4.0))
# What checkpoints held until 2026-11, whatever the model.
OPTIONS_OF_ALL = {
    "formulation": "released",
    "n_anchors": 8,
    "embed_dim": 16,
    "n_stages": 3,
    "dropout": 0.05,
    "similarity": "l2",
    "assignment": "soft",
    "ablate": [],
    "graph": "coords",
}


def design_of(model: str, **options: Any) -> dict[str, Any]:
    own = {name: option.default for name, option in options_of(model).items() if name != "n_anchors"}
    n_anchors = 8 if "n_anchors" in options_of(model) else None
    return architecture(model, {**own, "embed_dim": 16, **options}, n_anchors=n_anchors, dim_in=6, n_outputs=2)


def batch() -> tuple[torch.Tensor, ...]:
    features = torch.randn(10, 6, generator=torch.Generator().manual_seed(0))
    coords = torch.tensor([[i % 4, i // 4] for i in range(10)]) * 256
    return features, torch.zeros(10, dtype=torch.long), torch.zeros(1, dtype=torch.long), coords


def logits(model: torch.nn.Module, features: torch.Tensor | None = None) -> torch.Tensor:
    given, slide_index, case_index, coords = batch()
    with torch.no_grad():
        return model(given if features is None else features, slide_index, case_index, coords=coords).logits


@pytest.mark.parametrize("model", MODELS)
def test_the_architecture_holds_the_options_of_the_model_alone(model: str):
    design = design_of(model)
    assert design.keys() == {"name", "dim_in", "n_outputs", *options_of(model)}
    assert not any(isinstance(value, tuple) for value in design.values())  # as JSON and torch.load have it


@pytest.mark.parametrize("model", MODELS)
def test_a_checkpoint_is_the_model_with_its_scale(tmp_path: Path, model: str):
    built = new_model(design_of(model), FoldAnchors(SCALE), seed=1, fold=0).eval()
    assert built.feature_scale is SCALE
    state = {"architecture": design_of(model), "feature_norm": SCALE.to_json(), "model": built.state_dict()}
    save_checkpoint(tmp_path / "checkpoint.pt", {**state, "epoch": 5})
    loaded, epoch = load_model(tmp_path / "checkpoint.pt")
    assert epoch == 5
    assert not loaded.training
    assert torch.equal(logits(loaded), logits(built))
    loaded.feature_scale = torch.nn.Identity()
    torch.testing.assert_close(logits(loaded, (batch()[0] - 2) / 4), logits(built))


@pytest.mark.parametrize("model", MODELS)
def test_checkpoints_with_the_options_of_all_models_still_load(tmp_path: Path, model: str):
    built = new_model(design_of(model), FoldAnchors(FeatureNorm()), seed=1, fold=0).eval()
    before = {"name": model, "dim_in": 6, "n_outputs": 2, **OPTIONS_OF_ALL}
    state = {"architecture": before, "feature_norm": {"kind": "none"}, "model": built.state_dict(), "epoch": 1}
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    assert torch.equal(logits(load_model(tmp_path / "checkpoint.pt")[0]), logits(built))


def test_a_parameter_that_is_not_finite_is_named(tmp_path: Path):
    built = new_model(design_of("abmil"), FoldAnchors(FeatureNorm()), seed=1, fold=0)
    with torch.no_grad():
        built.classifier.bias[0] = torch.nan
    state = {"architecture": design_of("abmil"), "feature_norm": {"kind": "none"}, "model": built.state_dict()}
    save_checkpoint(tmp_path / "checkpoint.pt", {**state, "epoch": 1})
    with pytest.raises(UserError, match=r"checkpoint\.pt holds NaN or infinity in classifier\.bias, expected finite"):
        load_model(tmp_path / "checkpoint.pt")


@pytest.mark.parametrize("scale", [0.0, -0.0, 1e-31])
def test_a_scale_of_similarities_that_nothing_can_be_divided_by_is_named(tmp_path: Path, scale: float):
    def saved(**options: Any) -> Path:
        design = design_of("mico", **options)
        built = new_model(design, FoldAnchors(FeatureNorm()), seed=1, fold=0)
        with torch.no_grad():
            built.similarity_scale.fill_(scale)
        state = {"architecture": design, "feature_norm": {"kind": "none"}, "model": built.state_dict(), "epoch": 1}
        save_checkpoint(tmp_path / "checkpoint.pt", state)
        return tmp_path / "checkpoint.pt"

    said = r"weights that give no predictions \(similarity_scale, .* divided by, is .*\): remove it and train this fold"
    with pytest.raises(UserError, match=said):
        load_model(saved())
    for options in ({"formulation": "paper"}, {"ablate": ["route"]}):  # neither divides by it
        assert logits(load_model(saved(**options))[0]).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"embed_dim": 2**16}, r"has shape \(16, 6\), expected \(65536, 6\)"),
        ({"n_anchors": 2**20}, "cluster_centers has shape"),
        ({"n_stages": 1}, "left over"),
        ({"name": "meanpool"}, "is missing|left over"),
        ({"embed_dim": 10**9}, "got embed_dim 1000000000, expected a whole number from 1 to 65536"),
        ({"dropout": float("nan")}, "got dropout nan"),
    ],
)
def test_a_checkpoint_of_another_size_than_it_says_is_named_before_it_is_built(
    tmp_path: Path, changes: dict, said: str
):
    design = design_of("mico")
    state = new_model(design, FoldAnchors(FeatureNorm()), seed=1, fold=0).state_dict()
    described = {"architecture": design | changes, "feature_norm": {"kind": "none"}, "model": state, "epoch": 1}
    save_checkpoint(tmp_path / "checkpoint.pt", described)
    with pytest.raises(UserError, match=rf"weights that do not fit their description \(.*({said})"):
        load_model(tmp_path / "checkpoint.pt")


def test_a_model_larger_than_the_memory_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(models, "free_memory", lambda: 22 * 10**9)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    said = r"the model would have 1\.07e\+10 parameters, which take 43 GB, and 22 GB of memory are free: give a smaller"
    with pytest.raises(UserError, match=said):
        new_model(design_of("mico", embed_dim=2**15, n_stages=3), FoldAnchors(FeatureNorm()), seed=1, fold=0)
    assert torch.equal(torch.rand(1), expected)  # nothing was drawn


def test_a_file_that_is_another_one_is_named(tmp_path: Path):
    save_checkpoint(tmp_path / "last.pt", {"progress": {}, "model": {}})
    with pytest.raises(
        UserError, match=r"last\.pt holds no architecture, expected a checkpoint\.pt that main\.py wrote"
    ):
        load_model(tmp_path / "last.pt")


def test_parameters_are_a_function_of_seed_and_fold():
    def weights(seed: int, fold: int) -> torch.Tensor:
        return new_model(design_of("abmil"), FoldAnchors(FeatureNorm()), seed=seed, fold=fold).classifier.weight

    assert torch.equal(weights(1, 0), weights(1, 0))
    assert not torch.equal(weights(1, 0), weights(1, 1))
    assert not torch.equal(weights(1, 0), weights(2, 0))


def test_learnable_anchors_start_at_those_of_the_data_set():
    anchors = FoldAnchors(FeatureNorm(), dataset=torch.arange(48.0).reshape(8, 6))
    assert torch.equal(new_model(design_of("mico"), anchors, seed=1, fold=0).cluster_centers, anchors.dataset)
    random = new_model(design_of("mico", ablate=("anchors",)), anchors, seed=1, fold=0)
    assert not torch.equal(random.cluster_centers, anchors.dataset)


def test_what_does_not_go_together_is_one_sentence():
    slides = FoldAnchors(FeatureNorm(), read_slide=lambda slide_id: torch.zeros(8, 6))
    with pytest.raises(UserError, match="got --ablate anchors with slide anchors"):
        new_model(design_of("mico", ablate=("anchors",)), slides, seed=1, fold=0)
    with pytest.raises(UserError, match=r"the model cannot be built: .*8 anchors for 4 stages"):
        new_model(design_of("mico", n_stages=4), FoldAnchors(FeatureNorm()), seed=1, fold=0)


def test_the_losses_of_the_tasks():
    scores = torch.tensor([[0.5, -1.0], [2.0, 0.0]])
    labels = {"label": torch.tensor([1, 0])}
    assert loss_of("cls", 0.3)(scores.half(), labels).item() == pytest.approx(F.cross_entropy(scores, labels["label"]))
    outcome = {"bin": torch.tensor([0, 1]), "censored": torch.tensor([0, 1])}
    expected = nll_survival(scores, outcome["bin"], outcome["censored"], alpha=0.3)
    assert torch.equal(loss_of("surv", 0.3)(scores, outcome), expected)
    assert not torch.equal(loss_of("surv", 0.0)(scores, outcome), expected)
