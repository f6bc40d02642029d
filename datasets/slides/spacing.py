"""The grid that the patches of a slide lie on."""

from __future__ import annotations

import numpy as np


def usual_spacing(coords: np.ndarray) -> int | None:
    """The most frequent distance between neighbours among patches (M, 2) of one row or column; None without any.

    The smallest one of a tie. The smallest of all would often be the gap between two pieces of tissue with grids of
    their own.

    >>> usual_spacing(np.array([[0, 0], [448, 0], [896, 0], [900, 448]]))
    448
    """
    gaps = []
    for across, along in ((1, 0), (0, 1)):
        order = np.lexsort((coords[:, along], coords[:, across]))
        steps = np.diff(coords[order], axis=0)
        gaps.append(steps[(steps[:, across] == 0) & (steps[:, along] > 0), along])
    sizes, counts = np.unique(np.concatenate(gaps), return_counts=True)
    return int(sizes[counts.argmax()]) if len(sizes) else None
