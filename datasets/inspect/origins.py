"""Which tool has probably written a feature file, and what the file says of its encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import h5py

from datasets.slides.slide_ids import ending_of
from datasets.slides.slideflow_index import INDEX_ENDINGS

_ENCODER_ATTRIBUTES = ("extractor", "encoder", "model_name", "patch_encoder")
_ENCODER_FOLDER = "features_"  # TRIDENT: features_uni_v1


class Origin(NamedTuple):
    """Where a file comes from: the tool in words, and the name of the encoder, None where nothing names it."""

    tool: str
    encoder: str | None


def origin_of(path: Path) -> Origin:
    """The origin of a file that `read_header` reads."""
    named = path.parent.name.removeprefix(_ENCODER_FOLDER) if path.parent.name.startswith(_ENCODER_FOLDER) else None
    if ending_of(path) == ".h5":
        return _origin_of_h5(path, named)
    if ending_of(path) == ".pt" and any(path.with_suffix(ending).is_file() for ending in INDEX_ENDINGS):
        return Origin("slideflow", named)
    if ending_of(path) == ".pt" and path.parent.name == "pt_files":
        return Origin("CLAM", named)
    return Origin("an unknown tool", named)


def _origin_of_h5(path: Path, named: str | None) -> Origin:
    with h5py.File(path, "r") as file:
        names = set(file)
        told = dict(file.attrs)
        of_coords = dict(file["coords"].attrs) if "coords" in file else {}
    encoder = next((_text(told[name]) for name in _ENCODER_ATTRIBUTES if name in told), named)
    if "stamp_version" in told:
        return Origin(f"STAMP {_text(told['stamp_version'])}", encoder)
    if "feats" in names and "augmented" in names:
        return Origin("STAMP 1", encoder)
    if {"patch_size_level0", "target_magnification"} <= of_coords.keys():
        return Origin("TRIDENT", encoder)
    if names == {"features", "coords"} and not told and (not of_coords or "patch_level" in of_coords):
        return Origin("CLAM", encoder)
    return Origin("an unknown tool", encoder)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
