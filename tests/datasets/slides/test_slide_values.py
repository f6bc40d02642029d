"""What is kept of the numbers of a slide is what its file says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datasets.slides.features import read_slide, write_slide
from datasets.slides.slide_values import N_ROWS, SlideValues, mean_length, rows_for_length


def test_of_a_slide(tmp_path: Path):
    coords = torch.stack([torch.arange(200) * 512, torch.zeros(200)], dim=1).long()
    features = torch.zeros(200, 4)
    features[:, 1] = torch.arange(200)
    write_slide(tmp_path / "a.h5", features, coords, {"patch_size_level0": 512, "mpp": 0.25})
    lengths = [float(row) for row in rows_for_length(200)]
    assert SlideValues.of(read_slide(tmp_path / "a.h5")) == (sum(lengths) / len(lengths), 128.0, None, None)


def test_what_repeats(tmp_path: Path):
    write_slide(tmp_path / "a.h5", torch.zeros(30, 4), torch.zeros(30, 2))
    write_slide(tmp_path / "b.pt", torch.eye(4))
    said = ("30 of 30 rows that are 0", "30 patches at 1 position")
    assert SlideValues.of(read_slide(tmp_path / "a.h5")) == (0.0, None, *said)
    assert SlideValues.of(read_slide(tmp_path / "b.pt")) == (1.0, None, None, None)


@pytest.mark.parametrize("n_patches", [1, 2, 63, 64, 65, 10_000])
def test_the_rows_are_spaced_evenly_and_reach_both_ends(n_patches: int):
    rows = rows_for_length(n_patches)
    assert len(rows) == min(n_patches, N_ROWS)
    assert (rows[0], rows[-1]) == (0, n_patches - 1)


def test_rows_that_are_not_finite_do_not_count():
    features = torch.tensor([[3.0, 4.0], [torch.nan, 1.0], [torch.inf, 0.0], [0.0, 1.0]])
    assert mean_length(features) == 3.0
    assert mean_length(features[1:3]) == 0.0
