"""slide.geojson read by the packages geojson and shapely, which know nothing of this one."""

from __future__ import annotations

from pathlib import Path

import geojson
import numpy as np
import pytest
import shapely
import shapely.affinity
from shapely.geometry import shape

from utils.explain.anchor_colours import anchor_colours
from utils.explain.geojson import write_geojson
from utils.explain.patch_table import patch_table

SIZE = 448


def table_of(n: int = 90, *, with_anchors: bool = True):
    rng = np.random.default_rng(2)
    coords = rng.permutation(np.stack(np.divmod(np.arange(144), 12), axis=1))[:n] * SIZE + [3000, 8000]
    attention = rng.dirichlet(np.ones(n)).astype(np.float32)
    if not with_anchors:
        return patch_table(attention, coords=coords)
    nearest = rng.integers(0, 4, size=n)
    return patch_table(attention, coords=coords, nearest=nearest, distance=rng.random(n), anchors=nearest[:, None])


def written(path: Path, table, kind: str) -> list:
    write_geojson(path, table, SIZE, kind=kind)
    collection = geojson.loads(path.read_text())
    assert isinstance(collection, geojson.FeatureCollection)
    assert collection.is_valid, collection.errors()
    for feature in collection["features"]:
        assert feature.is_valid
        geometry = shape(feature["geometry"])
        assert shapely.is_valid(geometry), shapely.is_valid_reason(geometry)
        for polygon in getattr(geometry, "geoms", [geometry]):
            assert polygon.exterior.is_ccw  # the right-hand rule
            assert not any(ring.is_ccw for ring in polygon.interiors)
        assert all(np.isfinite(list(feature["properties"]["measurements"].values())))
    return collection["features"]


@pytest.mark.parametrize("with_anchors", [True, False])
def test_patches(tmp_path: Path, with_anchors: bool):
    table = table_of(with_anchors=with_anchors)
    features = written(tmp_path / "slide.geojson", table, "patches")
    assert len(features) == len(table)
    for (_, row), feature in zip(table.iterrows(), features, strict=True):
        bounds = shape(feature["geometry"]).bounds
        assert bounds == (row["x"], row["y"], row["x"] + SIZE, row["y"] + SIZE)
        properties = feature["properties"]
        assert properties["objectType"] == "detection"
        assert properties["measurements"]["attention"] == row["attention"]
        assert properties["measurements"]["attention percentile"] == row["percentile"]
        if with_anchors:
            anchor = int(row["nearest_anchor"])
            assert properties["classification"]["name"] == f"anchor {anchor}"
            colour = anchor_colours(table["nearest_anchor"].to_numpy()).of(anchor)
            assert tuple(properties["classification"]["color"]) == colour
            assert properties["measurements"]["anchor of stage 1"] == row["anchor_1"]
        else:
            assert "classification" not in properties


def test_regions_are_the_union_of_the_patches_of_an_anchor(tmp_path: Path):
    table = table_of()
    features = written(tmp_path / "slide.geojson", table, "regions")
    sizes = [feature["properties"]["measurements"]["patches"] for feature in features]
    assert sizes == sorted(table["nearest_anchor"].value_counts(), reverse=True)
    total = 0.0
    for feature in features:
        anchor = int(feature["properties"]["classification"]["name"].removeprefix("anchor "))
        own, geometry = table[table["nearest_anchor"] == anchor], shape(feature["geometry"])
        assert geometry.area == len(own) * SIZE**2
        assert all(geometry.contains(shapely.Point(r.x + SIZE / 2, r.y + SIZE / 2)) for r in own.itertuples())
        measured = feature["properties"]["measurements"]
        assert measured["patches"] == len(own)
        assert measured["share"] == pytest.approx(len(own) / len(table))
        assert measured["mean attention"] == pytest.approx(own["attention"].mean())
        total += measured["attention"]
    assert total == pytest.approx(1)


def test_a_model_without_anchors_has_one_region(tmp_path: Path):
    (feature,) = written(tmp_path / "slide.geojson", table_of(with_anchors=False), "regions")
    assert shape(feature["geometry"]).area == 90 * SIZE**2


@pytest.mark.parametrize("kind", ["patches", "regions"])
def test_positions_are_counted_from_the_origin(tmp_path: Path, kind: str):
    table = table_of()
    shapes = [shape(feature["geometry"]) for feature in written(tmp_path / "a.geojson", table, kind)]
    write_geojson(tmp_path / "b.geojson", table, SIZE, kind=kind, origin=(2800, 7000))
    moved = [shape(feature["geometry"]) for feature in geojson.loads((tmp_path / "b.geojson").read_text())["features"]]
    for one, other in zip(shapes, moved, strict=True):
        assert shapely.equals(shapely.affinity.translate(one, -2800, -7000), other)
    assert table["x"].min() == 3000  # the table of the caller stays as it is


def test_what_cannot_be_drawn_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="kind 'points'"):
        write_geojson(tmp_path / "a", table_of(), SIZE, kind="points")
    with pytest.raises(ValueError, match="without coordinates"):
        write_geojson(tmp_path / "a", patch_table(np.array([1.0])), SIZE)
    assert not list(tmp_path.iterdir())
