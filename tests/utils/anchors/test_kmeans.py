from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as SklearnKMeans

from utils.anchors.kmeans import check_gpu, count_degenerate, distances_are_lost, kmeans
from utils.anchors.lloyd import BLOCK_ROWS, lloyd
from utils.errors import UserError


def gaussians(n: int, dim: int, k: int, seed: int, spread: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """n points around k centres, the centre of each, and the centres; the centres have deviation `spread`, points 1."""
    rng = np.random.default_rng(seed)
    centres = spread * rng.standard_normal((k, dim))
    origin = rng.permutation(np.arange(n) % k)
    return (centres[origin] + rng.standard_normal((n, dim))).astype(np.float32), origin, centres


def squared_distances(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """(n, k) in float64, from the differences."""
    return np.square(points[:, None].astype(np.float64) - centroids[None].astype(np.float64)).sum(axis=2)


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_inertia_and_sizes_are_those_of_the_returned_centroids(init: str, offset: float):
    """Also far from the origin, where |x|^2 - 2 x.c + |c|^2 in float32 is wrong by a quarter."""
    points = gaussians(3000, 64, 8, seed=0, spread=0.1)[0] + np.float32(offset)
    result = kmeans(points, 8, init=init)
    distances = squared_distances(points, result.centroids)
    assert result.centroids.dtype == np.float32
    assert result.inertia == pytest.approx(distances.min(axis=1).sum(), rel=1e-6)
    np.testing.assert_array_equal(result.sizes, np.bincount(distances.argmin(axis=1), minlength=8))


def test_points_beyond_one_block_of_the_assignment_are_all_counted():
    points, origin, _ = gaussians(BLOCK_ROWS + 1001, 2, 2, seed=1, spread=40)
    result = kmeans(points, 2)
    assert sorted(result.sizes) == sorted(np.bincount(origin))
    assert result.inertia == pytest.approx(squared_distances(points, result.centroids).min(axis=1).sum(), rel=1e-6)


def test_well_separated_gaussians_are_recovered():
    points, origin, centres = gaussians(4000, 16, 10, seed=2, spread=20)
    result = kmeans(points, 10)
    order = squared_distances(centres, result.centroids).argmin(axis=1)
    assert sorted(order) == list(range(10))  # each centre has a centroid of its own
    means = np.stack([points[origin == c].mean(axis=0, dtype=np.float64) for c in range(10)])
    np.testing.assert_allclose(result.centroids[order], means, atol=1e-4)
    np.testing.assert_array_equal(result.sizes[order], np.bincount(origin))


@pytest.mark.parametrize(("n", "dim", "k"), [(2000, 16, 8), (3000, 32, 20), (2000, 64, 16)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_inertia_is_at_most_one_percent_above_scikit_learn(n: int, dim: int, k: int, seed: int):
    points = gaussians(n, dim, k, seed=seed)[0]
    reference = SklearnKMeans(k, n_init=3, random_state=seed).fit(points)
    assert kmeans(points, k, n_init=3, seed=seed).inertia <= 1.01 * reference.inertia_


def test_a_seed_decides_the_result():
    points = gaussians(400, 4, 20, seed=3, spread=1.0)[0]
    first, again, other = (kmeans(points, 20, n_init=1, seed=seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.centroids, again.centroids)
    assert first.inertia == again.inertia
    assert not np.array_equal(first.centroids, other.centroids)


def test_the_points_are_not_changed():
    points = gaussians(300, 4, 3, seed=3)[0] + np.float32(7)
    kept = points.copy()
    kmeans(points, 3)
    np.testing.assert_array_equal(points, kept)


def test_points_that_may_be_changed_are_not_copied():
    points = gaussians(300, 4, 3, seed=3)[0] + np.float32(7)
    expected = kmeans(points, 3)
    result = kmeans(points, 3, overwrite_x=True)
    np.testing.assert_array_equal(result.centroids, expected.centroids)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-5)


def test_points_that_cannot_be_changed_in_place_are_copied():
    points = gaussians(300, 4, 3, seed=3)[0]
    expected = kmeans(points, 3).centroids
    for other in (points.astype(np.float64), np.asfortranarray(points), torch.from_numpy(points.copy())):
        np.testing.assert_array_equal(kmeans(other, 3, overwrite_x=True).centroids, expected)
    points.flags.writeable = False
    np.testing.assert_array_equal(kmeans(points, 3, overwrite_x=True).centroids, expected)


@pytest.mark.parametrize("n", [1024 * 3 - 1, 1024 * 3])
def test_with_many_points_iterations_begin_on_a_sample(n: int, monkeypatch: pytest.MonkeyPatch):
    seen = []

    def recorded(points: torch.Tensor, centroids: torch.Tensor, n_iter: int) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(len(points))
        return lloyd(points, centroids, n_iter)

    monkeypatch.setattr("utils.anchors.kmeans.lloyd", recorded)
    points, origin, _ = gaussians(n, 4, 3, seed=3, spread=20)
    assert sorted(kmeans(points, 3).sizes) == sorted(np.bincount(origin))
    assert seen == ([n] if n < 3072 else [768, n])


def test_the_released_options_are_those_of_a_plain_faiss_call():
    """More than 256 points per centroid, so that faiss draws its subset."""
    points = gaussians(2000, 8, 4, seed=4)[0]
    plain = faiss.Kmeans(8, 4, niter=20, seed=1234)
    plain.train(points)
    result = kmeans(points, 4, n_iter=20, n_init=1, seed=1234, init="random", max_points_per_centroid=256)
    np.testing.assert_array_equal(result.centroids, plain.centroids)
    assert result.sizes.sum() == 2000  # measured over all points, not over the subset
    everything = kmeans(points, 4, n_iter=20, n_init=1, seed=1234, init="random")
    assert not np.array_equal(everything.centroids, plain.centroids)


def test_as_many_clusters_as_points_gives_the_points():
    points = gaussians(7, 3, 7, seed=5)[0]
    result = kmeans(points, 7)
    order = squared_distances(points, result.centroids).argmin(axis=1)
    np.testing.assert_allclose(result.centroids[order], points, atol=1e-6)
    np.testing.assert_array_equal(result.sizes, np.ones(7))
    assert result.inertia == pytest.approx(0, abs=1e-10)


def test_two_clusters_worked_by_hand():
    """{0, 2} and {10, 14}: means 1 and 12, squared distances 1 + 1 + 4 + 4."""
    result = kmeans(np.array([[0.0], [2.0], [10.0], [14.0]]), 2)
    assert sorted(result.centroids[:, 0].tolist()) == pytest.approx([1, 12])
    assert result.inertia == pytest.approx(10)
    assert result.sizes.tolist() == [2, 2]


def test_equal_points_give_equal_centroids_and_all_are_counted():
    result = kmeans(np.full((20, 3), 2.5), 4)
    np.testing.assert_array_equal(result.centroids, np.full((4, 3), 2.5, dtype=np.float32))
    assert (result.inertia, result.sizes.sum()) == (0, 20)
    assert count_degenerate(result.centroids) == (3, 0)


def test_tensors_of_any_precision_are_points():
    points = torch.from_numpy(gaussians(200, 4, 3, seed=6, spread=20)[0]).bfloat16()
    np.testing.assert_array_equal(kmeans(points, 3).centroids, kmeans(points.float().numpy(), 3).centroids)


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("unit", [2.0**121, 2.0**64, 2.0**40, 2.0**-40, 2.0**-100, 2.0**-140])
def test_points_whose_squares_leave_float32_are_clustered_as_the_others(init: str, unit: float):
    """faiss ends the process where distances are infinite, and all points went to one centroid otherwise."""
    points = gaussians(600, 16, 4, seed=3, spread=10)[0]
    large = (points.astype(np.float64) * unit).astype(np.float32)  # exact, but for subnormal numbers
    result, expected = kmeans(large, 4, init=init), kmeans(points, 4, init=init)
    np.testing.assert_array_equal(result.sizes, expected.sizes)
    assert np.isfinite(result.centroids).all()
    distances = squared_distances(large, result.centroids).min(axis=1).sum()
    assert result.inertia == pytest.approx(distances, rel=1e-6)
    assert result.inertia == pytest.approx(expected.inertia * unit**2, rel=1e-6 if unit > 2.0**-126 else 1e-2)


@pytest.mark.parametrize("init", ["k-means++", "random"])
def test_the_largest_numbers_of_each_precision(init: str):
    for largest, dtype in ((65504.0, np.float16), (3.4028235e38, np.float32)):
        points = np.repeat(np.array([[largest] * 3, [-largest] * 3], dtype=dtype), 5, axis=0)
        result = kmeans(points, 2, init=init)
        assert sorted(result.centroids[:, 0]) == pytest.approx([-largest, largest])
        assert sorted(result.sizes) == [5, 5]


@pytest.mark.parametrize("init", ["k-means++", "random"])
@pytest.mark.parametrize("value", [0.0, 3.0, 1e30])
def test_features_that_never_vary_have_finite_anchors(init: str, value: float):
    result = kmeans(np.full((50, 8), value, dtype=np.float32), 4, init=init)
    assert np.isfinite(result.centroids).all()
    assert result.inertia == pytest.approx(0, abs=1e-6 * 400 * value**2)
    assert result.sizes.sum() == 50


def test_distances_that_cancel_are_told():
    """In the released form from zero on, and otherwise from the mean on."""
    points = gaussians(2000, 16, 4, seed=4)[0]
    assert not distances_are_lost(kmeans(points, 4), from_mean=True)
    far = points + np.float32(1e5)
    released, ours = kmeans(far, 4, init="random"), kmeans(far, 4)
    assert distances_are_lost(released, from_mean=False)
    assert not distances_are_lost(ours, from_mean=True)
    two_worlds = np.concatenate([far, -far])
    assert distances_are_lost(kmeans(two_worlds, 4), from_mean=True)
    repeated = np.repeat(points[:3], 20, axis=0)
    assert not distances_are_lost(kmeans(repeated, 4), from_mean=True)  # distances of 0, but for rounding


def test_duplicate_and_zero_centroids_are_counted():
    assert count_degenerate(np.array([[1.0, 2.0], [3.0, 4.0]])) == (0, 0)
    assert count_degenerate(np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [0.0, 1.0]])) == (
        3,
        2,
    )


def test_fewer_points_than_clusters_is_a_mistake_of_the_user():
    with pytest.raises(UserError, match="got 3 points for 4 clusters"):
        kmeans(np.eye(3), 4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_points_that_are_not_finite_are_refused(value: float):
    points = np.eye(3)
    points[1, 2] = value
    with pytest.raises(ValueError, match="NaN or infinity"):
        kmeans(points, 2)


@pytest.mark.parametrize("points", [np.zeros(3), np.zeros((2, 3, 4)), np.zeros((5, 0))])
def test_points_of_another_shape_are_refused(points: np.ndarray):
    with pytest.raises(ValueError, match=r"got points of shape .*expected \(n, d\)"):
        kmeans(points, 1)


@pytest.mark.parametrize("option", [{"k": 0}, {"k": -1}, {"n_iter": 0}, {"n_init": 0}, {"init": "kmeans"}])
def test_impossible_options_are_refused(option: dict):
    with pytest.raises(ValueError, match="expected numbers from 1 on and one of k-means"):
        kmeans(np.eye(3), **({"k": 2} | option))


def test_gpu_without_a_gpu_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(faiss, "get_num_gpus", lambda: 0)
    for ask in (check_gpu, lambda: kmeans(np.eye(3), 2, gpu=True)):
        with pytest.raises(UserError, match=r"--gpu needs a GPU .* run 'bash script/setup.sh' .*faiss-gpu"):
            ask()
