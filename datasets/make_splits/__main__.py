"""The command `python -m datasets.make_splits`: write the folds of a label table, and say what was read."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m datasets.make_splits")

import argparse
import logging
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from datasets.folds.split_report import format_counts
from datasets.make_splits.foreign.convert import convert
from datasets.make_splits.foreign.settings import LAYOUTS, ForeignSettings
from datasets.make_splits.make_splits import RECORD, make_splits
from datasets.make_splits.patient_folds import Split
from datasets.make_splits.settings import SplitSettings
from utils.command.arguments import build_parser, resolve
from utils.command.console import ProgressBarHandler
from utils.files.phrases import counted
from utils.machine.process import exit_code

PROG = "python -m datasets.make_splits"
_log = logging.getLogger(__name__)


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    description = "Write stratified folds by patient, from a label table with a row per slide or per patient."
    parser = build_parser(SplitSettings, PROG, description)
    parser.epilog = f"The splits of another repository are converted with --from: see {PROG} --from clam --help."
    return parser


def get_conversion_parser(layout: str = "clam") -> argparse.ArgumentParser:
    """Return the parser of the command with `--from`; its errors point to the help of this layout, if there is one."""
    prog = f"{PROG} --from {layout}" if layout in LAYOUTS else PROG
    parser = build_parser(ForeignSettings, prog, "Write fold files from the splits of another repository.")
    parser.usage = f"{PROG} --from LAYOUT PATH --task TASK --output_dir OUTPUT_DIR [options]"
    layouts = "; ".join(f"{name}: {what}" for name, what in LAYOUTS.items())
    parser.add_argument("--from", dest="layout", choices=tuple(LAYOUTS), required=True, help=layouts)
    parser.add_argument("place", type=Path, metavar="PATH", help="the folder of the splits, or the file of one fold")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one sentence on stderr."""
    words = sys.argv[1:] if argv is None else list(argv)
    asked_for = _layout_asked_for(words)
    converts = asked_for is not None
    arguments = (get_args_parser() if asked_for is None else get_conversion_parser(asked_for)).parse_args(words)
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[ProgressBarHandler()])

    def work() -> None:
        if converts:
            layout, place = arguments.__dict__.pop("layout"), arguments.__dict__.pop("place")
            foreign = resolve(ForeignSettings, arguments)
            _report(foreign.output_dir, convert(layout, place, foreign))
        else:
            settings = resolve(SplitSettings, arguments)
            _report(settings.output_dir, make_splits(settings))

    return exit_code(work, PROG)


def _layout_asked_for(words: Sequence[str]) -> str | None:
    """The word of `--from`, empty where nothing follows it; None without this option."""
    for word, following in pairwise([*words, ""]):
        if word == "--from":
            return following
        if word.startswith("--from="):
            return word.removeprefix("--from=")
    return None


def _report(output_dir: Path, split: Split) -> None:
    """Say what was read and written."""
    labelled = split.labelled
    for note in labelled.notes:
        _log.info("%s", note)
    if labelled.classes:
        _log.info("classes: %s", ", ".join(f"{name!r} = {number}" for name, number in labelled.classes.items()))
    for warning in split.warnings:
        _log.warning("warning: %s", warning)
    _log.info("%s", format_counts(split.counts()))
    _log.info("wrote %s and %s to %s", counted(len(split.folds), "fold"), RECORD, output_dir)


if __name__ == "__main__":
    sys.exit(main())
