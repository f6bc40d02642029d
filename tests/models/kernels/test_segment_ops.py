"""Products and sums slide by slide against loops over rows, padded to one product and not."""

from __future__ import annotations

import pytest
import torch

from models.kernels.segment_ops import PADDED_ROWS, Segments
from tests.reference.tolerance import relative_error

# Padded, with an empty slide, too uneven to pad, too long to pad, one slide.
SIZES = [[3, 5, 4], [2, 0, 3], [1, 1, 1, 1, 40], [PADDED_ROWS + 1, PADDED_ROWS], [7], [0, 0]]
every_size = pytest.mark.parametrize("sizes", SIZES, ids=str)


def slides_of(sizes: list[int]) -> Segments:
    return Segments.from_index(torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)), len(sizes))


def test_only_short_slides_of_like_size_are_padded():
    assert [slides_of(sizes)._pads for sizes in SIZES] == [True, True, False, False, False, False]


@every_size
def test_products_equal_a_loop_over_rows(sizes: list[int]):
    slides = slides_of(sizes)
    rows = torch.randn(sum(sizes), 4, dtype=torch.float64, requires_grad=True)
    matrices = torch.randn(len(sizes), 4, 3, dtype=torch.float64, requires_grad=True)
    products = slides.products(rows, matrices)
    expected = torch.einsum("na,nab->nb", rows, matrices[slides.index])
    assert relative_error(products, expected) < 1e-12
    weights = torch.randn_like(expected)
    got = torch.autograd.grad((products * weights).sum(), (rows, matrices))
    for gradient, other in zip(got, torch.autograd.grad((expected * weights).sum(), (rows, matrices)), strict=True):
        assert relative_error(gradient, other) < 1e-12


def test_a_shared_matrix_serves_all_slides():
    rows, matrix = torch.randn(5, 4), torch.randn(4, 3)
    assert torch.equal(slides_of([2, 3]).products(rows, matrix), rows @ matrix)


@every_size
def test_weighted_sums_equal_a_loop(sizes: list[int]):
    slides = slides_of(sizes)
    weights, rows = torch.randn(sum(sizes), 3, dtype=torch.float64), torch.randn(sum(sizes), 2, dtype=torch.float64)
    expected = torch.zeros(len(sizes), 3, 2, dtype=torch.float64)
    for row, slide in enumerate(slides.index.tolist()):
        expected[slide] += torch.outer(weights[row], rows[row])
    assert relative_error(slides.weighted_sums(weights, rows), expected) < 1e-12


def test_slides_count_their_rows_and_refuse_a_shuffled_index():
    assert Segments.from_index(torch.tensor([0, 0, 2]), n_slides=4).sizes == (2, 0, 1, 0)
    with pytest.raises(ValueError, match=r"non-decreasing within 0 .. 1"):
        Segments.from_index(torch.tensor([1, 0]), n_slides=2)
