"""The options of `--stage explain`, of a run's own test cases and of another cohort."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.command.arguments import option
from utils.command.checks import changed, in_words
from utils.command.limits import NUMBER, Limits
from utils.errors import UserError

EXPLAIN = "explain"
MICRONS = Limits(1e-3, 1e3)  # of a level-0 pixel; scanners have 0.1 to 2
PIXELS = Limits(1, 1_000_000)  # of a patch's side: more than the longer side of any slide


@dataclass(frozen=True, kw_only=True)
class ExplanationOptions:
    """What is explained, and how it is shown; no other stage reads these options."""

    explain_cases: int | None = option(
        None,
        "explain this many most certain and this many least certain cases of each fold; default: 3, or none with "
        "--explain_slides",
        role="explanation",
        limits=NUMBER,
    )
    explain_slides: tuple[str, ...] | None = option(
        None, "explain these slides; test slides of a run each by the fold that tests it", role="explanation"
    )
    slides_dir: Path | None = option(
        None,
        "directory of slide images, for overlays and contact sheets (needs openslide or tiffslide)",
        role="explanation",
    )
    mpp: float | None = option(
        None,
        "microns per level-0 pixel, for scale bars, where the files do not give it",
        role="explanation",
        limits=MICRONS,
    )
    patch_size: int | None = option(
        None,
        "side of a patch in level-0 pixels, of all slides, in the place of what files or the spacing of patches say",
        role="explanation",
        limits=PIXELS,
    )
    geojson: str = option(
        "patches",
        "what slide.geojson holds: each patch, or the region of each anchor",
        choices=("patches", "regions"),
        role="explanation",
    )


def check_explanation_options(settings: Any) -> None:
    """Validate the options of explanations of settings that have them and a `stage`.

    Raises:
        UserError: for values that are not possible, or options of explanations with another stage.
    """
    given = changed(settings, "explanation")
    if given and settings.stage != EXPLAIN:
        raise UserError(f"got {in_words(given)} with --stage {settings.stage}, expected --stage {EXPLAIN} with it")
