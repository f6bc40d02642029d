"""What is left of runs, by hand-worked figures."""

from __future__ import annotations

from pathlib import Path

from utils.runs.status.estimates import Estimates, Left, Total, total
from utils.runs.status.fold_progress import DONE, INTERRUPTED, MISSING, RUNNING, WAITING, FoldProgress
from utils.runs.status.run_progress import RunProgress

KIND = ("cls", "toy", "abmil")
FINISHED = FoldProgress(0, DONE, (2.0,) * 10, trained=True)  # 20 s


def run(name: str, *folds: FoldProgress, kind: tuple[str, str, str] = KIND, epochs: int | None = 50) -> RunProgress:
    return RunProgress(Path(name), name, kind, epochs, folds)


def test_a_fold_by_its_own_epochs_and_the_finished_folds_of_its_run():
    begun = FoldProgress(1, RUNNING, (3.0,) * 4)
    one = run("a", FINISHED, begun, FoldProgress(2, WAITING), FoldProgress(3, INTERRUPTED, (4.0,) * 10, trained=True))
    other = run("b", FoldProgress(0, DONE, (9.0,) * 10, trained=True))
    assert Estimates([one, other]).of_folds(one) == {
        1: Left(46 * 3.0, 20.0 - 12.0),
        2: Left(50 * 3.0, 20.0),
        3: Left(0.0, 0.0),
    }


def test_without_one_by_those_of_its_model_and_data_set():
    bare, alike = run("a", FoldProgress(0, MISSING)), run("b", FINISHED)
    elsewhere = run("c", FoldProgress(0, MISSING), kind=("cls", "other", "abmil"))
    estimates = Estimates([bare, alike, elsewhere])
    assert estimates.of_folds(bare) == {0: Left(100.0, 20.0)}
    assert estimates.of_folds(alike) == {}
    assert estimates.of_folds(elsewhere) == {0: Left(None, None)}


def test_a_running_fold_alone_has_its_bound():
    one = run("a", FoldProgress(0, RUNNING, (2.0,)), FoldProgress(1, WAITING))
    assert Estimates([one]).of_folds(one) == {0: Left(98.0, None), 1: Left(100.0, None)}


def test_a_run_that_has_not_said_its_epochs():
    one = run("a", FoldProgress(0, RUNNING), epochs=None)
    assert Estimates([one]).of_folds(one) == {0: Left(None, None)}


def test_folds_that_ran_out_of_slower_epochs():
    slow = FoldProgress(0, DONE, (4.0,) * 10, trained=True)
    one = run("a", slow, FoldProgress(1, RUNNING, (2.0,) * 5), FoldProgress(2, WAITING), epochs=10)
    assert Estimates([one]).of_folds(one) == {1: Left(10.0, 10.0), 2: Left(30.0, 30.0)}


def test_the_sum_counts_what_it_leaves_out():
    assert total([Left(10.0, 4.0), Left(6.0, None), Left(None, None)]) == Total(16.0, 1, 4.0, 2, 3)
    assert total([]) == Total(0, 0, 0, 0, 0)
