r"""Folds from a label table: `fold0.csv`, `fold1.csv` and so on, by patient and stratified, with a record of how.

    python -m datasets.make_splits --labels tcga_blca_all_clean.csv.zip --task surv --output_dir splits/tcga_blca

Every patient is in test exactly once, and in one part of each fold with all slides. In classification patients are
stratified by class, in survival by event and quartile of time; `--site_preserving` keeps hospitals together too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from typing import Any

from datasets.folds.cases import Fold
from datasets.folds.fold_checks import first_ids
from datasets.folds.splits import write_fold
from datasets.make_splits.labelled_cases import labelled_cases
from datasets.make_splits.outcome_columns import DAYS_PER_MONTH
from datasets.make_splits.patient_folds import Split, split_patients
from datasets.make_splits.recorded import without_folders
from datasets.make_splits.settings import SplitSettings
from datasets.slides.slide_files import find_slides
from utils.errors import UserError
from utils.files.atomic import write_json
from utils.files.locks import locked
from utils.files.temporaries import remove_abandoned, temporary_path

RECORD = "splits.json"
_OUTPUT = re.compile(r"fold\d+\.csv|splits\.json")
_log = logging.getLogger(__name__)


def make_splits(settings: SplitSettings) -> Split:
    """Write `fold{k}.csv` and `splits.json` to `settings.output_dir`, and return the split.

    Raises UserError when folds are there already (without `overwrite`), the label table is refused (see
    `labelled_cases`), or it is too small to be split as asked; nothing is written then.
    """
    check_output(settings.output_dir, overwrite=settings.overwrite)
    slide_ids = None if settings.features_dir is None else find_slides(settings.features_dir)
    split = split_patients(labelled_cases(settings, settings.task, slide_ids=slide_ids), settings)
    write_split(settings.output_dir, split.folds, _record(settings, split), overwrite=settings.overwrite)
    return split


def check_output(directory: Path, *, overwrite: bool) -> None:
    """Check that folds may be written to a directory.

    Raises:
        UserError: it is a file, or holds folds that are not to be replaced.
    """
    if directory.exists() and not directory.is_dir():
        raise UserError(f"--output_dir {directory} is a file: give a directory")
    there = _written(directory)
    if there and not overwrite:
        names = first_ids([path.name for path in there])
        raise UserError(f"{directory} holds {names} already: give another --output_dir, or pass --overwrite")


def _written(directory: Path) -> list[Path]:
    """The fold files and the record that are in a directory."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _OUTPUT.fullmatch(path.name))


def _record(settings: SplitSettings, split: Split) -> dict[str, Any]:
    """The content of splits.json."""
    labelled = split.labelled
    record: dict[str, Any] = {"options": settings.as_options(), **labelled.record, "seed": settings.seed}
    record |= {"classes": dict(labelled.classes)} if settings.task == "cls" else {"days_per_month": DAYS_PER_MONTH}
    record |= {"missing": {column: dict(words) for column, words in labelled.missing.items()}}
    places = [settings.labels, settings.slides, settings.output_dir, *(settings.features_dir or ())]
    record |= {"dropped_slides": list(labelled.dropped), **said(split, places), "folds": counts_of_folds(split)}
    packages = ("numpy", "scikit-learn", "scikit-survival")
    return record | {"versions": {name: version(name) for name in packages}}


def said(split: Split, places: Sequence[Path | None]) -> dict[str, list[str]]:
    """Return the notes and warnings of a split for its record, in which these places have their names alone."""
    texts = {"notes": split.labelled.notes, "warnings": split.warnings}
    return {kind: [without_folders(text, places) for text in found] for kind, found in texts.items()}


def counts_of_folds(split: Split) -> list[dict[str, Any]]:
    """Return, for each fold, its number, what is in its parts, and the edges of its time bins in months (surv)."""
    # The first edge is 0; the last bin is open, and its upper edge, infinity, is no JSON.
    edges = [{"bin_edges_months": [*fold_edges[:-1].tolist(), None]} for fold_edges in split.edges]
    counts = split.counts().items()
    return [{"fold": k, **(edges[i] if edges else {}), "parts": parts} for i, (k, parts) in enumerate(counts)]


def write_split(directory: Path, folds: Sequence[Fold], record: Mapping[str, Any], *, overwrite: bool) -> None:
    """Write all files aside, then move them to their places, and last the record: it marks a whole split.

    Raises UserError when another process writes there, or has done so meanwhile, without `overwrite`.
    """
    with locked(directory / RECORD), _folder_aside(directory) as aside:
        check_output(directory, overwrite=overwrite)
        for fold in folds:
            write_fold(aside / fold.path.name, fold)
        write_json(aside / RECORD, record)
        (directory / RECORD).unlink(missing_ok=True)
        for fold in folds:
            (aside / fold.path.name).replace(fold.path)
        # Folds of an earlier split with more of them must not stand beside the new ones.
        for path in set(_written(directory)) - {fold.path for fold in folds}:
            path.unlink()
        (aside / RECORD).replace(directory / RECORD)


@contextmanager
def _folder_aside(directory: Path) -> Iterator[Path]:
    """Yield a new hidden folder in `directory`, which goes when the block ends; those of killed calls go before it."""
    remove_abandoned(directory)
    aside = temporary_path(directory / "splits")
    aside.mkdir(parents=True)
    try:
        yield aside
    finally:
        rmtree(aside, ignore_errors=True)
