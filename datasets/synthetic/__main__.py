"""The command `python -m datasets.synthetic`: write a synthetic cohort, one option per field of its settings."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m datasets.synthetic")

import argparse
import inspect
import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from datasets.folds.cases import TASKS
from datasets.synthetic.cohort import make_cohort
from datasets.synthetic.settings import DTYPES, FILE_FORMATS, SIGNALS, CohortSettings
from utils.command.arguments import OneLineParser
from utils.machine.process import exit_code

_log = logging.getLogger(__name__)


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the command: one option per field of CohortSettings, with its default."""
    parser = OneLineParser(
        "python -m datasets.synthetic",
        "Write a seeded synthetic cohort: features, folds and the truth behind them.",
        epilog=inspect.getdoc(CohortSettings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="an empty or new directory")
    choices = {
        "task": TASKS,
        "signal": tuple(dict.fromkeys(name for names in SIGNALS.values() for name in names)),
        "dtype": DTYPES,
        "file_format": FILE_FORMATS,
    }
    for field in fields(CohortSettings):
        option, default = f"--{field.name}", field.default
        note = "default: by task" if default is None else f"default: {default}"
        if field.name in choices:
            parser.add_argument(option, choices=choices[field.name], default=default, help=note)
        elif isinstance(default, bool):
            parser.add_argument(option, action="store_true", help="permute the outcomes over cases")
        elif str(field.type).startswith("tuple"):
            parser.add_argument(option, type=int, nargs=2, metavar=("MIN", "MAX"), default=default, help=note)
        else:
            parser.add_argument(option, type=type(default), default=default, help=note)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one sentence on stderr."""
    options = vars(get_args_parser().parse_args(argv))
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    output_dir = options.pop("output_dir")

    def work() -> None:
        cohort = make_cohort(output_dir, CohortSettings(**options))
        n_slides = sum(len(case.slide_ids) for case in cohort.cases)
        _log.info("wrote %d cases with %d slides to %s", len(cohort.cases), n_slides, output_dir)
        if cohort.c_index is not None:
            _log.info("C-index of the true risk: %.3f", cohort.c_index)

    return exit_code(work, "python -m datasets.synthetic")


if __name__ == "__main__":
    sys.exit(main())
