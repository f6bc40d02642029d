"""The command `python -m datasets.make_splits`: write the folds of a label table, and say what was read."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.folds.cases import TASKS
from datasets.folds.fold_checks import first_ids
from datasets.folds.split_report import format_counts
from datasets.make_splits.label_cases import (
    DAYS_PER_MONTH,
    TIME_UNITS,
)
from datasets.make_splits.make_splits import RECORD, make_splits
from datasets.make_splits.patient_folds import Split
from datasets.make_splits.settings import SplitSettings
from utils.command.arguments import OneLineParser
from utils.command.console import exit_code

_log = logging.getLogger(__name__)


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    description = "Write stratified folds by patient, from a label table with one row per slide."
    parser = OneLineParser("python -m datasets.make_splits", description)
    add = parser.add_argument
    add("--labels", type=Path, required=True, help="the label table: .csv, or .csv.zip with one .csv file")
    add("--output_dir", type=Path, required=True, help="fold{k}.csv and splits.json go here")
    add("--task", choices=TASKS, required=True, help="cls (classes) or surv (survival times)")
    add("--label_column", metavar="NAME", help="cls: the class of a slide (default: label)")
    add("--classes", nargs="+", metavar="CLASS", help="cls: the classes 0, 1, ... in this order (default: sorted)")
    add("--time_column", metavar="NAME", help="surv: survival or follow-up time (default: survival_months)")
    status = "surv: status column, "
    add(
        "--event_column",
        metavar="NAME",
        help=f"{status}1 = death observed, 0 = censored (give this or --censor_column)",
    )
    add(
        "--censor_column",
        metavar="NAME",
        help=f"{status}1 = censored, 0 = death observed (give this or --event_column)",
    )
    add("--time_unit", choices=tuple(TIME_UNITS), help="surv: unit of the times; days are divided by 30.4375")
    add("--case_column", metavar="NAME", default="case_id", help="the patient")
    add("--slide_column", metavar="NAME", default="slide_id", help="the slide")
    add("--n_folds", type=int, default=4, help="folds, 2 or more")
    add("--n_bins", type=int, help="surv: time bins of the disc_label columns (default: 4)")
    add("--seed", type=int, default=2024, help="seed of the folds")
    add("--site_preserving", action="store_true", help="keep each TCGA tissue source site in one part of a fold")
    add("--overwrite", action="store_true", help="replace the folds that are in OUTPUT_DIR")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one sentence on stderr."""
    options = vars(get_args_parser().parse_args(argv))
    options["classes"] = tuple(options["classes"]) if options["classes"] else None
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)

    def work() -> None:
        settings = SplitSettings(**options)
        _report(settings, make_splits(settings))

    return exit_code(work)


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
