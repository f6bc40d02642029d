"""`python -m utils.runs.status` while a run is written, from its beginning to its end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import Command, surv_arguments
from utils.errors import UserError
from utils.runs.status.run_progress import progress_of
from utils.runs.status.text import as_json, in_words

BEGUN, OVERWRITTEN, GOING_ON = [], ["--overwrite"], ["--resume", "--epochs", "5"]


class Onlooker(threading.Thread):
    """Looks at the runs of a folder without pause; `seen` are the states of their folds, `error` what has ended it."""

    def __init__(self, results_dir: Path) -> None:
        super().__init__()
        self.results_dir, self.done = results_dir, threading.Event()
        self.seen: set[tuple[str, ...]] = set()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self.done.is_set():
                self.seen.add(look(self.results_dir))
        except Exception as error:  # noqa: BLE001  the test tells it
            self.error = error


def look(results_dir: Path) -> tuple[str, ...]:
    try:
        progress = progress_of(results_dir)
    except UserError:  # before its first lock
        return ()
    assert not progress.problems
    assert in_words(progress)
    assert as_json(progress)
    return tuple(fold.state for run in progress.runs for fold in run.folds)


@pytest.mark.slow
def test_a_run_is_looked_at_without_pause_and_does_not_notice(tmp_path: Path, surv_cohort: Cohort, run_main: Command):
    for how in (BEGUN, OVERWRITTEN, GOING_ON):
        onlooker = Onlooker(tmp_path / "results")
        onlooker.start()
        try:
            ended = run_main(*surv_arguments(surv_cohort, tmp_path / "results"), *how)
        finally:
            onlooker.done.set()
            onlooker.join()
        ended.check()
        assert onlooker.error is None, onlooker.error
        assert look(tmp_path / "results") == ("done", "done")
        assert onlooker.seen >= {("running", "waiting"), ("done", "running"), ("done", "done")}
        assert {state for states in onlooker.seen for state in states} == {"running", "waiting", "done"}
