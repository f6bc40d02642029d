"""The .safetensors feature file."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save_file

from tests.fuzz.targets._slides import COORDS, FEATURES, read_in_each_way

SUFFIX = ".safetensors"


def seeds(folder: Path) -> list[Path]:
    contents = {
        "features": {"features": FEATURES},
        "half": {"feats": FEATURES.half(), "other": FEATURES},
        "coords": {"coords": COORDS, "features": FEATURES.double()},
        "batch": {"features": FEATURES[None].bfloat16(), "coords": COORDS[None].int()},
    }
    for name, tensors in contents.items():
        save_file(tensors, folder / f"{name}.safetensors", metadata={"mpp": "0.25", "encoder": "uni"})
    return sorted(folder.glob("*.safetensors"))


read = read_in_each_way
