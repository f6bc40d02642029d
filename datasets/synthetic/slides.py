"""The slides of a synthetic cohort: tissue laid out on a grid, features around the prototypes of the tissue types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from datasets.slides.features import write_slide
from datasets.synthetic.settings import CohortSettings
from datasets.synthetic.tissue import plant_region, plant_two_regions, scatter_regions, section_cells
from utils.files.tensors import save_tensors

MICRONS_PER_PIXEL = 0.5  # of a scan at 20x


def signal_tissues(settings: CohortSettings) -> tuple[int, ...]:
    """Return the tissue types that the outcome depends on: a third of all (proportion), 0 (decisive), 0 and 1."""
    n_signal = {"proportion": settings.n_tissues // 3, "decisive": 1, "cooccurrence": 2}
    return tuple(range(n_signal[settings.signal]))


def write_slides(
    output_dir: Path, settings: CohortSettings, planted: np.ndarray
) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Write features and tissue types of every slide, one after the other.

    `planted` (n_cases,) is the class whose signal is planted in the slides of each case (decisive, cooccurrence).
    Returns the slide ids of each case, and the share of signal tissue among its patches (n_cases,).
    """
    prototypes = np.random.default_rng([settings.seed, 1]).standard_normal((settings.n_tissues, settings.dim))
    direction = settings.generator(4).standard_normal(settings.dim)
    prototypes += settings.shift * direction / np.linalg.norm(direction)
    signal = signal_tissues(settings)
    all_ids, shares = [], np.zeros(settings.n_cases)
    for index in range(settings.n_cases):
        rng = settings.generator(2, index)
        composition = _composition(settings, rng)
        n_slides = int(rng.integers(settings.slides_per_case[0], settings.slides_per_case[1] + 1))
        slide_ids = tuple(f"{settings.prefix}-{index + 1:04d}-S{s + 1}" for s in range(n_slides))
        tissues = []
        for slide_id in slide_ids:
            cells, tissue = _lay_out(settings, composition, int(planted[index]), rng)
            _write_slide(output_dir, slide_id, cells, tissue, prototypes, settings, rng)
            tissues.append(tissue)
        shares[index] = np.isin(np.concatenate(tissues), signal).mean()
        all_ids.append(slide_ids)
    return all_ids, shares


def _composition(settings: CohortSettings, rng: np.random.Generator) -> np.ndarray:
    """Probability (n_tissues,) of each tissue type in the background of a case."""
    n_signal = len(signal_tissues(settings))
    share = rng.uniform() if settings.signal == "proportion" else 0.0
    inside = rng.dirichlet(np.ones(n_signal)) * share
    outside = rng.dirichlet(np.ones(settings.n_tissues - n_signal)) * (1 - share)
    return np.concatenate([inside, outside])


def _lay_out(
    settings: CohortSettings, composition: np.ndarray, planted: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Grid cells (M, 2) and tissue types (M,) of one slide."""
    cells = section_cells(int(rng.integers(settings.patches_per_slide[0], settings.patches_per_slide[1] + 1)), rng)
    tissue = scatter_regions(cells, composition, rng)
    if settings.signal == "decisive" and planted:
        low, high = settings.decisive_patches
        tissue[plant_region(cells, int(rng.integers(low, high + 1)), rng)] = 0
    if settings.signal == "cooccurrence":
        first, second = plant_two_regions(cells, max(1, round(settings.region_fraction * len(cells))), rng)
        kind = int(rng.integers(2))
        tissue[first], tissue[second] = kind, 1 - kind if planted else kind
    return cells, tissue


def _write_slide(
    output_dir: Path,
    slide_id: str,
    cells: np.ndarray,
    tissue: np.ndarray,
    prototypes: np.ndarray,
    settings: CohortSettings,
    rng: np.random.Generator,
) -> None:
    values = prototypes[tissue] + settings.noise * rng.standard_normal((len(tissue), settings.dim))
    features = torch.from_numpy(values).to(getattr(torch, settings.dtype))
    size = settings.patch_size_level0
    coords = torch.from_numpy((cells + rng.integers(0, 20, size=2)) * size)
    path = output_dir / "features" / f"{slide_id}.{settings.file_format}"
    write_slide(path, features, coords, {"patch_size_level0": size, "mpp": MICRONS_PER_PIXEL})
    save_tensors(output_dir / "truth" / f"{slide_id}.pt", torch.from_numpy(tissue))
