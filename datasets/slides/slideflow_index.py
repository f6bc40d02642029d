"""The tile locations that slideflow writes beside its bags: `{slide}.index.npz`, or in older versions `.index.npy`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from datasets.slides.numpy_file import load_array
from datasets.slides.slide_content import check_coords_type
from datasets.slides.spacing import usual_spacing
from utils.errors import UserError

INDEX_ENDINGS = (".index.npz", ".index.npy")


def read_slideflow_index(path: Path, features: torch.Tensor) -> torch.Tensor | None:
    """Return the coordinates (M, 2) of the patches of a bag, in level-0 pixels; None without an index beside it.

    slideflow writes the centres of the tiles. The corners are those of squares around the centres as wide as the tiles
    are apart, which is the size of a tile where tiles do not overlap. Without two tiles in one row or column the
    centres are all that is known, and stand for the corners.

    Raises UserError when the index cannot be read, or belongs to another number of patches.
    """
    index = next((found for ending in INDEX_ENDINGS if (found := path.with_suffix(ending)).is_file()), None)
    if index is None:
        return None

    def check(shape: tuple[int, ...]) -> None:
        if features.ndim < 2 or shape != (features.shape[-2], 2):
            raise UserError(
                f"{index} holds tile locations of shape {shape} and {path.name} features of shape "
                f"{tuple(features.shape)}: expected one location (x, y) for each patch"
            )

    centres = load_array(index, ("arr_0",), check=check)
    check_coords_type(centres.dtype, index)
    return torch.from_numpy(np.asarray(centres, dtype=np.float64) - (usual_spacing(centres) or 0) / 2)
