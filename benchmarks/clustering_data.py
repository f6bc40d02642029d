"""Points and cohorts for the benchmark of clustering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from datasets.slides.features import write_slide

N_TYPES, RANK = 300, 32
ROWS = 8192


class Mixture:
    """Points that vary like patch features: a seeded mixture of 300 anisotropic Gaussians in `dim` dimensions.

    The sizes of its parts are 1, 1/2, 1/3 ...; the centres and a part of the variation that all points share lie near a
    space of 32 dimensions, and the mean is not zero.
    """

    def __init__(self, dim: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._shares = 1 / np.arange(1, N_TYPES + 1)
        self._shares /= self._shares.sum()
        self._basis = rng.standard_normal((RANK, dim), dtype=np.float32) / np.float32(RANK**0.5)
        in_space = rng.standard_normal((N_TYPES, RANK), dtype=np.float32) * np.linspace(2, 0.3, RANK, dtype=np.float32)
        mean, off_space = rng.standard_normal(dim), 0.3 * rng.standard_normal((N_TYPES, dim))
        self._centres = (in_space @ self._basis + off_space + mean).astype(np.float32)  # (types, dim)
        log_scale = 0.4 * rng.standard_normal((N_TYPES, dim)) + 0.3 * rng.standard_normal((N_TYPES, 1))
        self._scales = (0.35 * np.exp(log_scale)).astype(np.float32)  # (types, dim)

    def points(self, n: int, seed: int) -> np.ndarray:
        """`n` points (n, dim) float32."""
        rng = np.random.default_rng(seed)
        points = np.empty((n, self._centres.shape[1]), dtype=np.float32)
        for start in range(0, n, ROWS):
            block = points[start : start + ROWS]
            types = rng.choice(N_TYPES, size=len(block), p=self._shares)
            rng.standard_normal(out=block, dtype=np.float32)
            block *= self._scales[types]
            block += self._centres[types]
            block += 0.5 * rng.standard_normal((len(block), RANK), dtype=np.float32) @ self._basis
        return points


def write_cohort(directory: Path, n_slides: int, n_patches: int, dim: int) -> None:
    """Write slides of `n_patches` float16 features each, all of one mixture; every tenth is drawn, then repeated."""
    mixture = Mixture(dim)
    for number in range(n_slides):
        if number % 10 == 0:
            features = torch.from_numpy(mixture.points(n_patches, seed=number)).half()
        write_slide(directory / f"slide_{number:05d}.pt", features)
