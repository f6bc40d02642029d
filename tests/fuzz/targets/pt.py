"""The .pt feature file in the zip format of torch.save: tensors of all kinds, and arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.fuzz.targets._slides import COORDS, FEATURES, read_in_each_way

SUFFIX = ".pt"
CONTENTS: dict[str, Any] = {
    "tensor": FEATURES,
    "half": FEATURES.half(),
    "bfloat16": FEATURES.bfloat16(),
    "parameter": torch.nn.Parameter(FEATURES),
    "batch": FEATURES[None],
    "view": torch.zeros(90, 12)[10:50, 2:10],
    "dict": {"features": FEATURES, "coords": COORDS, "attributes": {"patch_size_level0": 512, "mpp": 0.25}},
    "tied": {"features": FEATURES, "feats": FEATURES, "coords": COORDS.to(torch.uint16), "slide": "s"},
    "array": FEATURES.numpy(),
    "arrays": {"features": FEATURES.numpy(), "coords": COORDS.numpy(), "mpp": FEATURES.numpy()[0, 0]},
}


def seeds(folder: Path) -> list[Path]:
    return [save(content, folder / f"{name}.pt") for name, content in CONTENTS.items()]


def save(content: Any, path: Path, *, as_zip: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=as_zip)
    return path


read = read_in_each_way
