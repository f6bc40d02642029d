"""All files of an explained slide, with and without coordinates, and over a slide image."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.utils.explain.tiled_tiff import halve, write_tiled_tiff
from utils.explain import slide_image
from utils.explain.anchor_colours import similar_colours
from utils.explain.patch_table import read_patches
from utils.explain.slide_explanation import FILES, OVERLAYS, SlideExplanation, write_slide_explanation

DRAWN = {"slide.json", "patches.csv", "attention.png", "anchors.png", "slide.geojson"}


@pytest.fixture
def slide() -> SlideExplanation:
    """40 patches of 32 pixels in a slide of 320 x 256."""
    rng = np.random.default_rng(0)
    cells = rng.permutation(np.stack(np.divmod(np.arange(80), 8), axis=1))[:40]
    return SlideExplanation(
        slide_id="S.1",
        case_id="P",
        attention=rng.dirichlet(np.ones(40)).astype(np.float32),
        nearest=rng.integers(0, 5, size=40),
        distance=rng.random(40),
        colours=similar_colours(rng.random((5, 3))),
        anchors=rng.integers(0, 5, size=(40, 2)),
        coords=cells * 32,
        patch_size=32,
        patch_size_source="attribute patch_size_level0",
        mpp=None,
        mpp_source=None,
    )


@pytest.fixture
def slides_dir(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(1).integers(0, 255, size=(256, 320, 3), dtype=np.uint8)
    (tmp_path / "slides").mkdir()
    write_tiled_tiff(tmp_path / "slides" / "S.1.tif", [pixels, halve(pixels)], mpp=0.25)
    return tmp_path / "slides"


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def facts_in(folder: Path) -> dict:
    return json.loads((folder / "slide.json").read_text())


def test_a_slide_with_coordinates_has_maps(tmp_path: Path, slide: SlideExplanation):
    folder = tmp_path / "out"
    assert write_slide_explanation(folder, slide) == []
    assert names_in(folder) == DRAWN
    facts = facts_in(folder)
    assert {*facts.pop("files"), "slide.json"} == DRAWN
    assert facts == {
        "slide_id": "S.1",
        "case_id": "P",
        "n_patches": 40,
        "patch_size_level0": 32,
        "patch_size_source": "attribute patch_size_level0",
        "mpp": None,
        "mpp_source": None,
        "no_map": None,
    }
    assert len(read_patches(folder / "patches.csv")) == 40
    with Image.open(folder / "anchors.png") as picture:
        names = [place["name"] for place in json.loads(picture.text["maps"])]
    nearest, *stages = names
    assert nearest == "nearest anchor (similar colours: similar anchors)"
    assert stages == [f"anchor chosen in stage {stage} (colours of this map only)" for stage in (1, 2)]


@pytest.mark.slow
def test_a_slide_image_adds_overlays_and_its_scale(tmp_path: Path, slide: SlideExplanation, slides_dir: Path):
    folder = tmp_path / "out"
    assert write_slide_explanation(folder, slide, slides_dir=slides_dir) == []
    assert names_in(folder) == {*DRAWN, *OVERLAYS}
    assert facts_in(folder)["mpp"] == pytest.approx(0.25)
    assert facts_in(folder)["mpp_source"] == "slide image"
    (note,) = write_slide_explanation(folder, replace(slide, mpp=0.5, mpp_source="--mpp"), slides_dir=slides_dir)
    assert note == "the scale bar uses 0.5 microns per level-0 pixel, while the slide image says 0.25"
    facts = facts_in(folder)
    assert (facts["mpp"], facts["mpp_source"]) == (0.5, "--mpp")  # what is asked for comes first
    assert write_slide_explanation(folder, replace(slide, mpp=0.251), slides_dir=slides_dir) == []


def test_an_image_that_cannot_be_opened_costs_its_overlay_only(tmp_path: Path, slide: SlideExplanation):
    (tmp_path / "slides").mkdir()
    (tmp_path / "slides" / "S.1.tif").write_bytes(b"no image")
    (note,) = write_slide_explanation(tmp_path / "out", slide, slides_dir=tmp_path / "slides")
    assert note.startswith("no overlay, since ")
    assert "S.1.tif" in note
    assert names_in(tmp_path / "out") == DRAWN


def test_a_slide_without_an_image_is_named_and_has_maps(tmp_path: Path, slide: SlideExplanation, slides_dir: Path):
    notes = write_slide_explanation(tmp_path / "out", replace(slide, slide_id="S.2"), slides_dir=slides_dir)
    assert notes == [f"no overlay, since {slides_dir} holds no image of this slide"]
    assert names_in(tmp_path / "out") == DRAWN


def test_what_an_earlier_explanation_left_is_removed(tmp_path: Path, slide: SlideExplanation, slides_dir: Path):
    folder = tmp_path / "out"
    write_slide_explanation(folder, slide, slides_dir=slides_dir)
    (folder / "notes.txt").write_text("of a pathologist")
    reason = "the feature file has no coords"
    blind = replace(slide, coords=None, patch_size=None, patch_size_source=reason)
    assert write_slide_explanation(folder, blind) == [f"no map, since {reason}"]
    assert names_in(folder) == {"slide.json", "patches.csv", "notes.txt"}
    assert facts_in(folder)["no_map"] == f"no map, since {reason}"
    assert {*DRAWN, *OVERLAYS} == set(FILES)


def test_a_model_without_anchors_has_its_attention(tmp_path: Path, slide: SlideExplanation, slides_dir: Path):
    plain = replace(slide, nearest=None, distance=None, colours=None, anchors=None)
    write_slide_explanation(tmp_path / "out", plain, slides_dir=slides_dir)
    assert names_in(tmp_path / "out") == {*DRAWN, *OVERLAYS} - {"anchors.png", "anchor_patches.png"}


def test_shapes_for_qupath_are_counted_from_the_bounds_of_the_slide(
    tmp_path: Path, slide: SlideExplanation, slides_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    """A slide whose file says that its scanned part begins at (64, 32): there QuPath has its (0, 0)."""
    opener, error = slide_image._reader()
    bounds = {"x": "64", "y": "32", "width": "256", "height": "224"}

    class Bounded(opener):
        @property
        def properties(self) -> dict[str, str]:
            return {**super().properties, **{f"openslide.bounds-{name}": value for name, value in bounds.items()}}

    folder = tmp_path / "out"
    write_slide_explanation(folder, slide, slides_dir=slides_dir)
    whole = json.loads((folder / "slide.geojson").read_text())
    drawn = (folder / "overlay.png").read_bytes()
    assert "geojson_origin" not in facts_in(folder)
    monkeypatch.setattr(slide_image, "_reader", lambda: (Bounded, error))
    (note,) = write_slide_explanation(folder, slide, slides_dir=slides_dir)
    assert note.startswith("slide.geojson is counted from (64, 32), where the slide's bounds begin")
    assert facts_in(folder)["geojson_origin"] == [64, 32]
    cropped = json.loads((folder / "slide.geojson").read_text())
    for one, other in zip(whole["features"], cropped["features"], strict=True):
        (ring,), (moved,) = one["geometry"]["coordinates"], other["geometry"]["coordinates"]
        assert [[x - 64, y - 32] for x, y in ring] == moved
    assert (folder / "overlay.png").read_bytes() == drawn  # the picture is of the whole level 0, as the patches are
    assert read_patches(folder / "patches.csv")["x"].min() == slide.coords[:, 0].min()


def test_positions_in_micrometres_are_laid_over_an_image_in_its_pixels(
    tmp_path: Path, slide: SlideExplanation, slides_dir: Path
):
    """The image has 0.25 micrometres a pixel: 8 micrometres are its 32 pixels."""
    assert slide.coords is not None
    pixels, folder = slide.coords, tmp_path / "out"
    write_slide_explanation(folder, replace(slide, mpp=0.25), slides_dir=slides_dir)
    expected = {name: (folder / name).read_bytes() for name in ("overlay.png", "slide.geojson", "patches.csv")}
    source = "attribute tile_size_um, coordinates in micrometres"
    in_micrometres = replace(
        slide, coords=pixels // 4, patch_size=8, patch_size_source=source, mpp=1.0, mpp_source=None, in_micrometres=True
    )
    assert write_slide_explanation(folder, in_micrometres, slides_dir=slides_dir) == []
    assert {name: (folder / name).read_bytes() for name in expected} == expected
    assert (facts_in(folder)["mpp"], facts_in(folder)["mpp_source"]) == (0.25, "slide image")
    for without in (None, tmp_path / "out"):  # no images at all, or none of this slide
        (note,) = write_slide_explanation(folder, in_micrometres, slides_dir=without)
        assert "no overlay and no slide.geojson, since the feature file gives positions in micrometres" in note
        assert names_in(folder) == DRAWN - {"slide.geojson"}
        assert facts_in(folder)["mpp"] == 1.0
