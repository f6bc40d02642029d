"""Small cohorts on disk, and the commands called as functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import main as main_command
import run_clustering as clustering_command
from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from tests.commands.processes import LONG, files, finish, start

SMALL = {"n_folds": 2, "dim": 8, "patches_per_slide": (12, 30)}
# Figures take longer than these trainings; test_main.py draws them once for each task.
QUICK = ("--embed_dim", "16", "--n_clusters", "8", "--epochs", "3", "--device", "cpu", "--no_figures")


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    def check(self) -> Ended:
        assert self.status == 0, self.err
        return self


Command = Callable[..., Ended]


@pytest.fixture(scope="session")
def surv_cohort(tmp_path_factory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("surv"), CohortSettings(task="surv", n_cases=24, n_bins=2, **SMALL))


@pytest.fixture(scope="session")
def cls_cohort(tmp_path_factory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("cls"), CohortSettings(task="cls", n_cases=16, **SMALL))


@pytest.fixture(scope="session")
def other_surv_cohort(tmp_path_factory) -> Cohort:
    """Of another hospital: the same signal in other patients, the features moved."""
    settings = CohortSettings(task="surv", n_cases=20, n_bins=2, site=1, shift=0.5, **SMALL)
    return make_cohort(tmp_path_factory.mktemp("other_surv"), settings)


@pytest.fixture(scope="session")
def other_cls_cohort(tmp_path_factory) -> Cohort:
    settings = CohortSettings(task="cls", n_cases=14, site=1, shift=0.5, slides_per_case=(1, 3), **SMALL)
    return make_cohort(tmp_path_factory.mktemp("other_cls"), settings)


def _command(module, capfd) -> Command:
    def call(*arguments: str | Path) -> Ended:
        capfd.readouterr()
        parse = getattr(module, "parse_arguments", None) or module.get_args_parser().parse_args
        try:
            status = module.main(parse([str(argument) for argument in arguments]))
        except SystemExit as error:
            status = error.code
        return Ended(status, *capfd.readouterr())

    return call


@pytest.fixture
def run_main(capfd) -> Command:
    """`python main.py ...` in this process."""
    return _command(main_command, capfd)


@pytest.fixture
def run_clustering(capfd) -> Command:
    """`python run_clustering.py ...` in this process."""
    return _command(clustering_command, capfd)


def files_in(directory: Path) -> list[str]:
    """All files below a directory, as relative paths."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def cls_arguments(cohort: Cohort, results: Path, *more: str | Path) -> list[str | Path]:
    places = ["--features_dir", cohort.features_dir, "--splits_dir", cohort.splits_dir, "--results_dir", results]
    return ["--task", "cls", "--dataset", "toy", "--anchors", "random", *places, *QUICK, *more]


def surv_arguments(cohort: Cohort, results: Path, *more: str | Path) -> list[str | Path]:
    places = ["--features_dir", cohort.features_dir, "--splits_dir", cohort.splits_dir, "--results_dir", results]
    return ["--task", "surv", "--dataset", "toy", "--anchors", "random", "--n_bins", "2", *places, *QUICK, *more]


@pytest.fixture(scope="session")
def long_run(cls_cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a serial run of many epochs leaves behind, for the launchers to be compared with."""
    place = tmp_path_factory.mktemp("serial")
    finish(start(cls_arguments(cls_cohort, place, *LONG)))
    return files(place / "cls" / "toy" / "run")
