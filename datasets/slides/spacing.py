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
    return _most_frequent(np.concatenate(_gaps(coords)))


def spacing_by_direction(coords: np.ndarray) -> tuple[int | None, int | None]:
    """What `usual_spacing` is along x and along y alone.

    >>> spacing_by_direction(np.array([[0, 0], [448, 0], [896, 0], [0, 224]]))
    (448, 224)
    """
    along_x, along_y = _gaps(coords)
    return _most_frequent(along_x), _most_frequent(along_y)


def _gaps(coords: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances between neighbours of one row along x, and between those of one column along y."""
    along_x, along_y = (_gaps_along(coords[:, along], coords[:, across]) for along, across in ((0, 1), (1, 0)))
    return along_x, along_y


def _gaps_along(positions: np.ndarray, across: np.ndarray) -> np.ndarray:
    rows = np.rint(across)
    order = np.lexsort((positions, rows))
    steps = np.rint(np.diff(positions[order]))
    return steps[(np.diff(rows[order]) == 0) & (steps > 0)]


def _most_frequent(gaps: np.ndarray) -> int | None:
    sizes, counts = np.unique(gaps, return_counts=True)
    return int(sizes[counts.argmax()]) if len(sizes) else None
