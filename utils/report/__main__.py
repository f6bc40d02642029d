"""The reports as a command: `python -m utils.report PATH ...`.

A path is the folder of a run, or of a cohort that it predicted (its report is written), or a results folder (the report
over all runs below it, and that of each of them). No model is loaded. With `--clinical TABLE`, the clinical question is
put to each run first (`utils.clinical`).
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m utils.report")

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from utils.clinical.settings import ClinicalSettings
from utils.command.arguments import build_parser, resolve
from utils.machine.process import exit_code
from utils.report.all_runs_page import write_all_runs_page
from utils.report.clinical_runs import write_clinical_results
from utils.report.page import write_page
from utils.report.run_folders import find_runs, read_runs
from utils.report.run_page import REPORT, run_page, write_run_report
from utils.report.validation_page import write_validation_report
from utils.runs.predict_dir import is_cohort
from utils.statistics.roc_band import N_RESAMPLES


def get_args_parser() -> argparse.ArgumentParser:
    """The command line of `python -m utils.report`."""
    description = "Write report.html of each run, and that over all runs of a results folder."
    parser = build_parser(ClinicalSettings, "python -m utils.report", description)
    parser.add_argument(
        "run_dir", nargs="+", type=Path, metavar="PATH", help="RESULTS/TASK/DATASET/RUN_NAME, or RESULTS for all runs"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write the reports and print their paths; a mistake of the user is one sentence, status 2."""
    args = get_args_parser().parse_args(argv)
    paths = args.__dict__.pop("run_dir")
    return exit_code(
        lambda: sys.stdout.write(write_reports(paths, resolve(ClinicalSettings, args))), "python -m utils.report"
    )


def write_reports(paths: Sequence[Path], clinical: ClinicalSettings | None = None) -> str:
    """Write the reports of each path, and first what `clinical` asks for; returns a line per file written.

    Of a results folder, damaged runs are left out, with a line for each on standard error.

    Raises:
        UserError: a path is no folder of a run and holds none, or a run that was named is damaged; see
            `utils.report.clinical_runs.write_clinical_results`.
    """
    for path in paths:
        if not _is_run(path) and not is_cohort(path):
            find_runs(path)  # a mistake in the last path shows before the work on the first
    answers = "" if clinical is None or clinical.clinical is None else _write_clinical(paths, clinical)
    return answers + "".join(f"{written}\n" for path in paths for written in _write(path))


def _write_clinical(paths: Sequence[Path], clinical: ClinicalSettings) -> str:
    return "".join(f"{written}\n" for written in write_clinical_results(paths, clinical))


def _write(path: Path) -> Iterator[Path]:
    if is_cohort(path):
        yield write_validation_report(path)
        return
    if _is_run(path):
        yield write_run_report(path)
        return
    folders = read_runs(path, n_resamples=N_RESAMPLES)
    for sentence in folders.damaged:
        sys.stderr.write(f"warning: {sentence}\n")
    for run in tqdm(folders.runs, "reports", leave=False, disable=None, unit="run"):
        yield write_page(run.run_dir / REPORT, run_page(run))
    yield write_all_runs_page(folders, n_resamples=N_RESAMPLES)


def _is_run(path: Path) -> bool:
    return (path / "run.json").exists()


if __name__ == "__main__":
    sys.exit(main())
