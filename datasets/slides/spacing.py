"""The grid that the patches of a slide lie on."""

from __future__ import annotations

import numpy as np


def usual_spacing(coords: np.ndarray) -> int | None:
    """The most frequent distance between neighbours among patches (M, 2) of one row or column; None without any.

    The smallest one of a tie. The smallest of all would often be the gap between two pieces of tissue with grids of
    their own. Coordinates that are no whole numbers count as such: 255.9999 is a distance of 256.

    >>> usual_spacing(np.array([[0, 0], [448, 0], [896, 0], [900, 448]]))
    448
    """
    gaps = []
    for across, along in ((1, 0), (0, 1)):
        rows = np.rint(coords[:, across])
        order = np.lexsort((coords[:, along], rows))
        steps = np.rint(np.diff(coords[order, along]))
        gaps.append(steps[(np.diff(rows[order]) == 0) & (steps > 0)])
    sizes, counts = np.unique(np.concatenate(gaps), return_counts=True)
    return int(sizes[counts.argmax()]) if len(sizes) else None
