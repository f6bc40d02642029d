r"""Folds from a label table: `fold0.csv`, `fold1.csv` and so on, by patient and stratified, with a record of how.

    python -m datasets.make_splits --labels tcga_blca_all_clean.csv.zip --output_dir splits/tcga_blca \
        --task surv --censor_column censorship --time_unit months

Every patient is in test exactly once, and in one part of each fold with all slides. In classification patients are
stratified by class, in survival by event and quartile of time; `--site_preserving` keeps hospitals together too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datasets.folds.fold_checks import first_ids
from datasets.folds.splits import write_fold
from datasets.make_splits.label_cases import (
    DAYS_PER_MONTH,
    LabelledCases,
    classification_cases,
    survival_cases,
)
from datasets.make_splits.label_table import LabelTable, read_label_table
from datasets.make_splits.patient_folds import Split, split_patients
from datasets.make_splits.settings import SplitSettings
from utils.errors import UserError
from utils.files.atomic import write_json

RECORD = "splits.json"
_OUTPUT = re.compile(r"fold\d+\.csv|splits\.json")
_log = logging.getLogger(__name__)


def make_splits(settings: SplitSettings) -> Split:
    """Write `fold{k}.csv` and `splits.json` to `settings.output_dir`, and return the split.

    Raises UserError when folds are there already (without `overwrite`), the label table is refused (see
    `read_label_table`, `classification_cases`, `survival_cases`), or it is too small to be split as asked; nothing is
    written then.
    """
    _check_output(settings)
    table = read_label_table(settings.labels, settings.columns())
    split = split_patients(_labelled(settings, table), settings)
    _write(settings, split, _record(settings, table, split))
    return split


def _check_output(settings: SplitSettings) -> None:
    directory = settings.output_dir
    if directory.exists() and not directory.is_dir():
        raise UserError(f"--output_dir {directory} is a file: give a directory")
    there = _written(directory)
    if there and not settings.overwrite:
        names = first_ids([path.name for path in there])
        raise UserError(f"{directory} holds {names} already: give another --output_dir, or pass --overwrite")


def _written(directory: Path) -> list[Path]:
    """The fold files and the record that are in a directory."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _OUTPUT.fullmatch(path.name))


def _labelled(settings: SplitSettings, table: LabelTable) -> LabelledCases:
    if settings.task == "cls":
        return classification_cases(
            table, settings.case_column, settings.slide_column, settings.label_column, settings.classes
        )
    return survival_cases(
        table,
        settings.case_column,
        settings.slide_column,
        settings.time_column,
        event_column=settings.event_column,
        censor_column=settings.censor_column,
        time_unit=settings.time_unit or "",
    )


def _record(settings: SplitSettings, table: LabelTable, split: Split) -> dict[str, Any]:
    """The content of splits.json."""
    # The first edge is 0; the last bin is open, and its upper edge, infinity, is no JSON.
    edges = [[*fold_edges[:-1].tolist(), None] for fold_edges in split.edges]
    folds = [
        {"fold": k, **({"bin_edges_months": edges[k]} if edges else {}), "parts": parts}
        for k, parts in split.counts().items()
    ]
    record: dict[str, Any] = {"options": settings.as_options(), "labels_sha256": table.sha256, "seed": settings.seed}
    if settings.task == "cls":
        record["classes"] = dict(split.labelled.classes)
    else:
        record |= {"time_unit": settings.time_unit, "days_per_month": DAYS_PER_MONTH}
    record |= {"dropped_slides": list(split.labelled.dropped), "warnings": list(split.warnings), "folds": folds}
    packages = ("numpy", "scikit-learn", "scikit-survival")
    return record | {"versions": {name: version(name) for name in packages}}


def _write(settings: SplitSettings, split: Split, record: Mapping[str, Any]) -> None:
    """Write all files aside, then move them to their places, and last the record: it marks a whole split."""
    directory = settings.output_dir
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=directory, prefix=".splits-") as temporary:
        for fold in split.folds:
            write_fold(Path(temporary) / fold.path.name, fold)
        write_json(Path(temporary) / RECORD, record)
        (directory / RECORD).unlink(missing_ok=True)
        for fold in split.folds:
            (Path(temporary) / fold.path.name).replace(fold.path)
        # Folds of an earlier split with more of them must not stand beside the new ones.
        for path in set(_written(directory)) - {fold.path for fold in split.folds}:
            path.unlink()
        (Path(temporary) / RECORD).replace(directory / RECORD)
