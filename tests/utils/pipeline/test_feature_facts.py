from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import write_slide
from utils.errors import UserError
from utils.pipeline.feature_facts import FeatureFacts, check_same_scale, facts_of


def test_facts_of_known_slides(tmp_path: Path):
    for name, length in (("a", 3.0), ("b", 5.0)):
        features = torch.zeros(200, 4)
        features[:, 1] = length
        coords = torch.stack([torch.arange(200), torch.zeros(200)], dim=1).long() * 512
        write_slide(tmp_path / f"{name}.h5", features, coords, {"patch_size_level0": 512, "mpp": 0.25})
    facts = facts_of([tmp_path / "a.h5", tmp_path / "b.h5"], FeatureIndex())
    assert (facts.mean_length, facts.patch_um) == (4.0, 128.0)
    assert FeatureFacts.from_json(facts.to_json()) == facts
    assert FeatureFacts.from_json(None) is None


def test_rows_that_are_not_finite_do_not_count(tmp_path: Path):
    features = torch.ones(10, 4)
    torch.save(features.index_fill(0, torch.tensor([3]), torch.nan), tmp_path / "a.pt")
    assert facts_of([tmp_path / "a.pt"], FeatureIndex()) == FeatureFacts(2.0, None)


@pytest.mark.parametrize(("length", "patch"), [(1.2, 100.0), (0.7, 110.0), (1.0, None)])
def test_scanners_differ_somewhat(length: float, patch: float | None):
    check_same_scale(FeatureFacts(length, patch), FeatureFacts(1.0, 100.0))


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (FeatureFacts(30.0, 100.0), "have length 30 on average, those that the model was trained on 1"),
        (FeatureFacts(0.0, 100.0), "have length 0 on average"),
        (FeatureFacts(1.0, 200.0), "sides of 200 micrometres, those that the model was trained on 100"),
    ],
)
def test_another_scale_is_refused(found: FeatureFacts, said: str):
    with pytest.raises(UserError, match=said):
        check_same_scale(found, FeatureFacts(1.0, 100.0))
