"""Slide ids as tables, split files and the names of feature files write them, often with the endings of files."""

from __future__ import annotations

from pathlib import Path

from utils.files.plain_text import plain_text

FEATURE_ENDINGS = (".pt", ".h5", ".npy", ".npz", ".safetensors")
IMAGE_ENDINGS = (".svs", ".ndpi", ".mrxs", ".scn", ".tif", ".tiff", ".bif", ".vms", ".dcm", ".czi")
PACKED_ENDING = ".packed"  # of no file: of a slide of a pack, see `datasets.slides.packed_slide`
SLIDE_ENDINGS = (*IMAGE_ENDINGS, *FEATURE_ENDINGS)


def plain_slide_id(text: str) -> str:
    """Return a slide id without folders in front of it, and without the endings of images and feature files.

    Letter case of an ending does not matter. TCGA slide ids contain dots: whatever else follows a dot belongs to the
    id. Letters are composed and blanks single: see `plain_text`.

    >>> plain_slide_id("TCGA-2F-A9KO-01Z-00-DX1.195576CF.SVS"), plain_slide_id("batch_1/slide_7.svs.pt")
    ('TCGA-2F-A9KO-01Z-00-DX1.195576CF', 'slide_7')
    """
    name = plain_text(text.replace("\\", "/").rsplit("/", 1)[-1])
    while name.lower().endswith(SLIDE_ENDINGS):
        name = name.rsplit(".", 1)[0]
    return name


def slide_id_of(path: str | Path) -> str:
    """Return the slide id of a feature file: what `plain_slide_id` makes of its name, so that tables agree with it.

    Of a slide of a pack, the id that its path was made of.

    >>> slide_id_of(Path("features/TCGA-2F-A9KO-01Z-00-DX1.195576CF.SVS.h5"))
    'TCGA-2F-A9KO-01Z-00-DX1.195576CF'
    """
    text = str(path)
    return text.rpartition("/")[2][: -len(PACKED_ENDING)] if text.endswith(PACKED_ENDING) else plain_slide_id(text)


def ending_of(path: Path) -> str:
    """Return the ending of a file in small letters, which names its format.

    >>> ending_of(Path("features/slide_7.H5"))
    '.h5'
    """
    return path.suffix.lower()
