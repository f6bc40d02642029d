"""Lloyd's iterations of k-means, and the nearest centroid of each point."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import torch

from utils.machine.threads import map_in_threads

Result = TypeVar("Result")
TOLERANCE = 2e-4
BLOCK_ROWS = 4096  # of 512 to 8,192 the fastest or within 5 % of it, on 10,000 and on 262,144 points of width 768
CHECK_ROWS = 512  # differences of more rows leave the cache


class Assignment(NamedTuple):
    """Points and their nearest centroids.

    Attributes:
        nearest: (n,) int64, the nearest centroid of each point.
        squared: (n,) float32, its squared distance.
        sums: (k, d) float64, of the points of each centroid.
        sizes: (k,) int64, how many these are.
    """

    nearest: torch.Tensor
    squared: torch.Tensor
    sums: torch.Tensor
    sizes: torch.Tensor


def lloyd(points: torch.Tensor, centroids: torch.Tensor, n_iter: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Centroids (k, d) after at most `n_iter` updates, and the nearest of them (n,) for each point.

    An update takes the means of the points that each centroid is the nearest to. A centroid without points moves to one
    of the points farthest from their centroids. There is none after one that lowered the inertia by less than
    `TOLERANCE` of it.

    Args:
        points: (n, d) float32, near mean 0.
        centroids: (k, d) float32, to start from.
        n_iter: updates at most.
    """
    squares = _squared_norms(points)
    found, before = assign(points, centroids, squares), math.inf
    for _ in range(n_iter):
        inertia = float(found.squared.sum(dtype=torch.float64))
        if before - inertia <= TOLERANCE * inertia:
            break
        before = inertia
        centroids = (found.sums / found.sizes.clamp(min=1)[:, None]).float()
        empty = found.sizes == 0
        centroids[empty] = points[found.squared.topk(int(empty.sum())).indices]
        found = assign(points, centroids, squares)
    return centroids, found.nearest


def assign(points: torch.Tensor, centroids: torch.Tensor, squares: torch.Tensor | None = None) -> Assignment:
    """Assign each point (n, d) to the nearest centroid (k, d).

    Squared distances are |x|^2 - 2 x.c + |c|^2, which cancels in float32 for points far from the origin. `squares` (n,)
    are the |x|^2 where these are known.
    """
    squares = _squared_norms(points) if squares is None else squares
    sums, sizes = torch.zeros(centroids.shape, dtype=torch.float64), torch.zeros(len(centroids), dtype=torch.int64)
    centroid_squares, nearest, squared = centroids.square().sum(dim=1), [], []

    def of_block(block: torch.Tensor, block_squares: torch.Tensor) -> Assignment:
        relative, chosen = torch.addmm(centroid_squares, block, centroids.T, alpha=-2).min(dim=1)  # (b, k) -> (b,)
        block_sums = torch.zeros_like(centroids).index_add_(0, chosen, block)
        block_sizes = torch.bincount(chosen, minlength=len(centroids))
        return Assignment(chosen, (relative + block_squares).clamp_(min=0), block_sums, block_sizes)

    for of in _in_threads(of_block, points.split(BLOCK_ROWS), squares.split(BLOCK_ROWS)):
        sums += of.sums
        sizes += of.sizes
        nearest.append(of.nearest)
        squared.append(of.squared)
    return Assignment(torch.cat(nearest), torch.cat(squared), sums, sizes)


def inertia_of(points: torch.Tensor, centroids: torch.Tensor, nearest: torch.Tensor) -> float:
    """Sum of squared distances of points (n, d) to their centroids, from the differences: 0 where they coincide."""

    def of_block(block: torch.Tensor, chosen: torch.Tensor) -> float:
        return float(torch.linalg.vector_norm(block - centroids[chosen], dim=1).double().square().sum())

    inertia = 0.0  # not `sum`, which rounds otherwise from Python 3.12 on
    for of in _in_threads(of_block, points.split(CHECK_ROWS), nearest.split(CHECK_ROWS)):
        inertia += of
    return inertia


def _in_threads(
    function: Callable[..., Result], first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]
) -> Iterable[Result]:
    """What the function makes of each two blocks, in their order; each core works on blocks of its own.

    Threads that share a block wait for one another several times in each: 65,536 x 768 points and 64 centroids took 0.8
    CPU seconds by two threads beside other work, in this way 0.27, and 0.15 on one thread. The numbers are the same.
    """
    n_threads, pairs = torch.get_num_threads(), zip(first, second, strict=True)
    if n_threads == 1 or len(first) == 1:
        return (function(*pair) for pair in pairs)
    return map_in_threads(lambda pair: function(*pair), pairs, n_threads)


def _squared_norms(points: torch.Tensor) -> torch.Tensor:
    return torch.cat([block.square().sum(dim=1) for block in points.split(BLOCK_ROWS)])
