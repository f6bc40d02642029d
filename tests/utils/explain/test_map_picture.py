"""Maps drawn again from patches.csv alone, patch by patch, and compared with the pixels of the PNG."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from utils.explain.anchor_colours import OTHER, _srgb, anchor_colours, similar_colours
from utils.explain.canvas import scale_bar
from utils.explain.map_picture import attention_colours, draw_anchor_maps, draw_attention_map
from utils.explain.patch_raster import patch_raster
from utils.explain.patch_table import patch_table, read_patches, write_patches

LAYOUTS = {
    "grid": lambda rng: rng.permutation(np.stack(np.divmod(np.arange(120), 12), axis=1))[:80] * 448 + [5000, 900],
    "off the grid, overlapping": lambda rng: rng.integers(0, 4000, size=(60, 2)),
    "one patch": lambda rng: np.array([[77, 99]]),
    "wide": lambda rng: np.stack([np.arange(70) * 448, rng.integers(0, 2, 70) * 448], axis=1),
    "far apart": lambda rng: np.array([[0, 0], [1_000_000, 448], [300, 2_000_000], [447, 447]]),
}


def redrawn(table, place: dict, size: int, colours: np.ndarray) -> np.ndarray:
    """The map as a loop over patches from the least to the most attended, from the numbers in the CSV file."""
    picture = np.full((place["height"], place["width"], 3), 255, dtype=np.uint8)
    (x0, y0), pixel = place["origin"], place["pixel_size"]
    for row in table.sort_values("attention", kind="stable").index:
        x, y = table["x"][row] - x0, table["y"][row] - y0
        left, top = int(x / pixel + 1e-9), int(y / pixel + 1e-9)
        right, bottom = int((x + size) / pixel + 1e-9), int((y + size) / pixel + 1e-9)
        picture[top : max(bottom, top + 1), left : max(right, left + 1)] = colours[row]
    return picture


def maps_of(path: Path) -> list[tuple[dict, np.ndarray]]:
    with Image.open(path) as image:
        pixels, places = np.asarray(image.convert("RGB")), json.loads(image.text["maps"])
    return [(p, pixels[p["top"] : p["top"] + p["height"], p["left"] : p["left"] + p["width"]]) for p in places]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_map_redrawn_from_the_table_is_the_picture(tmp_path: Path, layout):
    rng = np.random.default_rng(3)
    coords = layout(rng)
    n, size = len(coords), 448
    attention, nearest = rng.dirichlet(np.ones(n)).astype(np.float32), rng.integers(0, 12, size=n)
    stages = rng.integers(0, 3, size=(n, 2))
    write_patches(
        tmp_path / "patches.csv",
        patch_table(attention, coords=coords, nearest=nearest, distance=np.ones(n), anchors=stages),
    )
    table = read_patches(tmp_path / "patches.csv")
    raster = patch_raster(coords, size, attention)
    table_of_colours = similar_colours(rng.random((12, 5)))
    names = {"nearest": (nearest, anchor_colours(nearest, table_of_colours))}
    names |= {f"stage {i}": (stages[:, i], anchor_colours(stages[:, i])) for i in (0, 1)}
    draw_attention_map(tmp_path / "a.png", raster, attention, table["percentile"].to_numpy(), mpp=0.5, title="slide")
    draw_anchor_maps(tmp_path / "k.png", raster, names, mpp=None, title="slide")

    ((place, pixels),) = maps_of(tmp_path / "a.png")
    levels = np.minimum(table["percentile"].to_numpy() * 256 / 100, 255).astype(int)
    cividis = (np.array([matplotlib.colormaps["cividis"](int(level))[:3] for level in levels]) * 255).round()
    assert np.array_equal(pixels, redrawn(table, place, size, cividis.astype(np.uint8)))

    columns = ("nearest_anchor", "anchor_1", "anchor_2")
    for column, (place, pixels) in zip(columns, maps_of(tmp_path / "k.png"), strict=True):
        of_column = table_of_colours if column == "nearest_anchor" else None
        colours = anchor_colours(table[column].to_numpy(), of_column)
        assert np.array_equal(pixels, redrawn(table, place, size, np.array([colours.of(k) for k in table[column]])))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_map_is_to_scale_and_bounded(layout):
    coords = layout(np.random.default_rng(3))
    raster = patch_raster(coords, 448, np.zeros(len(coords)))
    height, width = raster.patch.shape
    extent = coords.max(axis=0) - coords.min(axis=0) + 448
    assert max(height, width) <= 1600
    assert np.abs(np.array([width, height]) * raster.pixel_size - extent).max() <= 1.01 * max(raster.pixel_size, 1)
    assert set(np.unique(raster.patch)) - {-1} <= set(range(len(coords)))


def test_of_two_patches_in_one_place_the_more_attended_is_on_top():
    coords = np.array([[0, 0], [224, 0], [0, 0]])
    assert patch_raster(coords, 448, np.array([2.0, 1.0, 0.0])).patch[0].tolist() == [0] * 24 + [1] * 12
    assert patch_raster(coords, 448, np.array([0.0, 1.0, 2.0])).patch[0].tolist() == [2] * 24 + [1] * 12


def test_the_most_frequent_anchors_have_colours_of_their_own():
    assignment = np.repeat(np.arange(12), [5, 1, 9, 9, 2, 2, 2, 2, 2, 2, 0, 7])
    colours = anchor_colours(assignment)
    assert colours.named == (2, 3, 11, 0, 4, 5, 6, 7)
    assert colours.shares[0] == 9 / 43
    assert colours.n_others == 3  # 1, 8 and 9: nobody is nearest to 10
    assert len({colours.of(k) for k in colours.named}) == 8
    assert colours.of(1) == colours.of(10) == OTHER


def test_similar_anchors_have_similar_colours():
    """Four groups of anchors: colours of a group lie together, and the groups apart."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 6)
    centres = np.array([[9, 6, 0, 0, 0], [9, -6, 0, 0, 0], [-9, 6, 0, 0, 0], [-9, -6, 0, 0, 0]])
    anchors = centres[group] + rng.normal(size=(24, 5)) * 0.3
    colours = similar_colours(anchors).astype(int)
    means = np.stack([colours[group == k].mean(axis=0) for k in range(4)])
    nearest = np.abs(colours[:, None] - means[None]).sum(axis=2).argmin(axis=1)
    assert np.array_equal(nearest, group)
    assert np.array_equal(colours, similar_colours(anchors + 100))


