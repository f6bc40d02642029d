"""Models that need the positions of patches, and slides without any: found before work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from datasets.slides.feature_index import FeatureIndex
from models.bag_model import BagModel
from utils.errors import UserError


def check_coords(models: Iterable[BagModel], paths: Mapping[str, Path], index: FeatureIndex) -> None:
    """Check that slides (slide id -> file) have coordinates, where a model needs them; no features are read for it.

    Files whose coordinates their index does not know are opened.

    Raises:
        UserError: for slides without, and for files that cannot be read.
    """
    if not any(model.needs_coords for model in models):
        return
    has_coords = index.have_coords(paths)
    refuse_slides([slide_id for slide_id in paths if not has_coords[slide_id]], len(paths), "the model")


def refuse_slides(without: Sequence[str], n_slides: int, model: str, other_way: str = "") -> None:
    """Refuse slides `without` coordinates, of `n_slides` in all, if there are any.

    Args:
        without: their ids.
        n_slides: how many slides were looked at.
        model: what needs the coordinates.
        other_way: what else the user can do, such as `, or --graph features`.

    Raises:
        UserError: if there are any.
    """
    if without:
        raise UserError(
            f"{model} needs the coordinates of patches, which {len(without)} of {n_slides} slides do not have "
            f"({', '.join(without[:3])}): give feature files with coords{other_way}"
        )
