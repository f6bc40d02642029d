"""Fingerprints of slides."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datasets.slides.features import write_slide
from datasets.slides.fingerprint import fingerprint
from utils.errors import UserError


def of(path: Path, features: torch.Tensor) -> str:
    write_slide(path, features, torch.zeros(len(features), 2))
    return fingerprint(path)


def test_a_fingerprint_is_that_of_the_numbers(tmp_path):
    features = torch.randn(9, 4)
    first = of(tmp_path / "a.pt", features)
    assert len(first) == 16
    assert of(tmp_path / "b.h5", features) == first
    assert of(tmp_path / "c.pt", features.double()) == first
    assert of(tmp_path / "d.pt", features[:8]) != first
    for row in (0, 4, 8):
        other = features.clone()
        other[row, 2] += 1e-3
        assert of(tmp_path / f"{row}.pt", other) != first


@pytest.mark.parametrize("n_patches", [1, 2])
def test_small_slides_have_one_too(tmp_path, n_patches):
    assert of(tmp_path / "a.pt", torch.ones(n_patches, 4)) != of(tmp_path / "b.pt", torch.zeros(n_patches, 4))


def test_a_damaged_file_is_refused_and_values_are_left_to_the_reader(tmp_path):
    torch.save(torch.full((3, 2), float("nan")), tmp_path / "nan.pt")
    assert len(fingerprint(tmp_path / "nan.pt")) == 16
    (tmp_path / "empty.pt").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.pt"):
        fingerprint(tmp_path / "empty.pt")
