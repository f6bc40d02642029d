"""Choosing patches evenly over slides, before any of them is read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from utils.machine.seed import derive_seed

# Sampled points are held once, as float32. With what k-means adds for up to 512 centroids, and the libraries, the
# command stays below 2 GB.
POINT_BYTES = 2**30


def points_in_memory(max_points: int, width: int) -> int:
    """`max_points`, or as many points of this width as fit into `POINT_BYTES` where these are fewer.

    >>> points_in_memory(262144, 768), points_in_memory(262144, 1536)
    (262144, 174762)
    """
    return min(max_points, POINT_BYTES // (4 * width))


def even_quota(sizes: Mapping[str, int], max_points: int) -> dict[str, int]:
    """How many patches each slide gives so that the total is at most `max_points`, as evenly as the slides allow.

    A slide with fewer patches than its share gives all of them, and the others share what it leaves; what cannot be
    divided goes to the smaller slides, among equal ones to the first by name.

    >>> even_quota({"a": 2, "b": 100, "c": 100}, max_points=21)
    {'a': 2, 'b': 10, 'c': 9}
    """
    quota: dict[str, int] = {}
    left = max_points
    for position, slide_id in enumerate(sorted(sizes, key=lambda s: (sizes[s], s))):
        share = -(-left // (len(sizes) - position))  # rounded up
        quota[slide_id] = min(sizes[slide_id], share)
        left -= quota[slide_id]
    return {slide_id: quota[slide_id] for slide_id in sizes}


def sample_rows(slide_id: str, n_patches: int, n_rows: int, seed: int) -> np.ndarray:
    """`n_rows` of `n_patches` row numbers without replacement, sorted; a function of seed and slide alone."""
    if n_rows == n_patches:
        return np.arange(n_patches)
    rng = np.random.default_rng(derive_seed(seed, "rows", slide_id))
    return np.sort(rng.choice(n_patches, size=n_rows, replace=False))
