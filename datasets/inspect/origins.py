"""Which tool has probably written a feature file, and what the file says of its encoder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from datasets.slides.h5_attributes import count_attributes, has_attribute, text_attribute
from datasets.slides.h5_datasets import find_dataset, names_in
from datasets.slides.h5_opened import opened_h5
from datasets.slides.packed_slide import is_packed
from datasets.slides.slide_ids import ending_of
from datasets.slides.slideflow_index import INDEX_ENDINGS

_ENCODER_ATTRIBUTES = ("extractor", "encoder", "model_name", "patch_encoder")
_OF_COORDS = ("patch_level", "patch_size_level0", "target_magnification")
_NAMES = 4  # that tell tools apart; no tool is known by more
_ENCODER_FOLDER = "features_"  # TRIDENT: features_uni_v1


class Origin(NamedTuple):
    """Where a file comes from: the tool in words, and the name of the encoder, None where nothing names it."""

    tool: str
    encoder: str | None


def origin_of(path: Path) -> Origin:
    """The origin of a file that `read_header` reads; raises UserError for an .h5 file that cannot be read."""
    named = path.parent.name.removeprefix(_ENCODER_FOLDER) if path.parent.name.startswith(_ENCODER_FOLDER) else None
    if ending_of(path) == ".h5":
        return _origin_of_h5(path, named)
    if is_packed(path):
        return Origin("datasets.pack", named)
    if ending_of(path) == ".pt" and any(path.with_suffix(ending).is_file() for ending in INDEX_ENDINGS):
        return Origin("slideflow", named)
    if ending_of(path) == ".pt" and path.parent.name == "pt_files":
        return Origin("CLAM", named)
    return Origin("an unknown tool", named)


def _origin_of_h5(path: Path, named: str | None) -> Origin:
    with opened_h5(path) as file:
        names = set(names_in(file, path, _NAMES))
        coords = find_dataset(file, "coords", path)
        of_coords = {name for name in _OF_COORDS if coords is not None and has_attribute(coords, name, path)}
        told_of_coords = 0 if coords is None else count_attributes(coords, path)
        texts = (text_attribute(file, name, path) for name in _ENCODER_ATTRIBUTES)
        encoder = next((text for text in texts if text is not None), named)
        version, told = text_attribute(file, "stamp_version", path), count_attributes(file, path)
    if version is not None:
        return Origin(f"STAMP {version}", encoder)
    if "feats" in names and "augmented" in names:
        return Origin("STAMP 1", encoder)
    if {"patch_size_level0", "target_magnification"} <= of_coords:
        return Origin("TRIDENT", encoder)
    if names == {"features", "coords"} and not told and (not told_of_coords or "patch_level" in of_coords):
        return Origin("CLAM", encoder)
    return Origin("an unknown tool", encoder)
