from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.anchors.feature_norm import FeatureNorm, fit_zscore
from utils.errors import UserError


def blocks(mean: float, std: float, sizes: tuple[int, ...] = (5, 100, 1, 37)) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(n, 6, generator=generator, dtype=torch.float64) * std + mean).float() for n in sizes]


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (1e4, 1e-2), (-300.0, 5.0), (0.0, 1e-6)])
def test_zscore_over_blocks_is_that_over_all_rows(mean: float, std: float):
    parts = blocks(mean, std)
    rows = torch.cat(parts).double().numpy()
    norm = fit_zscore(parts)
    assert norm.kind == "zscore"
    assert norm.mean is not None
    assert norm.std is not None
    np.testing.assert_array_equal(norm.mean.numpy(), rows.mean(axis=0).astype(np.float32))
    np.testing.assert_allclose(norm.std.numpy(), rows.std(axis=0), rtol=1e-6)


def test_zscore_worked_by_hand():
    """1, 3, 5, 7: mean 4, population variance (9 + 1 + 1 + 9) / 4 = 5."""
    norm = fit_zscore([torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])])
    torch.testing.assert_close(norm.mean, torch.tensor([4.0]))
    torch.testing.assert_close(norm.std, torch.tensor([5.0]).sqrt())
    torch.testing.assert_close(norm(torch.tensor([[4.0], [9.0]])), torch.tensor([[0.0], [5.0**0.5]]))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e4 + 0.1, 1e-30])
def test_a_feature_that_never_varies_has_deviation_one(value: float):
    """The mean of equal numbers is rounded: without care the deviation of 0.1 is 1e-17, which blows up test slides."""
    norm = fit_zscore([torch.full((n, 1), value, dtype=torch.float64) for n in (3, 7, 11, 1, 999)])
    assert norm.std is not None
    assert norm.std.tolist() == [1.0]
    assert abs(norm(torch.full((1, 1), value)).item()) <= 1e-6 * value


def test_a_deviation_below_float32_is_taken_as_one():
    norm = fit_zscore([torch.tensor([[0.0], [1e-60]], dtype=torch.float64)])
    assert norm.std is not None
    assert norm.std.tolist() == [1.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_blocks_of_half_precision_are_summed_in_float64(dtype: torch.dtype):
    """The sum of 3000 times 60 exceeds float16; the squared deviations of 1000 do as well."""
    parts = [(part * 1000 + 60).to(dtype) for part in blocks(0.0, 1.0, (3000, 10))]
    rows = torch.cat(parts).double().numpy()
    norm = fit_zscore(parts)
    assert norm.mean is not None
    assert norm.std is not None
    np.testing.assert_allclose(norm.mean.numpy(), rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(norm.std.numpy(), rows.std(axis=0), rtol=1e-6)
    scaled = norm(parts[0])
    assert scaled.dtype == torch.float32
    expected = (parts[0].double().numpy() - rows.mean(axis=0)) / rows.std(axis=0)
    np.testing.assert_allclose(scaled.numpy(), expected, atol=1e-5)


def test_empty_blocks_change_nothing():
    parts = blocks(3.0, 2.0)
    with_empty = fit_zscore([torch.zeros(0, 6), *parts, torch.zeros(0, 6)])
    expected = fit_zscore(parts)
    torch.testing.assert_close(with_empty.mean, expected.mean, rtol=0, atol=0)
    torch.testing.assert_close(with_empty.std, expected.std, rtol=0, atol=0)


@pytest.mark.parametrize("none", [[], [torch.zeros(0, 6)]])
def test_no_patches_cannot_be_fitted(none: list[Tensor]):
    with pytest.raises(ValueError, match="got no patches"):
        fit_zscore(none)


def test_l2_makes_each_patch_a_unit_vector_and_keeps_zero():
    scaled = FeatureNorm("l2")(torch.tensor([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]], dtype=torch.float16))
    assert scaled.dtype == torch.float32
    torch.testing.assert_close(scaled, torch.tensor([[0.6, 0.8], [0.0, 0.0], [-1.0, 0.0]]))


@pytest.mark.parametrize("size", [3e38, 1e30, 2e19, 1e-20, 1e-30, 1e-40])
def test_l2_of_rows_whose_squares_leave_float32(size: float):
    rows = torch.tensor([[0.3, -0.4, 0.1], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    sized = torch.cat([rows * size, rows])  # beside rows of everyday size
    expected = F.normalize(sized.double(), dim=1, eps=1e-300)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if size == 1e-40 else {"rtol": 1e-6, "atol": 1e-7}  # subnormal: few digits
    scaled = FeatureNorm("l2")(sized)
    torch.testing.assert_close(scaled.double(), expected, **tolerance)
    assert torch.equal(scaled[4:], F.normalize(rows, dim=1))  # as they always were


def test_none_returns_the_features_as_they_are():
    features = torch.tensor([[1.5, 2.5]], dtype=torch.float16)
    assert FeatureNorm()(features) is features


def test_json_brings_back_every_bit():
    norm = fit_zscore(blocks(1 / 3, 1e-3))
    back = FeatureNorm.from_json(json.loads(json.dumps(norm.to_json())))
    assert back.kind == "zscore"
    for got, expected in ((back.mean, norm.mean), (back.std, norm.std)):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)
    for kind in ("none", "l2"):
        assert FeatureNorm(kind).to_json() == {"kind": kind}
        again = FeatureNorm.from_json({"kind": kind})
        assert (again.kind, again.mean, again.std) == (kind, None, None)


@pytest.mark.parametrize("value", [{"kind": "minmax"}, {}, {"kind": None}, None, "zscore", ["none"]])
def test_another_kind_is_refused(value: object):
    with pytest.raises(UserError, match=r"got feature_norm .*expected one of none, l2, zscore"):
        FeatureNorm.from_json(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"mean": None},
        {"std": "1"},
        {"mean": ["a", "b"]},
        {"mean": [0.0]},
        {"mean": [[0.0, 0.0]], "std": [[1.0, 1.0]]},
        {"std": [1.0, 0.0]},
        {"std": [1.0, -1.0]},
        {"mean": [0.0, float("nan")]},
        {"std": [1.0, float("inf")]},
    ],
)
def test_a_zscore_that_cannot_be_used_is_refused(change: dict):
    with pytest.raises(UserError, match=r"got (a )?zscore .*expected"):
        FeatureNorm.from_json({"kind": "zscore", "mean": [0.0, 0.0], "std": [1.0, 1.0]} | change)


def test_zscore_without_its_numbers_is_refused():
    with pytest.raises(UserError, match="got zscore without"):
        FeatureNorm.from_json({"kind": "zscore", "mean": [0.0]})
    with pytest.raises(ValueError, match="without mean and std"):
        FeatureNorm("zscore")(torch.zeros(1, 2))


def test_it_moves_with_a_model_and_is_no_part_of_its_state():
    model = nn.Linear(2, 1)
    model.feature_scale = FeatureNorm("zscore", torch.zeros(2), torch.ones(2))
    assert set(model.state_dict()) == {"weight", "bias"}
    moved = model.to("meta").feature_scale
    assert moved.mean.device == moved.std.device == torch.device("meta")
    assert list(FeatureNorm("l2").parameters()) == []
