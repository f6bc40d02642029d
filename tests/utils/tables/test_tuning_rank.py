"""The order of runs, worked out by hand."""

from __future__ import annotations

from typing import Any

from utils.tables.tuning_rank import at_the_edge, near, rank


def row(
    name: str, auc: float | None, *, n_defined: int = 2, missing: tuple[int, ...] = (), lr: Any = 1
) -> dict[str, Any]:
    mean = {"auc": auc, "loss": auc}
    spread = {"mean": mean, "std": {"auc": 0.1}, "n_defined": {"auc": n_defined, "loss": n_defined}}
    return {"run_name": name, "missing_folds": list(missing), "options": {"lr": lr}, **spread}


def test_whole_runs_then_those_that_define_the_metric_in_fewer_folds_then_unfinished_ones():
    rows = [row("m", 1.0, missing=(1,)), row("u", None, n_defined=0), row("p", 0.9, n_defined=1), row("a", 0.5)]
    rows += [row("b", 0.7), row("c", 0.5)]
    assert "".join(each["run_name"] for each in sorted(rows, key=lambda each: rank(each, "auc"))) == "bacpum"
    assert "".join(each["run_name"] for each in sorted(rows, key=lambda each: rank(each, "loss"))) == "acbpum"


def test_near_are_means_over_as_many_folds():
    rows = [row("a", 0.8), row("b", 0.75), row("c", 0.6), row("d", 0.8, n_defined=1), row("e", 0.8, missing=(0,))]
    assert near(rows, "auc") == ["b"]
    assert near([row("a", None, n_defined=0), row("b", None, n_defined=0)], "auc") == []


def test_the_edge_of_three_or_more_numbers():
    rows = [row(name, 0.5, lr=lr) for name, lr in (("a", 3), ("b", 1), ("c", 2))]
    assert at_the_edge(rows, ["lr"]) == {"lr": (3, "largest")}
    assert at_the_edge(rows[1:], ["lr"]) == {}
    assert at_the_edge([row("a", 0.5, lr=value) for value in (True, False, None)], ["lr"]) == {}
