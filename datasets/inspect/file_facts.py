"""What is known of one feature file, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from datasets.inspect.origins import Origin, origin_of
from datasets.slides.features import SlideFeatures, read_header, read_slide, slide_id_of
from datasets.slides.patch_geometry import PatchGeometry, patch_geometry, physical_patch_size
from datasets.slides.row_doubts import repeated_rows
from datasets.slides.spacing import usual_spacing
from utils.errors import UserError
from utils.files.phrases import counted


@dataclass(frozen=True)
class FileFacts:
    """A feature file that can be read.

    Attributes:
        path: of the file.
        slide_id: its slide.
        origin: the tool that wrote it, and the encoder.
        n_patches: M.
        width: D.
        dtype: of the features, in words.
        geometry: the size of its patches.
        micrometres: side of a patch, where attributes tell it.
        step: the usual distance between neighbours; None without coordinates, or without neighbours.
        extent: smallest and largest x, smallest and largest y; None without coordinates.
        problems: sentences.
    """

    path: Path
    slide_id: str
    origin: Origin
    n_patches: int
    width: int
    dtype: str
    geometry: PatchGeometry
    micrometres: float | None
    step: int | None
    extent: tuple[int, int, int, int] | None
    problems: tuple[str, ...]


def file_facts(path: Path, *, values: bool = False) -> FileFacts:
    """Look at a file: at all but its features, and with `values` at these too.

    Raises UserError as `read_header` does, and with `values` as `read_slide` does.
    """
    header = read_header(path)
    repeated = repeated_rows(read_slide(path).features) if values else None
    slide = SlideFeatures(slide_id_of(path), torch.empty(0), header.coords, header.attributes)
    coords = None if header.coords is None else header.coords.numpy()
    return FileFacts(
        path=path,
        slide_id=slide.slide_id,
        origin=origin_of(path),
        n_patches=header.n_patches,
        width=header.width,
        dtype=str(header.dtype).removeprefix("torch."),
        geometry=patch_geometry(slide),
        micrometres=physical_patch_size(slide),
        step=None if coords is None else usual_spacing(coords),
        extent=None if coords is None else _extent(coords),
        problems=(
            *([] if repeated is None else [f"{path}: {repeated}: were all features written, or are these background?"]),
            *_problems(path, header.n_patches, coords),
        ),
    )


def look_at(path: Path, *, values: bool = False) -> FileFacts | str:
    """The facts of a file, or the sentence on why it cannot be read."""
    try:
        return file_facts(path, values=values)
    except UserError as error:
        return str(error)


def _extent(coords: np.ndarray) -> tuple[int, int, int, int]:
    first, last = coords.min(axis=0), coords.max(axis=0)
    return int(first[0]), int(last[0]), int(first[1]), int(last[1])


def _problems(path: Path, n_patches: int, coords: np.ndarray | None) -> list[str]:
    found = []
    if coords is not None:
        n_repeated = n_patches - len(np.unique(coords, axis=0))
        if n_repeated:
            patches = counted(n_repeated, "patch", "patches")
            found.append(f"{path}: {patches} of {n_patches} at the position of another: extracted twice?")
        n_negative = int((coords < 0).any(axis=1).sum())
        if n_negative:
            found.append(f"{path}: {counted(n_negative, 'patch', 'patches')} of {n_patches} at a negative position")
    if n_patches == 1:
        found.append(f"{path}: one patch only: an embedding of the whole slide, or a slide with hardly any tissue?")
    return found