@pytest.mark.parametrize("shape", [(1, 4), (2, 1), (3, 2)])
def test_few_anchors_have_colours(shape: tuple):
    colours = similar_colours(np.random.default_rng(0).random(shape))
    assert len(np.unique(colours, axis=0)) == len(colours) == shape[0]


def test_the_colour_space_is_that_of_its_reference():
    """White, black, and red of sRGB, whose OKLab values are known."""
    lab = np.array([[1, 0, 0], [0, 0, 0], [0.62795536, 0.22486306, 0.1258463]])
    assert _srgb(lab).tolist() == [[255, 255, 255], [0, 0, 0], [255, 0, 0]]


def legend_rows(path: Path) -> tuple[np.ndarray, dict]:
    """Pixels right of the first map, and its place."""
    with Image.open(path) as image:
        pixels, (place, *_) = np.asarray(image.convert("L")), json.loads(image.text["maps"])
    return pixels[:, place["left"] + place["width"] + 20 :], place


@pytest.mark.parametrize("are_alike", [True, False])
def test_anchors_that_look_alike_have_small_maps_in_the_legend(tmp_path: Path, are_alike: bool):
    """Two columns of patches: the anchor of the left one is black at the left of its small map, and so on."""
    coords = np.stack(np.divmod(np.arange(40), 20), axis=1) * 448
    assignment = np.repeat([0, 1], 20)
    table = np.array([[120, 80, 0], [125, 85, 0]] if are_alike else [[120, 80, 0], [0, 0, 200]], dtype=np.uint8)
    raster = patch_raster(coords, 448, np.zeros(40))
    names = {"nearest": (assignment, anchor_colours(assignment, table))}
    draw_anchor_maps(tmp_path / "k.png", raster, names, mpp=None, title="slide")
    legend, place = legend_rows(tmp_path / "k.png")
    small = legend[place["top"] : place["top"] + 2 * 52, 190 - 64 : 190]
    if not are_alike:
        assert (small == 255).all()
        return
    for number, part in enumerate((small[:52], small[52:])):
        black, grey = (np.unique(np.nonzero(part == value)[1]) for value in (0, 0xDC))
        assert len(black)
        assert len(grey)
        assert (black.max() < grey.min()) if number == 0 else (grey.max() < black.min())


def test_attention_has_one_colour_scale_for_all_slides():
    ends = attention_colours(np.array([0.0, 100.0]))
    assert ends.tolist() == [[0, 34, 78], [254, 232, 56]]  # cividis


@pytest.mark.parametrize(
    ("width", "pixel_size", "mpp", "expected"),
    [
        (900, 448 / 24, 0.5, (214, "2 mm")),
        (24, 448 / 24, 0.25, (4, "0.02 mm")),
        (900, 20.0, None, (100, "2,000 level-0 pixels")),
        (1, 448.0, None, (1, "100 level-0 pixels")),
    ],
)
def test_scale_bars_have_round_lengths(width: int, pixel_size: float, mpp: float | None, expected: tuple):
    length, label = scale_bar(width, pixel_size, mpp)
    assert label == expected[1]
    assert length == pytest.approx(expected[0], abs=1)
