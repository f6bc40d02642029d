"""Parts of a checkpoint that are of another kind than main.py writes: one sentence each, before a model is made."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from models import build_model
from utils.errors import UserError
from utils.pipeline.models import load_model
from utils.training.checkpoint import save_checkpoint

DESIGN: dict[str, Any] = {"name": "abmil", "dim_in": 4, "n_outputs": 2, "embed_dim": 8}
NAME = "classifier.bias"


def state(**changes: Any) -> dict[str, Any]:
    torch.manual_seed(0)
    weights = dict(build_model(**DESIGN).state_dict())
    good = {"architecture": DESIGN, "model": weights, "feature_norm": {"kind": "none"}, "epoch": 3}
    weights.update(changes.pop("weights", {}))
    return {**good, "architecture": DESIGN | changes.pop("design", {}), **changes}


def test_the_one_that_all_others_change_is_read(tmp_path: Path):
    save_checkpoint(tmp_path / "checkpoint.pt", state())
    model, epoch = load_model(tmp_path / "checkpoint.pt")
    assert epoch == 3
    assert not model.training


ONE = torch.ones(2)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": None}, "something else than tensors as the weights"),
        ({"model": [1]}, "something else than tensors as the weights"),
        ({"weights": {NAME: 1.0}}, "something else than tensors as the weights"),
        ({"weights": {NAME: ONE * math.nan}}, f"holds NaN or infinity in {NAME}"),
        ({"weights": {NAME: ONE * math.inf}}, f"holds NaN or infinity in {NAME}"),
        ({"weights": {NAME: ONE.to(torch.complex64)}}, f"holds NaN or infinity in {NAME}"),
        ({"weights": {NAME: ONE.int()}}, f"{NAME} is of type torch.int32"),
        ({"weights": {NAME: torch.ones(3)}}, rf"{NAME} has shape \(3,\), expected \(2,\)"),
        ({"weights": {7: ONE}}, "7 is left over"),
        ({"weights": {NAME: ONE.to_sparse()}}, "cannot be read as a checkpoint .*a sparse tensor"),
        ({"weights": {NAME: ONE.to("meta")}}, "cannot be read as a checkpoint .*without numbers"),
        ({"architecture": None}, "holds NoneType as the description of its model"),
        ({"architecture": [1]}, "holds list as the description of its model"),
        ({"architecture": {}}, "do not fit their description"),
        ({"design": {"name": ["abmil"]}}, "do not fit their description"),
        ({"design": {"embed_dim": 10**9}}, "do not fit their description"),
        ({"design": {"embed_dim": 10**400}}, "do not fit their description"),
        ({"design": {"dim_in": 2**40}}, "do not fit their description"),
        ({"design": {"dim_in": 2.5}}, "do not fit their description"),
        ({"design": {"n_outputs": None}}, "do not fit their description"),
        ({"design": {"dropout": math.nan}}, "do not fit their description"),
        ({"feature_norm": None}, "holds a scale of the features that cannot be used"),
        ({"feature_norm": "l2"}, "holds a scale of the features that cannot be used"),
        ({"feature_norm": {"kind": "zscore", "mean": [10**400], "std": [1]}}, "a scale of the features that cannot be"),
        ({"feature_norm": {"kind": "zscore", "mean": [1.0], "std": [1.0]}}, "a scale of 1 features for .* of width 4"),
        ({"epoch": "3"}, "holds '3' as its epoch, expected 1 or more"),
        ({"epoch": -1}, "holds -1 as its epoch"),
        ({"epoch": True}, "holds True as its epoch"),
        ({"epoch": 10**300 * -1}, "as its epoch"),
    ],
    ids=range(29),
)
def test_other_parts_are_one_sentence(tmp_path: Path, changed: dict[str, Any], said: str):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, state(**changed))
    with pytest.raises(UserError, match=said) as raised:
        load_model(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < len(str(path)) + 300
