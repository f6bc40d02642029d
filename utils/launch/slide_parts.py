"""The slide anchors of a data set in parts, each in a process of its own."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from utils.command.clustering_settings import ClusteringSettings
from utils.command.launch_options import CPU, LaunchOptions
from utils.errors import UserError
from utils.files.phrases import counted
from utils.launch.launchers import launcher_of
from utils.launch.piece import Piece

logger = logging.getLogger("run_clustering")


def launch_slide_parts(settings: ClusteringSettings, begin: Callable[[ClusteringSettings], object]) -> None:
    """Fit the anchors of slides as the launcher does, after what comes before in this process.

    Args:
        settings: of the call.
        begin: looks at all files, fits the anchors of the data set and makes the directories of slide anchors ready.

    Raises:
        UserError: as `begin` and the launcher do, and where a part failed.
    """
    if settings.dry_run:
        raise UserError(
            "got --dry_run, expected run_clustering.py without it: it looks at slides before it submits their parts"
        )
    launcher = launcher_of(settings, device="auto" if settings.gpu or settings.gpus else CPU)
    # What the pieces do is the same as without a launcher.
    alone: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(LaunchOptions)}
    settings = replace(settings, gpu=launcher.device != CPU, **alone)
    begin(settings)

    from datasets.slides.features import find_slides  # slow to import
    from utils.launch.progress import run_with_progress
    from utils.pipeline.slide_parts import file_sizes, left_in, number_of_parts

    if not left_in(settings):
        logger.info("all slide anchors are there")
        return
    n_parts = number_of_parts(file_sizes(find_slides(settings.input_dir)), launcher.n_slots)
    pieces = slide_pieces(settings, n_parts)
    logger.info(
        "%s of the slides, %d at a time; logs in %s", counted(n_parts, "part"), launcher.n_slots, _logs(settings)
    )
    failed = [part for part in run_with_progress(pieces, launcher) if part.status]
    if failed:
        raise UserError(
            f"{len(failed)} of {counted(n_parts, 'part')} of the slides failed ({failed[0].label}: {failed[0].said}): "
            f"see the logs in {_logs(settings)}; the same command goes on with the slides that are left"
        )
    left = left_in(settings)
    if left:
        raise UserError(f"{counted(left, 'slide')} changed while anchors were fitted: call the same command again")


def slide_pieces(settings: ClusteringSettings, n_parts: int) -> list[Piece]:
    """A piece for each part of the slides, which are ready to be fitted (`begin_slide_anchors`)."""
    from utils.pipeline.slide_anchors import place_of_part
    from utils.pipeline.slide_parts import fit_part, slide_directories

    directories = list(slide_directories(settings))
    folders = (*settings.input_dir, settings.output_dir)
    stem = f"{settings.dataset_name}_C_{settings.n_clusters}_slides"
    pieces = []
    for part in range(n_parts):
        name = f"slide anchors, part {part + 1}"
        places = (*directories, *(place_of_part(directory, part, n_parts) for directory in directories))
        log = _logs(settings) / f"{stem}_part{part + 1}.log"
        work = partial(fit_part, settings, part, n_parts)
        pieces.append(Piece(name, name, "anchors", work, "run_clustering.py", log, places=places, folders=folders))
    return pieces


def _logs(settings: ClusteringSettings) -> Path:
    return settings.output_dir / "logs"
