from __future__ import annotations

import numpy as np
import pytest
import torch

from utils.anchors import lloyd as module
from utils.anchors.lloyd import assign, inertia_of, lloyd


def points_around(n: int, dim: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, dim, generator=generator)


def slow_lloyd(points: torch.Tensor, centroids: torch.Tensor, n_iter: int) -> torch.Tensor:
    """One point and one centroid after the other, in float64; every centroid keeps points."""
    points, centroids = points.double(), centroids.double().clone()
    for _ in range(n_iter):
        nearest = [min(range(len(centroids)), key=lambda k: float((x - centroids[k]).square().sum())) for x in points]
        for k in range(len(centroids)):
            centroids[k] = torch.stack([x for x, chosen in zip(points, nearest, strict=True) if chosen == k]).mean(
                dim=0
            )
    return centroids


@pytest.mark.parametrize("n_iter", [1, 3])
def test_iterations_equal_those_of_a_slow_loop(n_iter: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", 37)
    monkeypatch.setattr(module, "TOLERANCE", 0)
    points = points_around(200, 3, seed=0)
    expected = slow_lloyd(points, points[:5], n_iter)
    centroids, nearest = lloyd(points, points[:5], n_iter)
    torch.testing.assert_close(centroids.double(), expected, atol=1e-6, rtol=0)
    distances = (points[:, None].double() - centroids.double()).square().sum(dim=2)  # (n, k)
    assert torch.equal(nearest, distances.argmin(dim=1))
    assert inertia_of(points, centroids, nearest) == pytest.approx(float(distances.amin(dim=1).sum()), rel=1e-6)


def test_an_assignment_worked_by_hand():
    found = assign(torch.tensor([[0.0], [1.0], [5.0], [9.0]]), torch.tensor([[1.0], [6.0], [-7.0]]))
    assert found.nearest.tolist() == [0, 0, 1, 1]
    assert found.squared.tolist() == [1, 0, 1, 9]
    assert found.sums.tolist() == [[1], [14], [0]]
    assert found.sizes.tolist() == [2, 2, 0]


def test_iterations_end_when_the_inertia_hardly_falls(monkeypatch: pytest.MonkeyPatch):
    """{0, 2, 9, 11} from 0 and 11: inertia 8, then 4 for the means 1 and 10, then no less."""
    calls = []

    def counted(*arguments: torch.Tensor) -> module.Assignment:
        calls.append(1)
        return assign(*arguments)

    monkeypatch.setattr(module, "assign", counted)
    points = torch.tensor([[0.0], [2.0], [9.0], [11.0]])
    centroids, _ = lloyd(points, points[[0, 3]], n_iter=20)
    assert centroids.flatten().tolist() == [1, 10]
    assert len(calls) == 3


def test_a_centroid_without_points_moves_to_the_farthest_point():
    """Both start at 0, so that the second gets none; 10 is the farthest point."""
    points = torch.tensor([[-1.0], [0.0], [1.0], [10.0]])
    centroids, nearest = lloyd(points, torch.zeros(2, 1), n_iter=20)
    assert centroids.flatten().tolist() == [0, 10]
    assert nearest.tolist() == [0, 0, 0, 1]


def test_inertia_of_coinciding_points_is_zero():
    points = points_around(1000, 4, seed=1)
    assert inertia_of(points, points[:2], torch.zeros(1000, dtype=torch.int64)) > 0
    assert inertia_of(points, points, torch.arange(1000)) == 0


def test_equal_calls_give_equal_bits():
    points = points_around(9000, 8, seed=2)
    first, again = (lloyd(points, points[:20], 10)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_the_bytes_are_those_of_one_thread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    monkeypatch.setattr(module, "CHECK_ROWS", 50)
    points, before = points_around(1000, 8, seed=0), torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            centroids, nearest = lloyd(points, points[:7].clone(), n_iter=5)
            found.append((centroids, nearest, inertia_of(points, centroids, nearest)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for centroids, nearest, inertia in found[1:]:
        assert torch.equal(centroids, found[0][0])
        assert torch.equal(nearest, found[0][1])
        assert inertia == found[0][2]
