"""Slides without positions are refused before any work by models that need them, and by no other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import write_slide
from models import build_model
from utils.errors import UserError
from utils.pipeline.needed_coords import check_coords


def model_of(name: str, **options: str):
    return build_model(name, dim_in=4, n_outputs=2, embed_dim=8, **options)


def test_slides_without_coordinates(tmp_path: Path):
    paths = {name: tmp_path / f"{name}.pt" for name in ("a", "b", "c")}
    for name, path in paths.items():
        write_slide(path, torch.randn(5, 4), None if name == "b" else torch.arange(10).view(5, 2))
    index = FeatureIndex()
    check_coords([model_of("patchgcn")], {name: paths[name] for name in "ac"}, index)
    check_coords([model_of("abmil"), model_of("patchgcn", graph="features")], paths, index)
    said = r"the model needs the coordinates of patches, which 1 of 3 slides do not have \(b\): give feature files with"
    with pytest.raises(UserError, match=said):
        check_coords([model_of("abmil"), model_of("patchgcn")], paths, index)


def test_values_are_not_read(tmp_path: Path):
    """NaN comes to light when a slide is read; its positions are asked for before."""
    torch.save({"features": torch.full((5, 4), torch.nan), "coords": torch.zeros(5, 2)}, tmp_path / "a.pt")
    check_coords([model_of("patchgcn")], {"a": tmp_path / "a.pt"}, FeatureIndex())
