"""Mistakes with packs of features."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch

from datasets.pack.pack_cohort import pack_cohort
from datasets.pack.settings import PackSettings
from datasets.slides.features import read_slide, write_slide
from tests.input_errors.case import cases_of
from tests.input_errors.cohort import FEATURES, MAIN, N_PATCHES, WIDTH, cut_file

KIND = "Packs"
case = cases_of(KIND)

PACK = "python -m datasets.pack --features_dir features --output_dir pack"
FROM_PACK = MAIN.replace("features_dir features", "features_dir pack")
SLIDES = Path("pack/slides.bin")


def pack() -> None:
    """Pack the features."""
    pack_cohort(PackSettings(features_dir=(Path("features"),), output_dir=Path("pack")))


@case("A place within the features")
def within_features() -> str:
    return PACK.replace("output_dir pack", "output_dir features/pack")


@case("A place that holds other files")
def other_files() -> str:
    return PACK.replace("output_dir pack", "output_dir splits")


@case("A pack is there already")
def there_already() -> str:
    pack()
    return PACK


@case("A pack is packed")
def pack_of_a_pack() -> str:
    pack()
    return "python -m datasets.pack --features_dir pack --output_dir other"


@case("A slide to be packed is in two files")
def packed_twice() -> str:
    shutil.copytree("features", "copies")
    return PACK.replace("features_dir features", "features_dir features copies")


@case("A feature file to be packed is cut short", varies=[r"(?<=HDF5 \().*(?=\):)"])
def cut_short() -> str:
    cut_file(FEATURES)
    return PACK


@case("Features of two encoders are to be packed")
def two_widths() -> str:
    write_slide(FEATURES, torch.zeros(N_PATCHES, 24))
    return PACK


@case("Packing was interrupted")
def unfinished() -> str:
    pack()
    Path("pack/pack.csv").unlink()
    SLIDES.rename("pack/.slides.bin.partial")
    return FROM_PACK


@case("The slides of a pack were cut short")
def slides_cut_short() -> str:
    pack()
    with SLIDES.open("r+b") as file:
        file.truncate(1000)
    return FROM_PACK


@case("The table of a pack was changed")
def changed_table() -> str:
    pack()
    table = Path("pack/pack.csv")
    table.write_text(table.read_text().replace("yes", "no"))
    return FROM_PACK


@case("The files of two packs were mixed")
def mixed_packs() -> str:
    pack()
    slides = SLIDES.read_bytes()
    shutil.rmtree("pack")
    write_slide(FEATURES, torch.zeros(N_PATCHES, WIDTH))
    os.utime(FEATURES, (0, 10**9))
    pack()
    SLIDES.write_bytes(slides)
    return FROM_PACK


@case("The numbers of a pack were changed, with `--verify full`")
def changed_numbers() -> str:
    pack()
    content = bytearray(SLIDES.read_bytes())
    content[1000] ^= 1
    SLIDES.write_bytes(content)
    return f"{FROM_PACK} --verify full"


@case("A packed file was changed, and its size and time set back, with `--verify full`", varies=[r"/\S*(?=/features/)"])
def changed_file() -> str:
    pack()
    slide, state = read_slide(FEATURES), FEATURES.stat()
    write_slide(FEATURES, slide.features + 1, slide.coords, slide.attributes)
    os.utime(FEATURES, ns=(0, state.st_mtime_ns))
    return f"{FROM_PACK} --verify full"
