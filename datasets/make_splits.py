r"""Folds from a label table: `fold0.csv`, `fold1.csv` and so on, by patient and stratified, with a record of how.

    python -m datasets.make_splits --labels tcga_blca_all_clean.csv.zip --output_dir splits/tcga_blca \
        --task surv --censor_column censorship --time_unit months

Every patient is in test exactly once, and in one part of each fold with all slides. In classification patients are
stratified by class, in survival by event and quartile of time; `--site_preserving` keeps hospitals together too.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datasets.cases import TASKS
from datasets.errors import DataError
from datasets.fold_checks import first_ids
from datasets.label_cases import DAYS_PER_MONTH, TIME_UNITS, LabelledCases, classification_cases, survival_cases
from datasets.label_table import LabelTable, read_label_table
from datasets.patient_folds import Split, split_patients
from datasets.split_report import format_counts
from datasets.split_settings import SplitSettings
from datasets.splits import write_fold

RECORD = "splits.json"
_OUTPUT = re.compile(r"fold\d+\.csv|splits\.json")
_log = logging.getLogger(__name__)


def make_splits(settings: SplitSettings) -> Split:
    """Write `fold{k}.csv` and `splits.json` to `settings.output_dir`, and return the split.

    Raises DataError when folds are there already (without `overwrite`), the label table is refused (see
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
        raise DataError(f"--output_dir {directory} is a file: give a directory")
    there = _written(directory)
    if there and not settings.overwrite:
        names = first_ids([path.name for path in there])
        raise DataError(f"{directory} holds {names} already: give another --output_dir, or pass --overwrite")


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
        text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (Path(temporary) / RECORD).write_text(text, encoding="utf-8")
        (directory / RECORD).unlink(missing_ok=True)
        for fold in split.folds:
            (Path(temporary) / fold.path.name).replace(fold.path)
        # Folds of an earlier split with more of them must not stand beside the new ones.
        for path in set(_written(directory)) - {fold.path for fold in split.folds}:
            path.unlink()
        (Path(temporary) / RECORD).replace(directory / RECORD)


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m datasets.make_splits",
        description="Write stratified folds by patient, from a label table with one row per slide.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--labels", type=Path, required=True, help="the label table: .csv, or .csv.zip with one .csv file")
    add("--output_dir", type=Path, required=True, help="fold{k}.csv and splits.json go here")
    add("--task", choices=TASKS, required=True, help="cls (classes) or surv (survival times)")
    add("--label_column", metavar="NAME", help="cls: the class of a slide (default: label)")
    add("--classes", nargs="+", metavar="CLASS", help="cls: the classes 0, 1, ... in this order (default: sorted)")
    add("--time_column", metavar="NAME", help="surv: survival or follow-up time (default: survival_months)")
    add("--event_column", metavar="NAME", help="surv: status, 1 = death observed, 0 = censored; this one ...")
    add("--censor_column", metavar="NAME", help="surv: status, 1 = censored, 0 = death observed; ... or this one")
    add("--time_unit", choices=tuple(TIME_UNITS), help="surv: unit of the times; days are divided by 30.4375")
    add("--case_column", metavar="NAME", default="case_id", help="the patient (default: %(default)s)")
    add("--slide_column", metavar="NAME", default="slide_id", help="the slide (default: %(default)s)")
    add("--n_folds", type=int, default=4, help="folds, 2 or more (default: %(default)s)")
    add("--n_bins", type=int, help="surv: time bins of the disc_label columns (default: 4)")
    add("--seed", type=int, default=2024, help="seed of the folds (default: %(default)s)")
    add("--site_preserving", action="store_true", help="keep each TCGA tissue source site in one part of a fold")
    add("--overwrite", action="store_true", help="replace the folds that are in OUTPUT_DIR")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one sentence on stderr."""
    options = vars(get_args_parser().parse_args(argv))
    options["classes"] = tuple(options["classes"]) if options["classes"] else None
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    try:
        settings = SplitSettings(**options)
        split = make_splits(settings)
    except (DataError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    _report(settings, split)
    return 0


def _report(settings: SplitSettings, split: Split) -> None:
    """Say what was read and written."""
    labelled = split.labelled
    if labelled.dropped:
        columns = " or ".join(name for name in settings.columns()[2:])
        n_dropped, ids = len(labelled.dropped), first_ids(labelled.dropped)
        _log.info("dropped %d slides without %s: %s", n_dropped, columns, ids)
    if labelled.classes:
        _log.info("classes: %s", ", ".join(f"{name} = {number}" for name, number in labelled.classes.items()))
    if settings.time_unit == "days":
        _log.info("times in days were divided by %s (365.25 / 12) to give months", DAYS_PER_MONTH)
    for warning in split.warnings:
        _log.warning("warning: %s", warning)
    _log.info("%s", format_counts(split.counts()))
    _log.info("wrote %d folds and %s to %s", len(split.folds), RECORD, settings.output_dir)


if __name__ == "__main__":
    sys.exit(main())
