"""`--threads`: which number a run computes in, and that it is the same with and without a launcher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from tests.commands.conftest import Command, cls_arguments
from tests.commands.processes import finish, start
from tests.soak.comparison import contents
from utils.pipeline import threads

RUN = ("--run_name", "run", "--epochs", "1")


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch):
    """A machine of two cores, on which the user gives no number."""
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "cores", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def large_bags(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    sizes = {"n_cases": 8, "n_folds": 2, "dim": 8, "patches_per_slide": (1100, 1200)}
    return make_cohort(tmp_path_factory.mktemp("large"), CohortSettings(task="cls", **sizes))


def recorded(results: Path) -> dict[str, Any]:
    run: dict[str, Any] = json.loads((results / "cls" / "toy" / "run" / "run.json").read_text())
    return run


@pytest.mark.usefixtures("two_cores")
def test_small_bags_are_computed_in_one_thread(cls_cohort: Cohort, run_main: Command, tmp_path: Path):
    ended = run_main(*cls_arguments(cls_cohort, tmp_path, *RUN)).check()
    assert "\n1 thread: batches of 18 patches on average, 2 cores\n" in f"\n{ended.out}"
    assert recorded(tmp_path)["threads"] == torch.get_num_threads() == 1
    assert recorded(tmp_path)["settings"]["threads"] is None


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_large_bags_are_computed_in_two_and_all_calls_of_a_run_in_the_same(
    large_bags: Cohort, run_main: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    arguments = cls_arguments(large_bags, tmp_path, *RUN, "--embed_dim", "256", "--folds", "0")
    ended = run_main(*arguments).check()
    assert "2 threads: batches of 1,1" in ended.out
    assert recorded(tmp_path)["threads"] == torch.get_num_threads() == 2
    monkeypatch.setattr(threads, "cores", lambda: 1)  # another machine
    ended = run_main(*arguments[:-1], "1", "--resume").check()
    assert "2 threads: as the run was begun with" in ended.out
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ended = run_main(*arguments, "--stage", "test", "--overwrite").check()
    assert "warning: the run was begun with 2 threads, and goes on with 1" in ended.out + ended.err
    assert "1 thread: as --threads or OMP_NUM_THREADS says" in ended.out
    run = recorded(tmp_path)
    assert (run["threads"], [call["threads"] for call in run["resumed"]]) == (2, [2, 1])
    monkeypatch.delenv("OMP_NUM_THREADS")
    run_main(*arguments[:-2], "--overwrite").check()  # all folds, begun again
    assert recorded(tmp_path)["threads"] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("two_cores")
def test_another_cohort(cls_cohort: Cohort, other_cls_cohort: Cohort, run_main: Command, tmp_path: Path):
    run_main(*cls_arguments(cls_cohort, tmp_path, *RUN, "--threads", "2")).check()
    run_dir = tmp_path / "cls" / "toy" / "run"
    line = ["--stage", "predict", "--run_dir", run_dir, "--features_dir", other_cls_cohort.features_dir]
    ended = run_main(*line, "--cohort", "auto", "--no_figures").check()
    assert "1 thread: batches of " in ended.out
    run_main(*line, "--cohort", "given", "--no_figures", "--threads", "2").check()
    folders = [run_dir / "predict" / name for name in ("auto", "given")]
    assert [json.loads((folder / "predict.json").read_text())["threads"] for folder in folders] == [1, 2]
    explaining = ["--cohort", "given", "--no_figures", "--explain_cases", "1", "--stage", "explain"]
    ended = run_main(*line[2:], *explaining).check()
    assert "2 threads: as the cohort was predicted with" in ended.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("serial", "launched", "environment", "number"),
    [([], ["--jobs", "2"], None, 1), (["--threads", "2"], ["--jobs", "1"], 2, 2)],
)
def test_a_launcher_computes_in_the_same(
    cls_cohort: Cohort,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    serial: list[str],
    launched: list[str],
    environment: int | None,
    number: int,
):
    """And in the same bytes, whether the number is chosen, given, or that of the environment."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found, results = [], tmp_path / "results"  # the same place for both: run.json names it
    for name, more, threads_given in (("serial", serial, None), ("launched", launched, environment)):
        finish(start(cls_arguments(cls_cohort, results, *RUN, *more), threads_given))
        results.rename(tmp_path / name)
        found.append(contents(tmp_path / name / "cls" / "toy" / "run"))
    assert json.loads(found[0]["run.json"])["threads"] == number
    assert found[0] == found[1]
