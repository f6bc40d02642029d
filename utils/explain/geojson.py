"""`slide.geojson`: patches, or the regions of anchors, for QuPath (drag the file onto the open slide).

A FeatureCollection of RFC 7946 in all but one point: positions are level-0 pixels, x to the right and y down, as
QuPath reads them, not degrees. They are counted from where the region begins that QuPath shows, if that is known. Each
feature has QuPath's `objectType`, a `classification` (`anchor 7`, with a colour) where the model has anchors, and
`measurements` {name: number}, as QuPath 0.4 and later write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from shapely.geometry import mapping

from utils.explain.anchor_colours import anchor_colours
from utils.explain.patch_table import stages_of
from utils.files.atomic import atomic_path

KINDS = ("patches", "regions")


def write_geojson(
    path: Path,
    table: pd.DataFrame,
    patch_size: int,
    *,
    kind: str = "patches",
    colours: np.ndarray | None = None,
    origin: tuple[int, int] = (0, 0),
) -> None:
    """Write the patches of a table (`utils.explain.patch_table`, with coordinates), atomically, feature by feature.

    `patches`: a square and the numbers of each patch. `regions`: the union of the patches of each nearest anchor, with
    their number, share and attention; for a model without anchors, of all patches. `colours` (K, 3) are those of the
    anchors, see `utils.explain.anchor_colours.anchor_colours`. `origin` is the level-0 pixel that becomes (0, 0): where
    the region begins that QuPath shows (`utils.explain.slide_image.bounds_origin`).

    Raises:
        ValueError: for another kind, or a table without coordinates.
    """
    if kind not in KINDS:
        raise ValueError(f"got kind {kind!r}, expected one of {', '.join(KINDS)}")
    if "x" not in table.columns:
        raise ValueError("got a table without coordinates, expected columns x and y")
    table = table.assign(x=table["x"] - origin[0], y=table["y"] - origin[1])
    make = _patches if kind == "patches" else _regions
    features = make(table, patch_size, colours)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(features):
            file.write(",\n" if number else "\n")
            json.dump(feature, file, allow_nan=False)
        file.write("\n]}\n")


def _patches(table: pd.DataFrame, size: int, colours: np.ndarray | None) -> Iterator[dict[str, Any]]:
    """A detection for each patch; its ring runs counter-clockwise on paper where y points up, as RFC 7946 asks."""
    nearest = table["nearest_anchor"].to_numpy() if "nearest_anchor" in table.columns else None
    classes = _classes(nearest, colours)
    names = ["attention", "percentile", *(["distance"] if nearest is not None else []), *stages_of(table)]
    labels = [name.replace("percentile", "attention percentile").replace("_", " of stage ") for name in names]
    columns = [table[name].tolist() for name in names]
    for row, (x, y) in enumerate(zip(table["x"].tolist(), table["y"].tolist(), strict=True)):
        ring = [[x, y], [x + size, y], [x + size, y + size], [x, y + size], [x, y]]
        properties: dict[str, Any] = {"objectType": "detection"}
        if nearest is not None:
            properties["classification"] = classes[int(nearest[row])]
        properties["measurements"] = {name: column[row] for name, column in zip(labels, columns, strict=True)}
        geometry = {"type": "Polygon", "coordinates": [ring]}
        yield {"type": "Feature", "geometry": geometry, "properties": properties}


def _regions(table: pd.DataFrame, size: int, colours: np.ndarray | None) -> Iterator[dict[str, Any]]:
    """An annotation for each anchor, the largest first."""
    x, y = table["x"].to_numpy(dtype=np.float64), table["y"].to_numpy(dtype=np.float64)
    squares = shapely.box(x, y, x + size, y + size)
    nearest = table["nearest_anchor"].to_numpy() if "nearest_anchor" in table.columns else np.zeros(len(table), int)
    classes = _classes(nearest, colours) if "nearest_anchor" in table.columns else {}
    counts = np.bincount(nearest)
    for anchor in np.argsort(-counts, kind="stable")[: (counts > 0).sum()].tolist():
        own = nearest == anchor
        region = shapely.orient_polygons(shapely.union_all(squares[own]))
        attention = table["attention"].to_numpy()[own]
        measured = {"patches": int(own.sum()), "share": float(own.mean()), "attention": float(attention.sum())}
        properties: dict[str, Any] = {"objectType": "annotation"}
        if classes:
            properties["classification"] = classes[anchor]
        properties["measurements"] = measured | {"mean attention": float(attention.mean())}
        yield {"type": "Feature", "geometry": mapping(region), "properties": properties}


def _classes(nearest: np.ndarray | None, colours: np.ndarray | None) -> dict[int, dict[str, Any]]:
    """{anchor: QuPath's class} in the colours of the slide's map."""
    if nearest is None:
        return {}
    own = anchor_colours(nearest, colours)
    return {k: {"name": f"anchor {k}", "color": list(own.of(k))} for k in np.unique(nearest).tolist()}
