"""The .pt feature file that pickle.dump wrote: numpy arrays."""

from __future__ import annotations

import pickle
from pathlib import Path

from tests.fuzz.targets._slides import COORDS, FEATURES, read_in_each_way

SUFFIX = ".pt"


def seeds(folder: Path) -> list[Path]:
    written = []
    contents = {
        "array": FEATURES.numpy(),
        "fortran": FEATURES.T.contiguous().numpy().T,
        "big": FEATURES.numpy().astype(">f8"),
        "dict": {"features": FEATURES.half().numpy(), "coords": COORDS.numpy(), "mpp": FEATURES.numpy()[0, 0]},
    }
    for name, content in contents.items():
        for protocol in (2, 3, 4, 5):
            path = folder / f"{name}_{protocol}.pt"
            path.write_bytes(pickle.dumps(content, protocol=protocol))
            written.append(path)
    return written


read = read_in_each_way
