"""A cohort of very many tiny slides, for `benchmarks.many_slides`: made at the rate of the disk, without HDF5.

HDF5 takes milliseconds to write a small file. So one file of each size is made by h5py, and its bytes are written again
and again with other numbers in them.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from utils.files.csv_table import csv_text

SIZES = (4, 5, 6, 7, 8)  # patches of a slide
DIM = 16
_LABELS = ("case_id", "slide_id", "label", "survival_months", "censorship")
_SECOND = 10  # each tenth slide is the second one of a patient
_SPREAD = 512  # pixels between patches, their size
_NOISE_ROWS = 4096


class SlideBytes:
    """The bytes of .h5 files with this number of patches, in the layout of CLAM with the attributes of TRIDENT.

    `features` (M, D) float32 and `coords` (M, 2) int64 are in chunks of one row.
    """

    def __init__(self, n_patches: int, dim: int = DIM) -> None:
        parts: dict[str, np.ndarray] = {
            "features": np.zeros((n_patches, dim), np.float32),
            "coords": np.zeros((n_patches, 2), np.int64),
        }
        with h5py.File("slide.h5", "w", driver="core", backing_store=False) as file:
            for name, values in parts.items():
                shape = values.shape[1:]
                file.create_dataset(name, data=values, maxshape=(None, *shape), chunks=(1, *shape))
            attributes = {"patch_size": 256, "patch_size_level0": _SPREAD, "overlap": 0, "level0_magnification": 40}
            file["coords"].attrs.update(attributes)
            file.flush()
            places = {
                name: [file[name].id.get_chunk_info(row).byte_offset for row in range(n_patches)] for name in parts
            }
            self._content = np.frombuffer(file.id.get_file_image(), dtype=np.uint8).copy()
        self._at = {
            name: np.add.outer(places[name], np.arange(values[0].nbytes)) for name, values in parts.items()
        }  # (M, bytes of a row)

    def filled(self, features: np.ndarray, coords: np.ndarray) -> bytes:
        """A file with these numbers, of the types and shapes above."""
        for name, values in (("features", features), ("coords", coords)):
            self._content[self._at[name]] = values.view(np.uint8)
        return self._content.tobytes()


def write_cohort(folder: Path, n_slides: int, seed: int = 0) -> None:
    """Slides in `features/`, and `labels.csv` with class, months and censorship of each slide's patient.

    A patient's log hazard shifts all features of the patient's slides along one direction; the class is its sign, seen
    through noise.
    """
    rng = np.random.default_rng(seed)
    (folder / "features").mkdir(parents=True)
    patient = np.arange(n_slides) - np.arange(n_slides) // _SECOND  # of each slide
    n_patients = int(patient[-1]) + 1
    hazard = rng.standard_normal(n_patients)
    months = np.round(rng.exponential(30 * np.exp(-hazard)) + 0.1, 1)
    censored = (rng.random(n_patients) < 0.4).astype(int)
    label = (hazard + 0.5 * rng.standard_normal(n_patients) > 0).astype(int)
    rows = [
        dict(zip(_LABELS, (f"case_{p:06d}", slide_name(s), label[p], months[p], censored[p]), strict=True))
        for s, p in enumerate(patient.tolist())
    ]
    (folder / "labels.csv").write_text(csv_text(_LABELS, rows), encoding="utf-8")

    direction = rng.standard_normal(DIM, dtype=np.float32) / 2
    noise = rng.standard_normal((_NOISE_ROWS, DIM), dtype=np.float32)
    starts = rng.integers(0, _NOISE_ROWS - max(SIZES), size=n_slides)
    makers = {n_patches: SlideBytes(n_patches) for n_patches in SIZES}
    grids = {n: np.stack([np.arange(n) * _SPREAD, np.zeros(n, dtype=np.int64)], axis=1) for n in SIZES}
    for number in range(n_slides):
        n_patches = SIZES[number % len(SIZES)]
        features = noise[starts[number] :][:n_patches] + direction * np.float32(hazard[patient[number]])
        coords = grids[n_patches] + _SPREAD * (number % 7)
        path = folder / "features" / f"{slide_name(number)}.h5"
        path.write_bytes(makers[n_patches].filled(features, coords))


def slide_name(number: int) -> str:
    """The id of a slide."""
    return f"slide_{number:06d}"
