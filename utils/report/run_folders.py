"""Which runs lie below a results folder: finished ones, unfinished ones, damaged ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from utils.errors import UserError
from utils.report.run_results import RunResults, read_results, relative_to

_RUN_JSON = "*/*/*/run.json"  # RESULTS/TASK/DATASET/RUN_NAME


@dataclass(frozen=True)
class RunFolders:
    """Runs below a folder, in the order of their paths; `damaged` are sentences about those that cannot be read."""

    results_dir: Path
    runs: tuple[RunResults, ...]
    damaged: tuple[str, ...]

    @property
    def finished(self) -> tuple[RunResults, ...]:
        """Runs with test predictions of a fold at least."""
        return tuple(run for run in self.runs if run.tables)

    @property
    def unfinished(self) -> tuple[RunResults, ...]:
        """Runs without any."""
        return tuple(run for run in self.runs if not run.tables)

    def cohorts(self) -> dict[tuple[str, str], list[RunResults]]:
        """{(task, data set): finished runs}, in alphabetical order."""
        return _by_cohort(self.finished)

    def untested(self) -> dict[tuple[str, str], list[RunResults]]:
        """{(task, data set): runs that were trained and not tested}, such as those of a search for options."""
        return _by_cohort([run for run in self.unfinished if run.validation])


def _by_cohort(runs: Iterable[RunResults]) -> dict[tuple[str, str], list[RunResults]]:
    found: dict[tuple[str, str], list[RunResults]] = {}
    for run in runs:
        found.setdefault((run.task.name, run.run["dataset"]), []).append(run)
    return dict(sorted(found.items()))


def find_runs(results_dir: Path) -> list[Path]:
    """The folders of runs below `results_dir`, by their run.json at TASK/DATASET/RUN_NAME.

    Raises:
        UserError: there is none.
    """
    found = sorted(path.parent for path in results_dir.glob(_RUN_JSON))
    if not found:
        raise UserError(
            f"{results_dir}: holds no run.json and no TASK/DATASET/RUN_NAME/run.json; name the folder of a run, or the "
            "folder that main.py --results_dir wrote to."
        )
    return found


def read_runs(results_dir: Path, *, n_resamples: int) -> RunFolders:
    """Read every run below a folder; one that is damaged becomes a sentence.

    Raises:
        UserError: there is no run.
    """
    runs, damaged = [], []
    for run_dir in tqdm(find_runs(results_dir), "reading runs", leave=False, disable=None, unit="run"):
        try:
            runs.append(read_results(run_dir, n_resamples=n_resamples))
        except UserError as error:
            damaged.append(f"Not shown: {relative_to(results_dir, error)}")
    return RunFolders(results_dir, tuple(runs), tuple(damaged))
