"""The .npy feature file of numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.fuzz.targets._slides import FEATURES, read_in_each_way

SUFFIX = ".npy"


def seeds(folder: Path) -> list[Path]:
    numbers = FEATURES.numpy()
    arrays = {
        "plain": numbers,
        "half": numbers.astype("f2"),
        "fortran": np.asfortranarray(numbers),
        "big": numbers.astype(">f8"),
        "batch": numbers[None],
    }
    written = []
    for name, array in arrays.items():
        for version in ((1, 0), (2, 0), (3, 0)):
            path = folder / f"{name}_{version[0]}.npy"
            with path.open("wb") as file:
                np.lib.format.write_array(file, array, version=version)
            written.append(path)
    return written


read = read_in_each_way
