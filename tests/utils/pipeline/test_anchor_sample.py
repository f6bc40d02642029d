"""Which slides and patches anchors are fitted on; run_clustering.py as a whole is tested in tests/commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.slides.features import read_slide, write_slide
from utils.anchors.feature_norm import FeatureNorm
from utils.command.clustering_settings import ClusteringSettings
from utils.errors import UserError
from utils.pipeline.anchor_sample import (
    RELEASED_FILES,
    Sampling,
    choose_sample,
    find_features,
    read_sample,
    scaled,
    slides_to_fit,
)


def sampling(place: Path, **changes) -> Sampling:
    given = {"dataset_name": "D", "input_dir": (place,), "output_dir": place, "workers": 2, **changes}
    return Sampling.of(ClusteringSettings(**given))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    for name, size in (("s1", 50), ("s2", 20), ("s3", 4)):
        write_slide(tmp_path / f"{name}.pt", torch.randn(size, 6, generator=generator))
    return tmp_path


def test_headers_say_what_there_is(place):
    slides, width = find_features([place], workers=2)
    assert width == 6
    assert {slide_id: slide.n_patches for slide_id, slide in slides.items()} == {"s1": 50, "s2": 20, "s3": 4}
    write_slide(place / "s4.pt", torch.ones(3, 7))
    with pytest.raises(UserError, match="width 7"):
        find_features([place], workers=2)


def test_the_released_procedure_takes_its_first_files_whole(place):
    released = sampling(place, preset="released")
    assert (released.n_files, released.max_points) == (RELEASED_FILES, None)
    slides, width = find_features([place], workers=2)
    sample = choose_sample(slides_to_fit(slides, None, released), width, "none", released)
    assert sample.quota == {"s1": 50, "s2": 20, "s3": 4}
    whole = np.concatenate([read_slide(slide.path).features.numpy() for slide in slides.values()])
    assert np.array_equal(read_sample(sample, released), whole)


def test_patches_are_sampled_evenly_and_put_on_the_scale_of_the_sample(place):
    few = sampling(place, max_points=24, feature_norm="zscore", n_files=2)
    slides, width = find_features([place], workers=2)
    sample = choose_sample(slides_to_fit(slides, None, few), width, "zscore", few)
    assert sample.quota == {"s1": 12, "s2": 12}
    assert sample.n_points == 24
    points = read_sample(sample, few)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(points.std(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize(("kind", "value"), [("none", 1e300), ("l2", 1e300), ("zscore", 1e300)])
def test_features_that_float32_does_not_hold_are_named_with_their_slide(place, kind, value):
    features = torch.randn(50, 6, dtype=torch.float64)
    features[3, 2] = value
    said = rf"features of s9 reach to 1e\+300, which with --feature_norm {kind} leaves the range of float32: extract"
    norm = FeatureNorm(kind) if kind != "zscore" else FeatureNorm(kind, torch.zeros(6), torch.ones(6))
    with pytest.raises(UserError, match=said):
        scaled(features, norm, "s9")
    torch.save(features, place / "s9.pt")
    own = sampling(place)
    slides, width = find_features([place], workers=2)
    sample = choose_sample(slides_to_fit(slides, None, own), width, "none", own)
    with pytest.raises(
        UserError, match=r"1 of 50 rows of .*s9\.pt hold numbers beyond 3\.4e\+38, which float32 does not"
    ):
        read_sample(sample, own)


def test_slide_anchors_on_features_as_they_are_do_not_depend_on_a_sample(place):
    assert not sampling(place, scope="slide").matters
    assert sampling(place, scope="slide", feature_norm="zscore").matters
    assert sampling(place, scope="both").matters
