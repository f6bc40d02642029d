from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from utils.anchors.anchor_files import write_anchors, write_provenance
from utils.anchors.feature_norm import FeatureNorm
from utils.anchors.fold_anchors import FoldAnchors, load_fold_anchors
from utils.errors import UserError
from utils.files.provenance import digest

SLIDES = {"train": ["a", "b"], "val": ["c"], "test": ["d", "e"]}
FINGERPRINTS = {slide_id: f"print of {slide_id}" for slide_id in "abcde"}
ANCHORS = np.arange(6, dtype=np.float32).reshape(2, 3)


def load(anchors: Path | str, fold: int = 0) -> FoldAnchors:
    return load_fold_anchors(str(anchors), fold, SLIDES, FINGERPRINTS, n_clusters=2, dim_in=3)


def test_a_file_holds_the_anchors_of_the_data_set(tmp_path: Path):
    path = tmp_path / "BLCA_C_2_init.pt"
    write_anchors(path, ANCHORS)
    write_provenance(path, {"slides": ["a", "b"]}, FeatureNorm("l2"))
    got = load(path)
    assert got.dataset is not None
    np.testing.assert_array_equal(got.dataset.numpy(), ANCHORS)
    assert (got.read_slide, got.warnings) == (None, ())
    assert got.feature_norm.kind == "l2"
    assert got.digest == digest(path)


def test_the_number_of_the_fold_is_put_in(tmp_path: Path):
    for fold in (0, 12):
        write_anchors(tmp_path / f"fold{fold}" / f"init_fold{fold}.pt", ANCHORS + fold)
    for fold in (0, 12):
        got = load(tmp_path / "fold{fold}" / "init_fold{fold}.pt", fold)
        assert got.dataset is not None
        np.testing.assert_array_equal(got.dataset.numpy(), ANCHORS + fold)
    with pytest.raises(UserError, match=r"no anchor file at .*init_fold3\.pt"):
        load(tmp_path / "fold{fold}" / "init_fold{fold}.pt", 3)


def test_anchors_that_saw_validation_or_test_slides_are_warned_of(tmp_path: Path):
    path = tmp_path / "a.pt"
    write_anchors(path, ANCHORS)
    write_provenance(path, {"slides": ["a", "c", "d", "e", "f"]}, FeatureNorm())
    assert load(path, 4).warnings == (
        "the anchors of fold 4 were fitted on 1 of its validation and 2 of its test slides (run_clustering.py "
        "--fold_csv fits on training slides only)",
    )


def test_anchors_of_unknown_origin_are_warned_of(tmp_path: Path):
    write_anchors(tmp_path / "a.pt", ANCHORS)
    (warning,) = load(tmp_path / "a.pt").warnings
    assert str(tmp_path / "a.pt") in warning
    assert "test slides may be among them" in warning


@pytest.fixture
def slide_anchors(tmp_path: Path) -> Path:
    directory = tmp_path / "BLCA_C_2_slides"
    for number, slide_id in enumerate("abcde"):
        write_anchors(directory / f"{slide_id}.pt", ANCHORS + number)
    write_provenance(directory, {"seed": 1}, FeatureNorm("l2"))
    return directory


def test_a_directory_holds_the_anchors_of_each_slide(slide_anchors: Path):
    got = load(slide_anchors)
    assert got.dataset is None
    assert got.read_slide is not None
    for number, slide_id in enumerate("abcde"):
        np.testing.assert_array_equal(got.read_slide(slide_id).numpy(), ANCHORS + number)
    assert got.feature_norm.kind == "l2"
    assert got.digest == digest(slide_anchors)
    assert got.warnings == ()


def test_a_slide_without_anchors_is_named(slide_anchors: Path):
    (slide_anchors / "d.pt").unlink()
    with pytest.raises(UserError, match=r"no anchor file at .*d\.pt"):
        load(slide_anchors)


def test_slide_anchors_of_another_number_are_named(slide_anchors: Path):
    write_anchors(slide_anchors / "e.pt", np.zeros((5, 3)))
    with pytest.raises(UserError, match=r"e\.pt holds 5 anchors and --n_clusters is 2"):
        load(slide_anchors)


def test_a_scale_of_another_width_is_refused(tmp_path: Path):
    """The anchors fit the features and the record beside them does not."""
    path = tmp_path / "a.pt"
    write_anchors(path, ANCHORS)
    write_provenance(path, {"slides": []}, FeatureNorm("zscore", torch.zeros(4), torch.ones(4)))
    with pytest.raises(UserError, match=r"a\.json holds a zscore of 4 features, but the features have width 3: fit"):
        load(path)


def test_slide_anchors_on_a_scale_that_saw_test_slides_are_warned_of(tmp_path: Path):
    for slide_id in "abcde":
        write_anchors(tmp_path / "slides" / f"{slide_id}.pt", ANCHORS)
    write_provenance(tmp_path / "slides", {"slides": ["a", "d"]}, FeatureNorm())
    assert load(tmp_path / "slides").warnings == ()  # the scale is nobody's
    write_provenance(tmp_path / "slides", {"slides": ["a", "d"]}, FeatureNorm("zscore", torch.zeros(3), torch.ones(3)))
    (warning,) = load(tmp_path / "slides").warnings
    assert "0 of its validation and 1 of its test slides" in warning
    write_provenance(tmp_path / "slides", {"slides": ["a"]}, FeatureNorm("zscore", torch.zeros(3), torch.ones(3)))
    assert load(tmp_path / "slides").warnings == ()
