from __future__ import annotations

import pytest

from datasets.folds.slide_ids import SLIDE_ENDINGS, plain_slide_id


@pytest.mark.parametrize("ending", [*SLIDE_ENDINGS, ".SVS", ".Tiff", ".svs.pt", ".NDPI.h5"])
def test_known_endings_are_removed(ending: str):
    assert plain_slide_id(f"TCGA-2F-A9KO-DX1.195576CF{ending}") == "TCGA-2F-A9KO-DX1.195576CF"


@pytest.mark.parametrize(
    ("text", "slide_id"),
    [
        ("a/b/c.svs", "c"),
        ("a\\b.mrxs", "b"),
        ("a.svsx", "a.svsx"),
        ("svs", "svs"),
        (".svs", ""),
        ("1.5", "1.5"),
        ("mu\u0308/Mu\u0308 \u00a01.svs", "Mü 1"),
    ],
)
def test_folders_and_other_dots(text: str, slide_id: str):
    assert plain_slide_id(text) == slide_id
