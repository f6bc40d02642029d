"""The facts of an explained slide: `fold{k}/explain/{slide_id}/slide.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from utils.explain.advice import ADVICE
from utils.files.atomic import write_json
from utils.files.json_object import read_json_object

SLIDE_FACTS = "slide.json"


def write_slide_facts(
    folder: Path,
    *,
    slide_id: str,
    case_id: str,
    n_patches: int,
    patch_size_level0: int | None,
    patch_size_source: str,
    mpp: float | None,
    mpp_source: str | None,
    no_map: str | None,
    files: Sequence[str],
    patch_size_doubt: str | None = None,
    geojson_origin: tuple[int, int] = (0, 0),
) -> None:
    """Write `slide.json`, atomically.

    Args:
        folder: of the slide.
        slide_id: the slide.
        case_id: its case.
        n_patches: M.
        patch_size_level0: side of a patch in level-0 pixels; None where nothing tells.
        patch_size_source: where that comes from, or why there is none.
        patch_size_doubt: what a reader should know about it; recorded where there is something.
        mpp: microns per level-0 pixel; None where it is not known.
        mpp_source: where that comes from; None where it is not known.
        no_map: why there is no map; None where there is one.
        files: the other files written of the slide.
        geojson_origin: the level-0 pixel that is (0, 0) in `slide.geojson`; recorded where it is another one.
    """
    facts = {
        "slide_id": slide_id,
        "case_id": case_id,
        "n_patches": n_patches,
        "patch_size_level0": patch_size_level0,
        "patch_size_source": patch_size_source,
        "mpp": mpp,
        "mpp_source": mpp_source,
        "no_map": no_map,
        "files": list(files),
    }
    if patch_size_doubt is not None:
        facts["patch_size_doubt"] = patch_size_doubt
    if geojson_origin != (0, 0):
        facts["geojson_origin"] = list(geojson_origin)
    write_json(folder / SLIDE_FACTS, facts)


def read_slide_facts(folder: Path) -> dict[str, Any] | None:
    """The facts of the slide of this folder; None where there are none.

    Raises:
        UserError: `slide.json` is damaged.
    """
    path = folder / SLIDE_FACTS
    return read_json_object(path, advice=ADVICE) if path.exists() else None
