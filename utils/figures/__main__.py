"""The command `python -m utils.figures RUN_DIR ...`: draw the figures of runs again, from logs and predictions."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m utils.figures")

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.command.console import runs_parser
from utils.figures.run_figures import draw_figures, save_figures
from utils.figures.validation_figures import draw_validation_figures
from utils.machine.process import exit_code
from utils.runs.predict_dir import is_cohort


def get_args_parser() -> argparse.ArgumentParser:
    """The command line of `python -m utils.figures`."""
    description = "Draw the figures of each run again, from its logs and prediction files."
    return runs_parser("python -m utils.figures", description)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw and list the figures of each run; nothing is written if one of them cannot be drawn."""

    def work(run_dirs: list[Path]) -> str:
        drawn = [draw_validation_figures(path) if is_cohort(path) else draw_figures(path) for path in run_dirs]
        paths = [
            path for run_dir, figures in zip(run_dirs, drawn, strict=True) for path in save_figures(run_dir, figures)
        ]
        return "".join(f"{path}\n" for path in paths)

    args = get_args_parser().parse_args(argv)
    return exit_code(lambda: sys.stdout.write(work(args.run_dir)), "python -m utils.figures")


if __name__ == "__main__":
    sys.exit(main())
