"""The grid of patches against a loop over them."""

from __future__ import annotations

import numpy as np

from datasets.slides.spacing import usual_spacing


def test_the_usual_spacing_is_that_of_a_loop_over_neighbours():
    """Two pieces of tissue, each on a grid of 100 with an origin of its own, and holes."""
    rng = np.random.default_rng(0)
    cells = np.stack(np.meshgrid(np.arange(8), np.arange(6)), axis=-1).reshape(-1, 2) * 100
    both = np.concatenate([cells, cells + np.array([737, 0])])
    coords = both[rng.permutation(len(both))[:80]]
    gaps = []
    for one in coords:
        for axis in (0, 1):
            ahead = [p[axis] - one[axis] for p in coords if p[1 - axis] == one[1 - axis] and p[axis] > one[axis]]
            gaps += [min(ahead)] if ahead else []
    values, counts = np.unique(gaps, return_counts=True)
    assert usual_spacing(coords) == values[counts.argmax()] == 100
    assert 37 in values  # the gap between the two grids, which is no size of a patch


def test_distances_are_rounded_before_they_are_counted():
    assert usual_spacing(np.array([[0, 0], [255.9999, 0], [511.9998, 0]])) == 256
    # Two rows whose y differs by rounding, a gap of 300 that is there twice, and ones of 256 with other errors each.
    coords = [[0, 0], [256.0001, 1e-4], [511.9998, 0], [767.9999, -1e-4], [1068, 0], [1368, 0], [1368.0001, 0]]
    assert usual_spacing(np.array(coords)) == 256
    assert usual_spacing(np.array([[0, 0], [0.1, 0]])) is None
