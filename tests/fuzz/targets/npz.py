"""The .npz feature file of numpy, stored and deflated."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.fuzz.targets._slides import COORDS, FEATURES, read_in_each_way

SUFFIX = ".npz"


def seeds(folder: Path) -> list[Path]:
    numbers, coords = FEATURES.numpy(), COORDS.numpy()
    contents = {
        "features": {"features": numbers},
        "coords": {"coords": coords, "features": numbers.astype("f2"), "mpp": np.array([0.25])},
        "feats": {"feats": np.asfortranarray(numbers), "coords": coords.astype("f8"), "encoder": np.array("uni")},
        "unnamed": {"arr_0": numbers.astype(">f4")},
    }
    for name, arrays in contents.items():
        np.savez(folder / f"{name}.npz", **arrays)
        np.savez_compressed(folder / f"{name}_packed.npz", **arrays)
    return sorted(folder.glob("*.npz"))


read = read_in_each_way
