"""Slide ids as tables and split files write them, often with the ending of a file."""

from __future__ import annotations

from datasets.slides.slide_files import FEATURE_ENDINGS, IMAGE_ENDINGS
from utils.files.plain_text import plain_text

SLIDE_ENDINGS = (*IMAGE_ENDINGS, *FEATURE_ENDINGS)


def plain_slide_id(text: str) -> str:
    """Return a slide id without folders in front of it, and without the endings of images and feature files.

    Letter case of an ending does not matter. Whatever else follows a dot belongs to the id. Letters are composed and
    blanks single, as in the names of feature files: see `plain_text`.

    >>> plain_slide_id("TCGA-2F-A9KO-01Z-00-DX1.195576CF.SVS"), plain_slide_id("batch_1/slide_7.svs.pt")
    ('TCGA-2F-A9KO-01Z-00-DX1.195576CF', 'slide_7')
    """
    name = plain_text(text.replace("\\", "/").rsplit("/", 1)[-1])
    while name.lower().endswith(SLIDE_ENDINGS):
        name = name.rsplit(".", 1)[0]
    return name
