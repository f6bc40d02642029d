from __future__ import annotations

import pytest
import torch

from datasets.slides.finite import count_bad_rows

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
per_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@per_dtype
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("position", [(0, 0), (0, 6), (299, 0), (299, 6), (150, 3)])
def test_one_bad_number_anywhere_is_found(dtype, bad, position):
    features = torch.randn(300, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert count_bad_rows(features) == 0
    features[position] = bad
    assert count_bad_rows(features) == 1
    features[150] = bad
    assert count_bad_rows(features) == (1 if position[0] == 150 else 2)


@per_dtype
def test_the_largest_and_smallest_finite_numbers_are_no_infinity(dtype):
    info = torch.finfo(dtype)
    largest = min(info.max, torch.finfo(torch.float32).max)
    numbers = [largest, -largest, info.tiny, -info.tiny, info.smallest_normal, 0.0, -0.0]
    assert count_bad_rows(torch.tensor([numbers], dtype=dtype)) == 0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_numbers_that_are_infinity_in_float32_are_found(sign: float):
    first = torch.tensor(0x47EFFFFFF0000000).view(torch.float64)
    below = torch.tensor(0x47EFFFFFEFFFFFFF).view(torch.float64)
    assert (first.float().item(), below.float().isfinite().item()) == (float("inf"), True)
    rows = torch.stack([below, first, torch.tensor(1e300, dtype=torch.float64)])[:, None] * sign
    assert count_bad_rows(rows) == 2


@per_dtype
def test_nan_of_either_sign_and_any_payload_is_found(dtype):
    size = dtype.itemsize * 8
    integers = {16: torch.int16, 32: torch.int32, 64: torch.int64}[size]
    infinity = torch.tensor([[float("inf")]], dtype=dtype).view(integers)
    lowest_payload, all_ones = infinity + 1, torch.full_like(infinity, -1)  # a negative NaN with all bits set
    for bits in (lowest_payload, all_ones, infinity - infinity + lowest_payload, -(2 ** (size - 1)) + lowest_payload):
        assert bits.view(dtype).isnan().all()
        assert count_bad_rows(bits.view(dtype)) == 1


@per_dtype
@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (1, 100_000), (100_000, 1), (70_001, 3)])
def test_agrees_with_isfinite_at_any_shape(dtype, shape):
    features = torch.zeros(shape, dtype=dtype)
    features[::7, -1] = float("nan")
    assert count_bad_rows(features) == len(features[::7])


def test_columns_first_and_gradients_are_counted_too():
    features = torch.zeros(3, 50)
    features[1, 20] = float("inf")
    assert count_bad_rows(features.T) == 1
    assert count_bad_rows(features.requires_grad_()) == 1
