"""Finished runs of both tasks, one of whose files is damaged, and what the commands over runs read of them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.input_errors.cohort import RUN, SURV, TRAINED, write_cohort
from tests.input_errors.commands import call, in_folder
from utils.report.page import render_page
from utils.report.run_page import run_page
from utils.report.run_results import read_results

SURVIVAL = Path("results/surv/toy/mico_released")
EXPLAINED = RUN / "fold0/explain"
_COMMANDS = (
    f"{TRAINED} --folds 0",
    f"{TRAINED} --folds 0 --stage explain --explain_slides s10",
    f"{SURV} --folds 0 --n_bins 3",
)


def prepare(folder: Path) -> None:
    """Put the runs into a folder."""
    shutil.copytree(_template(), folder, dirs_exist_ok=True)


@cache
def _template() -> Path:
    """A folder of the runs, which are trained once for all targets."""
    folder = Path(tempfile.mkdtemp(prefix="fuzzed_runs_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_cohort(folder)
    with in_folder(folder):
        for command in _COMMANDS:
            ended = call(command)
            if ended.status != 0:
                raise RuntimeError(f"{command}: {ended.status} {ended.err}")
    return folder


def seeds_of(*files: Path) -> Callable[[Path], list[Path]]:
    """`seeds` of a target whose valid files are these of the runs."""

    def seeds(folder: Path) -> list[Path]:
        written = []
        for number, file in enumerate(files):
            written.append(folder / str(number) / file.name)
            written[-1].parent.mkdir()
            shutil.copy(_template() / file, written[-1])
        return written

    return seeds


def report_of(file: Path, run_dir: Path = RUN) -> Callable[[Path], None]:
    """`read` of a target that makes the report of a run in which `file` is damaged."""

    def read(path: Path) -> None:
        place = path.parent
        shutil.copy(path, place / file)
        render_page(run_page(read_results(place / run_dir, n_resamples=20)))

    return read
