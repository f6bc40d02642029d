"""The command `python -m datasets.inspect`: say what feature files are, and what is wrong with them."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m datasets.inspect")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from datasets.inspect.file_facts import look_at
from datasets.inspect.folder_facts import folder_facts, places_of, repeated_slides
from datasets.inspect.report import describe_file, describe_folder, describe_problems
from datasets.slides.slide_files import feature_files
from utils.command.arguments import OneLineParser
from utils.machine.process import exit_code

PROBLEMS = 1  # the exit code where files have problems


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    description = (
        "Describe feature files: format and tool, shapes, encoders of this width, patch size, coordinates, problems. "
        "Exit code 1 where there are problems, 2 where a path does not exist."
    )
    parser = OneLineParser("python -m datasets.inspect", description)
    parser.add_argument("path", nargs="+", type=Path, metavar="PATH", help="feature files, or folders of them")
    parser.add_argument("--values", action="store_true", help="read all features too, and look for NaN and infinity")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, 1 where files have problems, or 2 after one sentence on stderr."""
    args = get_args_parser().parse_args(argv)
    problems: list[str] = []

    def work() -> None:
        problems.extend(_inspect(args.path, values=args.values))
        sys.stdout.write(describe_problems(problems))

    return exit_code(work, "python -m datasets.inspect") or (PROBLEMS if problems else 0)


def _inspect(paths: Sequence[Path], *, values: bool) -> list[str]:
    """Describe each path; returns the problems."""
    problems: list[str] = []
    places: list[list[Path]] = []
    for path in paths:
        if path.is_file():
            look = look_at(path, values=values)
            if isinstance(look, str):
                problems.append(look)
                continue
            sys.stdout.write(describe_file(look, values=values) + "\n")
            problems += look.problems
            continue
        for folder in places_of(path):
            facts = folder_facts(folder, values=values)
            sys.stdout.write(describe_folder(facts, values=values) + "\n")
            problems += facts.problems
            places.append(feature_files(folder))
    if len(places) > 1:
        problems += repeated_slides(places)
    return problems


if __name__ == "__main__":
    sys.exit(main())
