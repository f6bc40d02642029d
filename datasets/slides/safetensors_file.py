"""The .safetensors feature file: tensors `features` (or `feats`) and optionally `coords`, memory-mapped.

Numbers among the texts of its metadata are attributes.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open

from datasets.slides.attributes import FEATURE_NAMES, numeric_attributes
from datasets.slides.damaged_slide import reading
from datasets.slides.slide_checks import check_coords_shape, check_layout
from datasets.slides.slide_content import SlideContent
from utils.errors import UserError
from utils.files.tensors import names_found

_LENGTH_BYTES = 8  # of the number before the header, which is its length


def load_safetensors(path: Path) -> SlideContent:
    """Return the features, coordinates (None if there are none) and attributes of a file.

    Raises UserError when the file cannot be read, or has no features.
    """
    with reading(path, "a .safetensors file"):
        with path.open("rb") as file:
            if not file.read(1):
                raise UserError(f"{path} is an empty file (0 bytes): extract the features of this slide again")
        with safe_open(str(path), framework="pt", device="cpu") as content:
            names = list(content.keys())
            features = content.get_tensor(_name_of(names, path))
            n_patches, _ = check_layout(tuple(features.shape), features.dtype, path)
            coords = None
            if "coords" in names:
                check_coords_shape(tuple(content.get_slice("coords").get_shape()), n_patches, path)
                coords = content.get_tensor("coords")
            return SlideContent(features, coords, _numbers(content.metadata() or {}))


def begin_of_tensor(path: Path, features: torch.Tensor) -> int | None:
    """Where the storage of the features that `load_safetensors` gave begins in the file, in bytes.

    The library has checked the header that this reads; OSError if the file is gone.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = json.loads(file.read(length))
    first = int(header[_name_of(list(header), path)]["data_offsets"][0])
    return _LENGTH_BYTES + length + first - int(features.storage_offset()) * features.element_size()


def _name_of(names: list[str], path: Path) -> str:
    name = next((name for name in FEATURE_NAMES if name in names), None)
    if name is None:
        raise UserError(
            f"{path} has no tensor 'features' (found {names_found(names)}): save the features under that name"
        )
    return name


def _numbers(texts: dict[str, str]) -> dict[str, float]:
    numbers = {}
    for name, text in texts.items():
        try:
            numbers[name] = float(text)
        except ValueError:
            continue  # a text that is no number, such as the name of the encoder
    return numeric_attributes(numbers)
