"""Where the tissue of a synthetic slide lies: a section on a grid, contiguous regions of tissue types in it."""

from __future__ import annotations

import numpy as np

# Contiguous regions of one tissue type in a slide; several regions share a type, so each type is scattered.
N_REGIONS = 24


def section_cells(n_patches: int, rng: np.random.Generator) -> np.ndarray:
    """Return the grid cells (n_patches, 2) int64 of one irregular, compact piece of tissue, in reading order.

    Columns are x and y in patches, from 0. The outline is a circle with three random harmonics.
    """
    side = int(np.ceil(np.sqrt(2.5 * n_patches))) + 1
    y, x = np.divmod(np.arange(side * side), side)
    angle = np.arctan2(y - side / 2, x - side / 2)
    phases = rng.uniform(0, 2 * np.pi, size=3)
    outline = 1 + sum(0.25 / k * np.cos(k * angle + phase) for k, phase in zip((2, 3, 5), phases, strict=True))
    depth = np.hypot(x - side / 2, y - side / 2) / outline
    inside = np.sort(np.argsort(depth, kind="stable")[:n_patches])
    cells = np.stack([x[inside], y[inside]], axis=1)
    return cells - cells.min(axis=0)


def scatter_regions(cells: np.ndarray, composition: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the tissue type (M,) int64 of each cell: regions around random seeds, of types drawn from `composition`.

    `composition` (n_tissues,) are probabilities. Each cell belongs to the nearest seed (a Voronoi tessellation).
    """
    seeds = rng.choice(len(cells), size=min(N_REGIONS, len(cells)), replace=False)
    types = rng.choice(len(composition), size=len(seeds), p=composition)
    nearest = np.full(len(cells), np.inf)
    tissue = np.zeros(len(cells), dtype=np.int64)
    for seed, kind in zip(seeds, types, strict=True):  # seed by seed: memory grows with M, not with M x N_REGIONS
        distance = _squared_distance(cells, cells[seed])
        closer = distance < nearest
        nearest[closer], tissue[closer] = distance[closer], kind
    return tissue


def plant_region(cells: np.ndarray, n_planted: int, rng: np.random.Generator) -> np.ndarray:
    """Return the positions (n_planted,) of one contiguous region around a random cell."""
    return _closest(cells, int(rng.integers(len(cells))), n_planted)


def plant_two_regions(cells: np.ndarray, n_each: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of two disjoint regions of n_each cells: around a random cell and the farthest one."""
    first = plant_region(cells, n_each, rng)
    centre = cells[first[0]]
    rest = np.setdiff1d(np.arange(len(cells)), first)
    farthest = int(np.argmax(_squared_distance(cells[rest], centre)))
    return first, rest[_closest(cells[rest], farthest, n_each)]


def _squared_distance(cells: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return ((cells - centre) ** 2).sum(axis=1)


def _closest(cells: np.ndarray, centre: int, n: int) -> np.ndarray:
    """Positions of the n cells nearest to the cell `centre`, which comes first."""
    return np.argsort(_squared_distance(cells, cells[centre]), kind="stable")[:n]
