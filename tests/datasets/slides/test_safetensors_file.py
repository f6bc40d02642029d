"""What is special about .safetensors: bfloat16, metadata, where the numbers lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from datasets.slides.features import open_slide, read_rows, read_slide
from datasets.slides.safetensors_file import begin_of_tensor, load_safetensors
from utils.errors import UserError


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_numbers_are_read_from_where_they_lie(tmp_path: Path, dtype: torch.dtype):
    features = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    path, coords = tmp_path / "s.safetensors", torch.arange(100).reshape(50, 2)
    save_file({"coords": coords, "feats": features}, path, metadata={"mpp": "0.25", "encoder": "uni", "scale": "nan"})
    slide = read_slide(path)
    assert slide.features.dtype == dtype
    assert torch.equal(slide.features, features)
    assert slide.coords is not None
    assert torch.equal(slide.coords, coords)
    assert slide.attributes == {"mpp": 0.25}
    begin = begin_of_tensor(path, load_safetensors(path).features)
    assert begin is not None
    assert path.read_bytes()[begin : begin + features.nbytes] == bytes(features.view(torch.uint8).numpy())
    assert torch.equal(read_rows(path, np.array([0, 7, 8, 49])), features[[0, 7, 8, 49]])


def test_a_file_without_features_names_what_it_holds(tmp_path: Path):
    save_file({"weight": torch.zeros(2, 3)}, tmp_path / "s.safetensors")
    with pytest.raises(UserError, match=r"no tensor 'features' \(found weight\): save the features"):
        read_slide(tmp_path / "s.safetensors")


def test_other_types_are_refused(tmp_path: Path):
    save_file({"features": torch.zeros(2, 3, dtype=torch.float8_e4m3fn)}, tmp_path / "s.safetensors")
    with pytest.raises(UserError, match="features of type float8_e4m3fn: expected float16"):
        read_slide(tmp_path / "s.safetensors")


def test_a_file_that_vanishes_is_an_error_of_its_path(tmp_path: Path):
    path = tmp_path / "s.safetensors"
    save_file({"features": torch.ones(9, 3)}, path)
    with open_slide(path) as slide:
        path.unlink()
        with pytest.raises(UserError, match=r"s\.safetensors cannot be read"):
            slide.load_rows(np.array([1]))
