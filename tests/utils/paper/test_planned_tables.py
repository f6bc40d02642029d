from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.run_folders import C_1, RIGHT, Plan, classification_folds, survival_folds
from utils.paper.planned_results import load_results
from utils.paper.planned_tables import TABLES, files_of, planned_tables
from utils.paper.tables import write_paper_tables


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([{}], ["table1_survival", "survival_metrics"]),
        ([{"task": "cls"}], ["table2_subtyping"]),
        ([{}, {"ablate": "route"}], ["table1_survival", "table3_ablations", "survival_metrics", "comparisons"]),
        ([{}, {"k": 32}], ["table1_survival", "survival_metrics", "anchor_sweep"]),
        ([{}, {"model": "abmil"}], ["table1_survival", "survival_metrics", "comparisons"]),
        ([{"model": "abmil"}, {"model": "dsmil", "k": 32}], ["table1_survival", "survival_metrics"]),
    ],
)
def test_a_plan_has_the_tables_that_it_calls_for(tmp_path: Path, lines: list[dict], expected: list[str]):
    plan = Plan(tmp_path)
    for line in lines:
        plan.add(line.get("task", "surv"), "A", None, **{name: value for name, value in line.items() if name != "task"})
    assert planned_tables(load_results(plan.path)) == expected


def test_no_other_table_is_written_and_those_of_an_earlier_plan_go(tmp_path: Path):
    """A classification cohort has no empty table of survival, and one number of anchors is no sweep."""
    whole = Plan(tmp_path / "whole")
    whole.add("surv", "A", survival_folds(C_1))
    whole.add("surv", "A", survival_folds(C_1), k=32)
    whole.add("surv", "A", survival_folds(C_1), ablate="route")
    whole.add("cls", "X", classification_folds(RIGHT))
    output_dir = tmp_path / "tables"
    write_paper_tables(whole.path, output_dir)
    assert {path.name for path in output_dir.iterdir()} == {
        "README.md",
        *(f for name in TABLES for f in files_of(name)),
    }
    (output_dir / "notes.txt").write_text("of the user")
    few = Plan(tmp_path / "few")
    few.add("cls", "X", classification_folds(RIGHT))
    write_paper_tables(few.path, output_dir)
    expected = {"README.md", "notes.txt", *files_of("table2_subtyping")}
    assert {path.name for path in output_dir.iterdir()} == expected
