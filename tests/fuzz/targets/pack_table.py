"""The table of a pack, without the line with its digest, which is made to fit: what only who packs can get wrong."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from datasets.slides.pack_folder import SLIDES, TABLE
from datasets.slides.pack_table import PackedSlide, table_body, write_pack_table
from datasets.slides.packed_slide import BEGIN, Pack, first_line
from tests.fuzz.targets._slides import D, N

SUFFIX = ".csv"


def slides() -> list[PackedSlide]:
    """A slide with all that there can be, and one with little."""
    full = PackedSlide(
        *("/data/a, b", "s1.svs.h5", 1000, 10**18, N, D, "bfloat16", "0" * 16, True, 1.5, 112.5, "2 of 3", "4 of 5"),
        *({"patch_size_level0": 512.0, "mpp": 0.25}, BEGIN, "0" * 32),
    )
    bare = full._replace(name="s2.npy", dtype="float64", has_coords=False, patch_um=None, attributes={})
    return [full, bare._replace(begin=full.end, repeated_rows=None, repeated_places=None)]


def seeds(folder: Path) -> list[Path]:
    path = folder / "whole.csv"
    path.write_bytes(table_body(slides()))
    return [path]


def read(path: Path) -> None:
    """All slides as a run reads them."""
    body, folder = path.read_bytes(), path.parent / "pack"
    write_pack_table(folder / TABLE, body)
    n_bytes = slides()[-1].end - BEGIN
    (folder / SLIDES).write_bytes(first_line(hashlib.sha256(body).hexdigest()) + bytes(n_bytes))
    pack = Pack(folder)
    for slide in pack.slides.values():
        content = pack.content(slide)
        content.features.double().sum()
        pack.read_rows(slide, np.arange(0, slide.n_patches, 3))
