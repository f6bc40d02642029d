"""Putting the clinical question of a command line to the runs that it names."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from utils.clinical.settings import ClinicalSettings
from utils.errors import UserError
from utils.report.run_folders import find_runs
from utils.runs.predict_dir import is_cohort
from utils.runs.run_dir import RECORD


def write_clinical_results(paths: Sequence[Path], settings: ClinicalSettings) -> Iterator[Path]:
    """Write `clinical/` of each run; yields the files.

    A run that is named must have an answer. Of a results folder, runs to which the question cannot be put, such as
    those of another cohort, are left out, with a warning for each on standard error.

    Raises:
        UserError: a path is the folder of a predicted cohort; a run that is named has no answer, or none of a folder.
    """
    from utils.clinical.write import write_clinical_of  # draws figures: a report alone needs no matplotlib

    for path in paths:
        if is_cohort(path):
            raise UserError(
                f"{path} is a predicted cohort: expected the folder of a run for --clinical, whose covariates are "
                "fitted fold by fold; leave --clinical out"
            )
        if (path / RECORD).exists():
            yield from write_clinical_of(path, settings)
            continue
        problems = []
        runs = find_runs(path)
        for run_dir in runs:
            try:
                yield from write_clinical_of(run_dir, settings)
            except UserError as error:
                problems.append(str(error))
        if len(problems) == len(runs):
            raise UserError(problems[0])
        for problem in problems:
            sys.stderr.write(f"warning: no clinical covariates: {problem}\n")
