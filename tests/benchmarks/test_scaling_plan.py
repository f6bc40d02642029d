"""The plan for large cohorts by hand, and the table of docs/scaling.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.scaling_plan import Costs, get_args_parser, main, plan

PAGE = Path(__file__).parents[2] / "docs/scaling.md"


def test_hours_by_hand():
    costs = Costs(look=8, rows=16, kmeans=900, train=2, predict=1, tables=0.36)
    got = plan(1000, 3, gpus=[1, 3, 8, 100], n_runs=2, costs=costs, n_cores=4)
    assert got.look == pytest.approx(1000 * 8 / 4 / 3600)
    assert got.anchors == pytest.approx((1000 * 16 / 4 + 4 * 900) / 3600)
    fold = 3 * (560 * 2 + 190) + 440  # three epochs, then validation and test cases
    assert got.fold == pytest.approx(fold / 3600)
    before = 2000 + 4000 + 3600 + 2 * 1000 * 0.36
    # 8 pieces: one after the other, three at a time in three rounds, all at once; more GPUs than pieces bring nothing
    hours = {n: (before + rounds * fold) / 3600 for n, rounds in ((1, 8), (3, 3), (8, 1), (100, 1))}
    assert got.table == pytest.approx(hours)


def test_storage_and_memory():
    got = plan(100_000, 1, gpus=[1], n_runs=1, costs=Costs())
    assert (got.disk, got.memory) == (100_000 * 10_000 * 768 * 2, 1e9)
    assert got.reading == pytest.approx(15.36e6 / 0.026)


def test_the_page_has_the_table(capsys):
    main(get_args_parser().parse_args([]))
    assert capsys.readouterr().out in PAGE.read_text(encoding="utf-8")


def test_as_many_epochs_as_sizes_are_needed():
    with pytest.raises(SystemExit, match="got 1 --slides and 3 --epochs"):
        main(get_args_parser().parse_args(["--slides", "5"]))
