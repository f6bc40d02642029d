"""Neighbours by hand, and against all distances ranked one patch at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.baselines import patch_graph
from models.baselines.patch_graph import neighbour_edges
from models.kernels.segment_ops import Segments
from tests.reference.graph_loop import nearest


def one_slide(size: int) -> Segments:
    return Segments.from_index(torch.zeros(size, dtype=torch.long), 1)


def slides_of(sizes: list[int]) -> Segments:
    return Segments.from_index(torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes)), len(sizes))


def neighbours_of(edges: Tensor, size: int) -> list[list[int]]:
    """The sources of the edges that lead to each patch, in their order."""
    assert edges.dtype == torch.int64
    assert edges.shape[0] == 2
    return [edges[0, edges[1] == patch].tolist() for patch in range(size)]


def grid(columns: int, rows: int, step: int = 256) -> Tensor:
    x, y = torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="ij")
    return step * torch.stack([x.flatten(), y.flatten()], dim=1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_block_of_nine_patches_is_complete():
    got = neighbours_of(neighbour_edges(grid(3, 3), one_slide(9)), 9)
    assert [sorted(patches) for patches in got] == [[j for j in range(9) if j != i] for i in range(9)]
    # The centre: four patches at one step (in x, then in y), then four on the diagonals.
    assert got[4] == [1, 3, 5, 7, 0, 2, 6, 8]


def test_a_line_of_four_patches_by_hand():
    line = torch.tensor([[0, 7], [256, 7], [512, 7], [768, 7]])
    by_k = {k: neighbours_of(neighbour_edges(line, one_slide(4), k), 4) for k in (1, 2, 3, 8)}
    assert by_k[1] == [[1], [0], [1], [2]]  # a tie goes to the smaller coordinate
    assert by_k[2] == [[1, 2], [0, 2], [1, 3], [2, 1]]
    assert by_k[3] == by_k[8] == [[1, 2, 3], [0, 2, 3], [1, 3, 0], [2, 1, 0]]


def test_a_patch_inside_a_grid_has_the_ring_around_it():
    got = neighbours_of(neighbour_edges(grid(7, 6), one_slide(42)), 42)
    inside = 6 * 3 + 2  # third column from 0, second row
    assert sorted(got[inside]) == sorted(inside + 6 * dx + dy for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy)


@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("width", [2, 5])
def test_random_points_equal_all_distances_ranked(k: int, width: int):
    positions, sizes = draw(63, width), [40, 1, 0, 5, 17]
    expected, start = [], 0
    for rows in positions.split(sizes):
        expected += [[start + j for j in row] for row in nearest(rows.tolist(), k)]
        start += len(rows)
    assert neighbours_of(neighbour_edges(positions, slides_of(sizes), k), 63) == expected


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8, 11])
def test_ties_on_a_grid_do_not_depend_on_the_order_of_the_patches(k: int):
    """Ragged tissue in every order of its patches has the neighbours that the rule of ties names."""
    positions = grid(9, 8)[torch.randperm(72, generator=torch.Generator().manual_seed(1))[:50]]
    assert neighbours_of(neighbour_edges(positions, one_slide(50), k), 50) == nearest(positions.tolist(), k)


def test_the_ring_of_sixteen_at_one_distance_is_seen_whole():
    """sqrt(65) = |(1, 8)| = |(4, 7)|: the centre of a grid with nothing nearer has sixteen equally distant patches."""
    steps = range(-10, 11)
    positions = torch.tensor([(x, y) for x in steps for y in steps if x == y == 0 or x * x + y * y >= 65])
    centre = positions.tolist().index([0, 0])
    by_rule = nearest(positions.tolist(), 16)[centre]
    assert positions[by_rule].square().sum(dim=1).unique().tolist() == [65]
    for k in range(1, 17):
        edges = neighbour_edges(positions, one_slide(len(positions)), k)
        assert edges[0, edges[1] == centre].tolist() == by_rule[:k]


def test_edges_never_join_slides():
    """Two slides at the very same positions, which would be each other's nearest patches."""
    positions, slides = grid(4, 5).repeat(2, 1), slides_of([20, 20])
    edges = neighbour_edges(positions, slides)
    assert torch.equal(slides.index[edges[0]], slides.index[edges[1]])
    first, second = edges.split(160, dim=1)
    assert torch.equal(first + 20, second)


@pytest.mark.parametrize("width", [2, 6])
@pytest.mark.parametrize("copies", [3, 90])
def test_copies_of_a_patch_are_neighbours_but_none_is_its_own(width: int, copies: int):
    """90 copies are more than the candidates that are looked at."""
    positions = torch.cat([torch.full((copies, width), 2.0), 9 + draw(12, width).float()])
    got = neighbours_of(neighbour_edges(positions, one_slide(copies + 12)), copies + 12)
    for patch, others in enumerate(got):
        assert patch not in others
        assert len(set(others)) == 8
        if patch < copies:
            assert sum(other < copies for other in others) == min(copies - 1, 8)


@pytest.mark.parametrize("width", [2, 6])
def test_ties_of_copies_go_to_the_earlier_row(width: int):
    positions = torch.zeros(12, width)
    positions[[0, 5]] = 1.0
    got = neighbours_of(neighbour_edges(positions, one_slide(12), k=3), 12)
    assert got[0] == [5, 1, 2]
    assert got[5] == [0, 1, 2]
    assert got[1] == [2, 3, 4]
    assert got[11] == [1, 2, 3]


def test_distances_in_chunks_are_the_same(monkeypatch: pytest.MonkeyPatch):
    positions, slides = draw(100, 7), slides_of([60, 40])
    whole = neighbour_edges(positions, slides)
    monkeypatch.setattr(
        patch_graph, "CHUNK_BYTES", 60 * 8 * 7 + 1
    )  # seven rows of the first slide, the last four alone
    assert torch.equal(neighbour_edges(positions, slides), whole)


def test_features_far_from_zero_keep_their_neighbours():
    """Products of numbers near 1000 lose the distances in float32; those of centred rows do not."""
    features = (1000 + draw(300, 64)).float()
    assert neighbours_of(neighbour_edges(features, one_slide(300)), 300) == nearest(features.tolist())


@pytest.mark.parametrize("width", [2, 16])
def test_autocast_and_gradients_do_not_reach_the_choice(width: int):
    """Two tight groups far apart: products in half precision cannot tell the patches of a group from each other."""
    positions = draw(200, width).float()
    positions[100:] += 100
    positions.requires_grad_()
    plain = neighbour_edges(positions, one_slide(200))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(neighbour_edges(positions, one_slide(200)), plain)
    assert neighbours_of(plain, 200) == nearest(positions.tolist())


def test_half_precision_features_are_compared_as_they_are():
    features = draw(60, 16).bfloat16()
    assert neighbours_of(neighbour_edges(features, one_slide(60)), 60) == nearest(features.tolist())


def test_no_patch_and_one_patch_have_no_edges():
    for size in (0, 1):
        edges = neighbour_edges(torch.zeros(size, 2), one_slide(size))
        assert edges.shape == (2, 0)
        assert edges.dtype == torch.int64


def test_what_cannot_be_is_named():
    with pytest.raises(ValueError, match="got k = 0 neighbours, expected 1 or more"):
        neighbour_edges(grid(2, 2), one_slide(4), k=0)
