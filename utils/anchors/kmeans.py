"""k-means: Lloyd's iterations from k-means++ on torch; the released procedure, and iterations on GPUs, on faiss."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import faiss
import numpy as np
import torch

from utils.anchors.kmeans_seeding import first_centroids
from utils.anchors.lloyd import assign, inertia_of, lloyd
from utils.errors import UserError
from utils.machine.seed import derive_seed

INITIALISATIONS = ("k-means++", "random")
_SQUARED = (2.0**-32, 2.0**50)  # largest numbers whose squares, sums of them and differences float32 holds
_MOST_DOUBLINGS = 100  # a power of two beyond 2^126 is no normal number in float32
WARM_UP_POINTS = 256  # points for each centroid that iterations begin on, where there are at least 4 times so many


class KMeans(NamedTuple):
    """A clustering of n points in d dimensions.

    Attributes:
        centroids: (k, d) float32.
        inertia: sum of squared distances of the points to their centroid.
        sizes: (k,) int64, points of each centroid.
    """

    centroids: np.ndarray
    inertia: float
    sizes: np.ndarray


def kmeans(
    x: np.ndarray | torch.Tensor,
    k: int,
    n_iter: int = 20,
    n_init: int = 3,
    seed: int = 1234,
    gpu: bool = False,
    *,
    init: str = "k-means++",
    max_points_per_centroid: int | None = None,
    overwrite_x: bool = False,
) -> KMeans:
    """Lloyd's k-means from the best of `n_init` starts.

    With `k-means++`, the starts are drawn on a sample of the points (`utils.anchors.kmeans_seeding`), and the one of
    lowest inertia there, after a local search, is iterated: with 1,024 points for each centroid or more, first on a
    sample of 256 for each; then on all points. Both are at most `n_iter` iterations, which end when one lowers the
    inertia by less than 2e-4 of it. A centroid that loses all its points moves to one of the points farthest from their
    centroids.

    Args:
        x: (n, d) points, used as float32.
        k: number of centroids, at most n.
        n_iter: maximum number of iterations.
        n_init: starts. The first of them are the same whatever their number.
        seed: of the starts. The result is a function of it on one machine with the same number of threads.
        gpu: iterate `n_iter` times over all points with faiss on all GPUs.
        init: `k-means++`, or `random` as in the released code: from each of `n_init` starts, k points drawn without
            replacement, faiss iterates `n_iter` times, and the lowest inertia is kept.
        max_points_per_centroid: with `random`, faiss draws a subset of `k` times so many points when there are more;
            None uses all.
        overwrite_x: `x` may be changed; as a C-contiguous float32 array it is then not copied.

    Returns:
        The centroids, with inertia and sizes over all n points.

    Raises:
        UserError: for fewer points than k, or a GPU that faiss cannot use.
        ValueError: for points of another shape, NaN or infinity, or an impossible option.
    """
    if min(k, n_iter, n_init) < 1 or init not in INITIALISATIONS:
        raise ValueError(
            f"got k={k}, n_iter={n_iter}, n_init={n_init}, init={init!r}; expected numbers from 1 on and one of "
            f"{', '.join(INITIALISATIONS)}"
        )
    points = _as_points(x, overwrite_x)  # (n, d)
    if len(points) < k:
        raise UserError(f"got {len(points)} points for {k} clusters, expected at least as many points as clusters")
    if gpu:
        check_gpu()
    unit = _into_range(points)
    shift = points.mean(dim=0)  # (d,)
    options: dict[str, Any] = {"niter": n_iter, "seed": seed % 2**31, "gpu": gpu}
    if init == "random":  # the released procedure trains on points as they are, the others at mean 0
        limit = max_points_per_centroid or len(points)
        centroids = _faiss(points, k, nredo=n_init, max_points_per_centroid=limit, **options)
        nearest = assign(points.sub_(shift), centroids - shift).nearest
    elif gpu:
        first = first_centroids(points.sub_(shift), k, n_init, seed)
        centroids = _faiss(points, k, first=first, max_points_per_centroid=len(points), **options) + shift
        nearest = assign(points, centroids - shift).nearest
    else:
        first = first_centroids(points.sub_(shift), k, n_init, seed)
        centred, nearest = lloyd(points, _warmed_up(points, first, n_iter, seed), n_iter)
        centroids = centred + shift
    sizes, inertia = torch.bincount(nearest, minlength=k), inertia_of(points, centroids - shift, nearest)
    return KMeans((centroids * unit).numpy(), inertia * unit**2, sizes.numpy())


def check_gpu() -> None:
    """Check that there is a GPU that faiss can use.

    Raises:
        UserError: with how to get one.
    """
    if not hasattr(faiss, "StandardGpuResources") or faiss.get_num_gpus() == 0:
        raise UserError(
            "--gpu needs a GPU that faiss can use and found none: run 'bash script/setup.sh' on a machine where "
            "nvidia-smi answers (it installs faiss-gpu in the place of faiss-cpu), or leave out --gpu"
        )


def count_degenerate(centroids: np.ndarray) -> tuple[int, int]:
    """How many centroids repeat an earlier one, and how many are zero.

    >>> count_degenerate(np.array([[1.0, 2.0], [0.0, 0.0], [1.0, 2.0]]))
    (1, 1)
    """
    duplicates = len(centroids) - len(np.unique(centroids, axis=0))
    return duplicates, int((~centroids.any(axis=1)).sum())


def distances_are_lost(result: KMeans, *, from_mean: bool) -> bool:
    """Whether squared distances, as |x|^2 - 2 x.c + |c|^2 in float32, are smaller than the rounding of their terms.

    Points that are equal but for rounding are none whose distances are lost.

    Args:
        result: of a clustering.
        from_mean: whether |x| was counted from the mean of the points, not from zero.
    """
    centroids, sizes = result.centroids.astype(np.float64), result.sizes / result.sizes.sum()  # (k, d), (k,)
    origin = sizes @ centroids if from_mean else 0.0
    of_terms = float(sizes @ np.square(centroids - origin).sum(axis=1))
    of_distances = result.inertia / float(result.sizes.sum())
    return bool(2.0**-44 * of_terms < of_distances < 2.0**-23 * of_terms)


def _as_points(x: np.ndarray | torch.Tensor, overwrite_x: bool) -> torch.Tensor:
    """`x` as contiguous float32 (n, d) that may be changed: itself if it is that and is free, or else a copy."""
    given = x.detach() if isinstance(x, torch.Tensor) else x
    if given.ndim != 2 or given.shape[1] == 0:
        raise ValueError(f"got points of shape {tuple(given.shape)}, expected (n, d)")
    if overwrite_x and isinstance(given, np.ndarray) and given.dtype == np.float32 and given.flags.carray:
        return torch.from_numpy(given)
    points = torch.empty(given.shape, dtype=torch.float32)
    if isinstance(given, torch.Tensor):
        return points.copy_(given)
    points.numpy()[...] = given
    return points


def _into_range(points: torch.Tensor) -> float:
    """Divide points, in place, by a power of two where their squares would leave float32; the power, 1.0 elsewhere.

    Quotients by powers of two are exact, so that the clustering is the same. Left alone, the distances of points beyond
    1.8e19 are infinite, all points go to one centroid, and faiss ends the process.

    Raises:
        ValueError: for NaN or infinity.
    """
    low, high = (float(extreme) for extreme in torch.aminmax(points))
    largest = max(-low, high)
    if not math.isfinite(largest + low):  # NaN reaches both extremes
        raise ValueError("got points with NaN or infinity, expected finite ones")
    if largest == 0 or _SQUARED[0] <= largest <= _SQUARED[1]:
        return 1.0
    unit = 2.0 ** max(-_MOST_DOUBLINGS, min(_MOST_DOUBLINGS, math.frexp(largest)[1]))
    points.div_(unit)
    return unit


def _warmed_up(points: torch.Tensor, centroids: torch.Tensor, n_iter: int, seed: int) -> torch.Tensor:
    """Centroids (k, d) after iterations on a sample of many points (n, d), or as they are for few.

    On 262,144 x 768 points and K = 64, this saved 6 of 16 iterations over all points.
    """
    n_sample = WARM_UP_POINTS * len(centroids)
    if len(points) < 4 * n_sample:
        return centroids
    generator = torch.Generator().manual_seed(derive_seed(seed, "warm-up sample"))
    return lloyd(points[torch.randperm(len(points), generator=generator)[:n_sample]], centroids, n_iter)[0]


def _faiss(
    points: torch.Tensor, k: int, *, first: torch.Tensor | None = None, niter: int, gpu: bool, **options: Any
) -> torch.Tensor:
    """Centroids (k, d) of faiss; `first` (k, d) instead of random ones to start from."""
    # faiss would warn below 39 points a centroid; small slides have fewer.
    clustering = faiss.Kmeans(points.shape[1], k, niter=niter, gpu=gpu, min_points_per_centroid=1, **options)
    clustering.train(points.numpy(), init_centroids=None if first is None else first.numpy())
    return torch.from_numpy(np.array(clustering.centroids))
