from __future__ import annotations

import pytest
import torch
from sklearn.cluster import kmeans_plusplus

from utils.anchors import kmeans_seeding
from utils.anchors.kmeans_seeding import first_centroids, greedy_start, inertia_at, squared_distances, swapped


def mixture(n: int, dim: int, k: int, seed: int, spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (n, dim) of deviation 1 around k centres, and the centre (n,) of each."""
    generator = torch.Generator().manual_seed(seed)
    origin = torch.arange(n) % k
    centres = spread * torch.randn(k, dim, generator=generator)
    return centres[origin] + torch.randn(n, dim, generator=generator), origin


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_squared_distances_are_those_of_the_differences():
    points = mixture(50, 6, 3, seed=0, spread=2)[0]
    expected = (points[:, None].double() - points.double()).square().sum(dim=2)
    torch.testing.assert_close(squared_distances(points).double(), expected, atol=1e-4, rtol=1e-5)
    assert torch.equal(squared_distances(points).diagonal(), torch.zeros(50))


def test_separated_groups_get_a_start_each():
    points, origin = mixture(300, 8, 12, seed=1, spread=30)
    for seed in range(5):
        rows = greedy_start(squared_distances(points), 12, generator(seed))
        assert sorted(origin[rows].tolist()) == list(range(12))


def test_starts_are_as_good_as_those_of_scikit_learn():
    """Mean inertia of 20 seedings, relative to scikit-learn's greedy k-means++ with as many candidates."""
    points = mixture(400, 5, 20, seed=2, spread=1)[0]
    distances = squared_distances(points)
    ours = [inertia_at(distances, greedy_start(distances, 20, generator(seed))) for seed in range(20)]
    theirs = []
    for seed in range(20):
        rows = kmeans_plusplus(points.double().numpy(), 20, random_state=seed, n_local_trials=8)[1]
        theirs.append(inertia_at(distances, torch.from_numpy(rows).long()))
    assert sum(ours) <= 1.02 * sum(theirs)


def test_a_swap_is_the_best_of_all_that_a_slow_loop_tries(monkeypatch: pytest.MonkeyPatch):
    """With so many candidates that every point is one."""
    monkeypatch.setattr(kmeans_seeding, "SWAP_TRIALS", 2000)
    points = mixture(30, 2, 6, seed=3, spread=2)[0]
    distances, rows = squared_distances(points), torch.arange(4)
    tried = []
    for removed in range(4):
        for candidate in range(30):
            other = rows.clone()
            other[removed] = candidate
            tried.append(inertia_at(distances, other))
    assert min(tried) < inertia_at(distances, rows)
    after = swapped(distances, rows, 1, generator(0))
    assert inertia_at(distances, after) == pytest.approx(min(tried), rel=1e-6)
    assert int((after != rows).sum()) == 1


def test_swaps_never_raise_the_inertia():
    points = mixture(200, 3, 10, seed=4, spread=1)[0]
    distances = squared_distances(points)
    for seed in range(5):
        rows = greedy_start(distances, 10, generator(seed))
        inertia = [inertia_at(distances, swapped(distances, rows, rounds, generator(seed))) for rounds in (0, 3, 20)]
        assert inertia[0] >= inertia[1] >= inertia[2]


def test_more_starts_find_a_lower_inertia(monkeypatch: pytest.MonkeyPatch):
    """Before the swaps; the starts of n are among those of n + 1."""
    monkeypatch.setattr(kmeans_seeding, "MOST_SWAPS", 0)
    points = mixture(400, 4, 20, seed=5, spread=1)[0]
    found = []
    for n_init in (1, 4, 16):
        starts = [first_centroids(points, 20, n_init, seed) for seed in range(5)]
        found.append([float(torch.cdist(points, start).square().amin(dim=1).sum()) for start in starts])
    for one, four, sixteen in zip(*found, strict=True):
        assert one >= four >= sixteen
    assert sum(found[0]) > sum(found[1]) > sum(found[2])


@pytest.mark.parametrize(
    ("n", "k", "expected"), [(100, 2, 100), (1600, 2, 1536), (32000, 2, 2000), (90000, 2, 4096), (4000, 200, 2400)]
)
def test_the_sample_has_its_size(n: int, k: int, expected: int, monkeypatch: pytest.MonkeyPatch):
    seen = []

    def recorded(points: torch.Tensor) -> torch.Tensor:
        seen.append(len(points))
        return squared_distances(points)

    monkeypatch.setattr(kmeans_seeding, "squared_distances", recorded)
    first_centroids(torch.randn(n, 1, generator=generator(0)), k, 1, seed=0)
    assert seen == [expected]


def test_starts_are_points_and_a_function_of_the_seed():
    points = mixture(300, 4, 5, seed=6, spread=1)[0]
    first, again, other = (first_centroids(points, 5, 3, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert all(bool((points == centroid).all(dim=1).any()) for centroid in first)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_equal_points_are_started_from(k: int):
    assert torch.equal(first_centroids(torch.ones(4, 3), k, 2, seed=0), torch.ones(k, 3))
