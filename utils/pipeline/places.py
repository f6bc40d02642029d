"""What the options name on disk: looked for before a run, and before anything that is slow to import."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from datasets.folds.patient_overlap import check_patients_of_file
from datasets.folds.splits import find_folds
from datasets.slides.slide_files import find_slides
from utils.command.settings import RANDOM
from utils.errors import UserError

logger = logging.getLogger("run_clustering")


def check_run_places(
    features_dir: Sequence[Path],
    splits_dir: Path,
    folds: Sequence[int] | None,
    anchors: str,
    *,
    slides_dir: Path | None = None,
) -> None:
    """Check that features, splits, anchors and slide images of `main.py` are there; what is in the files comes later.

    Raises:
        UserError: for a directory without feature files or folds, or a fold, anchors or images that do not exist.
    """
    if slides_dir is not None and not slides_dir.is_dir():
        raise UserError(f"got --slides_dir {slides_dir}, expected a directory of slide images")
    find_slides(features_dir)
    there = find_folds(splits_dir)
    for number in folds or there:
        if number not in there:
            raise UserError(
                f"got --folds {number}, expected a file {splits_dir / f'fold{number}.csv'}: the directory holds fold "
                f"{', '.join(map(str, there))}"
            )
        source = Path(anchors.replace("{fold}", str(number)))
        if anchors != RANDOM and not source.exists():
            raise UserError(f"no anchor file at {source}: fit the anchors with run_clustering.py, or correct the path")


def check_clustering_places(input_dir: Sequence[Path], fold_csv: Sequence[Path] | None) -> None:
    """Check that features and folds of `run_clustering.py` are there.

    Raises:
        UserError: for a directory without feature files, or a fold that does not exist.
    """
    find_slides(input_dir)
    for path in fold_csv or ():
        if not path.is_file():
            raise UserError(f"got --fold_csv {path}, which is no file: give an existing fold file")


def check_patients_of_folds(fold_csv: Sequence[Path], *, allow_overlap: bool) -> None:
    """Check, before anchors are fitted for minutes, that `main.py` will take these folds: no patient is in two parts.

    An overlap that is allowed is said in the log.

    Raises:
        UserError: for a patient in two parts of a fold, or a file that cannot be read.
    """
    for path in fold_csv:
        for warning in check_patients_of_file(path, allow_overlap=allow_overlap):
            logger.warning("warning: %s", warning)
