"""The command `python -m utils.paper PLAN.csv --output_dir DIR`: the paper's tables from finished runs."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m utils.paper")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.command.arguments import OneLineParser
from utils.errors import UserError
from utils.machine.process import exit_code
from utils.paper.tables import write_paper_tables


def get_args_parser() -> argparse.ArgumentParser:
    """The command line of `python -m utils.paper`."""
    parser = OneLineParser("python -m utils.paper", "Write the paper's tables from finished runs.")
    parser.add_argument("plan", type=Path, metavar="PLAN.csv", help="the runs that the tables are about")
    parser.add_argument(
        "--output_dir", type=Path, required=True, metavar="DIR", help="where the tables go", default=argparse.SUPPRESS
    )
    parser.add_argument("--notes", type=Path, metavar="FILE", help="further deviations, one a line")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables and list their files; a mistake of the user is one sentence, status 2."""
    args = get_args_parser().parse_args(argv)

    def work() -> None:
        paths = write_paper_tables(args.plan, args.output_dir, notes=read_notes(args.notes))
        sys.stdout.write("".join(f"{path}\n" for path in paths))

    return exit_code(work, "python -m utils.paper")


def read_notes(path: Path | None) -> list[str]:
    """The lines of a text file that are not blank; none without a file.

    Raises:
        UserError: the file cannot be read.
    """
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); give a text file to --notes.") from error
    return [line.strip() for line in lines if line.strip()]


if __name__ == "__main__":
    sys.exit(main())
