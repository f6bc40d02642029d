"""Coordinates of STAMP, which are in micrometres: to level-0 pixels where the file tells how many a pixel has.

| version | coordinates | the file says |
|---|---|---|
| 2.1 and later | micrometres | `unit` = um, `tile_size_um` |
| 2.0 | micrometres | `unit` = um, `tile_size` |
| 1 | pixels of 256 / 224 micrometres | neither; the patches are 224 apart |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from datasets.slides.attributes import level0_mpp
from datasets.slides.spacing import usual_spacing

# The attribute of slides whose coordinates are micrometres: 1, as many as one step of a coordinate.
MICROMETRES = "coords_micrometres"
TILE_MICROMETRES = "tile_size_um"
_V1_PIXELS, _V1_MICROMETRES = 224, 256.0


def place_stamp_coords(
    coords: torch.Tensor, told: Mapping[str, Any], attributes: dict[str, float]
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return coordinates and attributes with STAMP's units taken into account; those of other tools as they are.

    With micrometres per level-0 pixel among the attributes (STAMP itself writes none), coordinates become level-0
    pixels, and so does the size of a tile, `patch_size_level0`. Otherwise they are micrometres, and the attribute
    `coords_micrometres` is set.

    Args:
        coords: as in the file.
        told: all attributes of the file, texts too.
        attributes: the numbers among them.
    """
    unit, tile = _units(coords, told, attributes)
    if unit is None:
        return coords, attributes
    attributes = attributes | ({} if tile is None else {TILE_MICROMETRES: tile})
    scale = level0_mpp(attributes)
    if scale is None:
        return coords.to(torch.float64) * unit, attributes | {MICROMETRES: 1.0}
    size = {} if tile is None else {"patch_size_level0": tile / scale[0]}
    return coords.to(torch.float64) * (unit / scale[0]), attributes | size


def _units(
    coords: torch.Tensor, told: Mapping[str, Any], attributes: Mapping[str, float]
) -> tuple[float | None, float | None]:
    """Micrometres in one step of a coordinate, and in the side of a tile; None and None for files of other tools."""
    unit = told.get("unit")
    if TILE_MICROMETRES in attributes or unit in ("um", b"um"):
        return 1.0, attributes.get(TILE_MICROMETRES, attributes.get("tile_size"))
    if "extractor" not in told or coords.ndim != 2 or coords.shape[1] != 2:
        return None, None
    step = attributes.get("tile_size") or usual_spacing(coords.numpy())
    if step is None or round(step) != _V1_PIXELS:
        return None, None
    return _V1_MICROMETRES / _V1_PIXELS, _V1_MICROMETRES
