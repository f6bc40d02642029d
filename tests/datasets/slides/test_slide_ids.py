from __future__ import annotations

from pathlib import Path

import pytest

from datasets.slides.slide_ids import SLIDE_ENDINGS, plain_slide_id, slide_id_of


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


@pytest.mark.parametrize(
    "name", ["S1.tiff.svs.h5", "S1.svs.pt.h5", "S1.SVS.H5", "S1.npy", "S1", "S1.svs", "a.b.index.npy.h5"]
)
def test_a_feature_file_has_the_id_that_a_table_with_its_name_has(name: str):
    expected = "a.b.index" if name.startswith("a") else "S1"
    assert slide_id_of(f"features/{name}") == slide_id_of(Path("features") / name) == plain_slide_id(name) == expected
