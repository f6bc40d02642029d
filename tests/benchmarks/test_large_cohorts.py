"""Tables, figures, report and paper of runs of very many cases: nothing grows with the cases squared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from benchmarks.large_cohort_runs import KINDS, write_runs
from benchmarks.large_cohorts import commands, large_files, main
from utils.figures.run_figures import write_figures
from utils.paper.tables import write_paper_tables
from utils.report.run_page import write_run_report
from utils.statistics.concordant_pairs import concordant_pairs
from utils.statistics.univariate_cox import univariate_cox
from utils.tables.summary import write_summary

_MOST = 8.0  # times as long with four times the cases: 4 in proportion, 16 with the cases squared


def _seconds(call: Callable[[], object]) -> float:
    """Of the processor; the shorter of two calls."""
    found = []
    for _ in range(2):
        started = process_time()
        call()
        found.append(process_time() - started)
    return min(found)


@pytest.mark.slow
@pytest.mark.parametrize("count", ["pairs", "cox"])
def test_four_times_the_cases_take_less_than_eight_times_as_long(count: str):
    seconds = []
    for n in (25_000, 100_000):
        rng = np.random.default_rng(n)
        x = rng.normal(size=n).round(3)
        time, event = rng.exponential(30 * np.exp(-x)).round(1), rng.random(n) < 0.6
        turn = iter(range(2))
        calls: dict[str, Callable[[], object]] = {
            # Moved a little each time: the counts of the same cases are held.
            "pairs": lambda x=x, t=time, e=event, k=turn: concordant_pairs(e, t, x + next(k), tied_within=1e-8),
            "cox": lambda x=x, t=time, e=event: univariate_cox(e, t, x),
        }
        seconds.append(_seconds(calls[count]))
    assert seconds[1] < _MOST * seconds[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_end_of_a_run_does_not_grow_with_the_cases_squared(tmp_path: Path, kind: str):
    seconds = []
    for n_cases in (1500, 6000):
        run_dir = write_runs(tmp_path / str(n_cases), kind, n_cases)[0]
        started = process_time()
        summary = write_summary(run_dir)
        write_figures(run_dir)
        write_run_report(run_dir, summary)
        seconds.append(process_time() - started)
    assert seconds[1] < _MOST * seconds[0]
    sizes = [(tmp_path / str(n) / "seed1").rglob("report.html") for n in (1500, 6000)]
    small, large = (next(found).stat().st_size for found in sizes)
    assert large < 1.5 * small  # curves are thinned to what a picture shows


def test_made_up_runs_are_read_by_tables_and_paper(tmp_path: Path):
    folders = write_runs(tmp_path, "3 classes", 60)
    assert len(folders) == 4
    summary = write_summary(folders[0])
    assert summary["n_test"] == 60 or summary["folds"][0]["n_test"] == 60
    assert any(row["left_out"] for row in summary["by_patient"]["folds"])  # slides of other classes
    assert (tmp_path / "paper" / "README.md") in write_paper_tables(tmp_path / "plan.csv", tmp_path / "paper")
    assert large_files(tmp_path)
    assert all(Path(arguments[2]).exists() for arguments in commands(tmp_path).values())


def test_the_benchmark_prints_a_row_for_each_command(capsys: pytest.CaptureFixture[str]):
    assert main(["--cases", "40", "--kinds", "survival", "--only", "tables"]) == 0
    assert "| survival | 40           | tables |" in capsys.readouterr().out
