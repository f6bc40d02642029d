"""The text that the command prints."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from datasets.inspect.encoders import encoders_of
from datasets.inspect.file_facts import FileFacts
from datasets.inspect.folder_facts import FolderFacts, most_common
from datasets.slides.patch_geometry import PatchGeometry
from utils.files.phrases import counted, size_in_words

_SHOWN = 10
_WIDTHS = 3
_NOT_READ = "not read; --values looks for NaN and infinity"


def describe_file(file: FileFacts, *, values: bool) -> str:
    """Lines on one file."""
    extent = "none: maps and graph models need them"
    if file.extent is not None:
        left, right, top, bottom = file.extent
        step = "no two in one row or column" if file.step is None else f"{file.step:,} apart"
        extent = f"{_unit(file.geometry)}, x {left:,} to {right:,}, y {top:,} to {bottom:,}, {step}"
    rows = [
        ("slide", file.slide_id),
        ("format", f"{file.path.suffix}, written by {file.origin.tool}{_encoder(file)}"),
        ("features", f"{file.n_patches:,} patches x {file.width:,}, {file.dtype}"),
        ("width", f"{file.width:,}: {encoders_of(file.width)}"),
        ("coordinates", extent),
        ("patch size", _size(file.geometry, file.micrometres)),
        *([] if file.geometry.doubt is None else [("", file.geometry.doubt)]),
        ("values", "all finite" if values else _NOT_READ),
    ]
    return _block(str(file.path), rows)


def describe_folder(facts: FolderFacts, *, values: bool) -> str:
    """Lines on all files of a folder."""
    files = facts.files
    slides = counted(len({file.slide_id for file in files}), "readable slide")
    title = f"{facts.folder}: {counted(facts.n_files, 'file')}, {slides}, {size_in_words(facts.n_bytes)}"
    if not files:
        return title + "\n"
    patches = sorted(file.n_patches for file in files)
    median = round(statistics.median(patches))
    widths = Counter(file.width for file in files).most_common(_WIDTHS)
    rows = [
        ("format", most_common(f"{file.path.suffix} of {file.origin.tool}{_encoder(file)}" for file in files)),
        *(("width", f"{width:,} ({number}): {encoders_of(width)}") for width, number in widths),
        ("numbers", most_common(file.dtype for file in files)),
        ("patches", f"{patches[0]:,} to {patches[-1]:,} in a slide, median {median:,}; {sum(patches):,} in all"),
        ("coordinates", f"in {sum(file.extent is not None for file in files)} of {len(files)} files"),
        ("patch size", most_common(_size(file.geometry, file.micrometres) for file in files)),
        ("values", f"all finite in {len(files)} of {facts.n_files} files" if values else _NOT_READ),
    ]
    return _block(title, rows)


def describe_problems(problems: Sequence[str]) -> str:
    """The problems, the first ten of them, or that there are none."""
    if not problems:
        return "problems: none\n"
    more = [f"  ... and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return "\n".join([f"problems: {len(problems)}", *(f"  {problem}" for problem in problems[:_SHOWN]), *more]) + "\n"


def _block(title: str, rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join([title, *(f"  {name:<12} {text}" for name, text in rows)]) + "\n"


def _encoder(file: FileFacts) -> str:
    return "" if file.origin.encoder is None else f" (encoder {file.origin.encoder})"


def _unit(geometry: PatchGeometry) -> str:
    return "micrometres" if geometry.in_micrometres else "level-0 pixels"


def _size(geometry: PatchGeometry, micrometres: float | None) -> str:
    if geometry.size is None:
        return f"unknown, since {geometry.source}"
    physical = "" if micrometres is None or geometry.in_micrometres else f" = {micrometres:g} micrometres"
    return f"{geometry.size:,} {_unit(geometry)}{physical} by {geometry.source}"
