"""First centroids for k-means: greedy k-means++ with local search, on a sample of the points."""

from __future__ import annotations

import torch

from utils.machine.seed import derive_seed

SEEDING_TRIALS = 8  # candidates for each centroid; 2 + log(K), as in scikit-learn, are 6 for K = 64
SWAP_TRIALS, MOST_SWAPS = 16, 32
# Points of the sample: a sixteenth of all, within these. All its distances are computed once: 0.02 s for 1,536 points
# of width 768, 0.13 s for 4,096.
FEWEST, MOST, PER_CENTROID = 1536, 4096, 12


def first_centroids(points: torch.Tensor, k: int, n_init: int, seed: int) -> torch.Tensor:
    """Centroids to start from, (k, d), which are points.

    On a sample of the points, `n_init` times greedy k-means++, and from the one of lowest inertia k / 2 rounds of local
    search, at most 32.

    Args:
        points: (n, d) float32, near mean 0.
        k: number of centroids, at most n.
        n_init: how often k-means++ is done. The first are the same whatever their number.
        seed: of the sample and the draws.
    """
    n_sample = min(len(points), max(FEWEST, PER_CENTROID * k, min(len(points) // 16, MOST)))
    sample = points[torch.randperm(len(points), generator=_generator(seed, "sample"))[:n_sample]]  # (m, d)
    distances = squared_distances(sample)  # (m, m)
    starts = [greedy_start(distances, k, _generator(seed, "start", number)) for number in range(n_init)]
    rows = min(starts, key=lambda start: inertia_at(distances, start))
    return sample[swapped(distances, rows, min(k // 2, MOST_SWAPS), _generator(seed, "swaps"))]


def squared_distances(points: torch.Tensor) -> torch.Tensor:
    """All squared distances (n, n) of points (n, d) near mean 0, as |x|^2 - 2 x.y + |y|^2."""
    squares = points.square().sum(dim=1)
    distances = points @ points.T
    return distances.mul_(-2).add_(squares).add_(squares[:, None]).clamp_(min=0).fill_diagonal_(0)


def inertia_at(distances: torch.Tensor, rows: torch.Tensor) -> float:
    """The sum of squared distances of points to the nearest of those in `rows` (k,), from all distances (n, n)."""
    return float(distances[rows].amin(dim=0).sum(dtype=torch.float64))


def greedy_start(distances: torch.Tensor, k: int, generator: torch.Generator) -> torch.Tensor:
    """Centroids by greedy k-means++ (Arthur and Vassilvitskii, 2007), as row numbers (k,).

    The first is drawn uniformly. For each other one, candidates are drawn with probability proportional to the squared
    distance to the nearest centroid so far, and the one that leaves the lowest inertia is taken.

    Args:
        distances: (n, n), squared, of all points.
        k: number of centroids, at most n.
        generator: of the draws.
    """
    rows = [int(torch.randint(len(distances), (), generator=generator))]
    nearest = distances[rows[0]]  # (n,)
    for _ in range(k - 1):
        candidates = _draw(nearest, SEEDING_TRIALS, generator)
        left = torch.minimum(distances[candidates], nearest)  # (trials, n)
        best = int(left.sum(dim=1).argmin())
        rows.append(int(candidates[best]))
        nearest = left[best]
    return torch.tensor(rows)


def swapped(distances: torch.Tensor, rows: torch.Tensor, n_rounds: int, generator: torch.Generator) -> torch.Tensor:
    """Centroids (k,) after local search (Lattanzi and Sohler, 2019) from those in `rows` (k,); k is 2 or more.

    In each round, candidates are drawn as in k-means++, and of all swaps of one of them with one centroid that of
    lowest inertia is made if it lowers the inertia. On 10,000 points of a mixture in 768 dimensions (K = 64), the final
    inertia of k-means was 0.7 % lower for 0.02 s.
    """
    rows = rows.clone()
    for _ in range(n_rounds):
        two, order = distances[rows].topk(2, dim=0, largest=False)  # (2, n)
        nearest, second = two
        candidates = _draw(nearest, SWAP_TRIALS, generator)
        kept = torch.minimum(distances[candidates], nearest)  # (trials, n), with the candidate added
        lost = torch.minimum(distances[candidates], second) - kept  # (trials, n), and the point's own centroid removed
        lost_by_centroid = torch.zeros(len(candidates), len(rows)).index_add_(1, order[0], lost)  # (trials, k)
        inertia = kept.sum(dim=1, keepdim=True) + lost_by_centroid
        candidate, removed = divmod(int(inertia.argmin()), len(rows))
        if inertia[candidate, removed] < nearest.sum():
            rows[removed] = candidates[candidate]
    return rows


def _draw(weights: torch.Tensor, n_draws: int, generator: torch.Generator) -> torch.Tensor:
    """Row numbers (n_draws,), each with a probability proportional to its weight in `weights` (n,)."""
    cumulated = weights.cumsum(dim=0, dtype=torch.float64)
    drawn = torch.rand(n_draws, generator=generator, dtype=torch.float64) * cumulated[-1]
    # right=True never draws a weight of 0, unless all are.
    return torch.searchsorted(cumulated, drawn, right=True).clamp(max=len(weights) - 1)


def _generator(seed: int, *place: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(seed, "k-means++", *place))
