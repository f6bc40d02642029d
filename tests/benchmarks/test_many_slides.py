"""The cohort of the benchmark is one that can be read and learned, and every command of it runs on it."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.many_slides import main
from benchmarks.many_slides_cohort import DIM, SIZES, SlideBytes, write_cohort
from datasets.slides.features import read_slide
from utils.statistics.survival_stats import concordance


@pytest.mark.parametrize("n_patches", SIZES)
def test_bytes_are_those_of_a_file_by_h5py(tmp_path: Path, n_patches: int):
    rng, maker, path = np.random.default_rng(n_patches), SlideBytes(n_patches), tmp_path / "s.h5"
    for _ in range(2):  # nothing of an earlier slide is left
        features = rng.standard_normal((n_patches, DIM), dtype=np.float32)
        coords = rng.integers(0, 10**6, (n_patches, 2))
        path.write_bytes(maker.filled(features, coords))
        with h5py.File(path) as file:
            np.testing.assert_array_equal(file["features"][...], features)
            np.testing.assert_array_equal(file["coords"][...], coords)
            assert file["features"].chunks == (1, DIM)
        slide = read_slide(path)
        assert torch.equal(slide.features, torch.from_numpy(features))
        assert torch.equal(slide.coords, torch.from_numpy(coords))
        assert slide.attributes == {"patch_size": 256.0, "patch_size_level0": 512.0, "overlap": 0.0}


def test_the_outcomes_are_in_the_features(tmp_path: Path):
    write_cohort(tmp_path, 300)
    labels = pd.read_csv(tmp_path / "labels.csv")
    means = np.stack([read_slide(tmp_path / "features" / f"{s}.h5").features.mean(dim=0) for s in labels.slide_id])
    assert len(labels) == 300
    assert 250 < labels.case_id.nunique() < 300  # some patients have two slides
    assert (labels.groupby("case_id")[["label", "survival_months", "censorship"]].nunique() == 1).all(axis=None)
    axis = means[labels.label == 1].mean(axis=0) - means[labels.label == 0].mean(axis=0)
    risk = means @ axis
    assert np.corrcoef(risk, labels.label)[0, 1] > 0.5
    assert concordance((labels.censorship == 0).to_numpy(), labels.survival_months.to_numpy(), risk) > 0.65


@pytest.mark.slow
def test_every_command_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    options = ["--slides", "120", "--epochs", "1", "--n_clusters", "8", "--embed_dim", "8", "--threads", "1"]
    places = ["--folder", str(tmp_path / "cohort"), "--output", str(tmp_path / "steps.json")]
    assert main([*options, *places]) == 0
    steps = json.loads((tmp_path / "steps.json").read_text(encoding="utf-8"))["steps"]
    assert len(steps) == 10
    for step, used in steps.items():
        assert used["seconds"] > 0, step
        assert used["gigabytes"] < 1, step
    out = capsys.readouterr().out
    assert "| one fold, 1 epochs" in out
    assert "report.html" in out
