from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.paper.test_text import latex_rows
from tests.utils.run_folders import (
    C_1,
    C_2_3,
    MIXED,
    RIGHT,
    Plan,
    cells,
    classification_folds,
    survival_folds,
)
from utils.errors import UserError
from utils.paper.__main__ import main, read_notes
from utils.paper.tables import write_paper_tables

TABLES = (
    "table1_survival",
    "table2_subtyping",
    "table3_ablations",
    "survival_metrics",
    "anchor_sweep",
    "comparisons",
)
FIGURES = ("anchor_sweep.png", "anchor_sweep.svg")
OF_TABLES = [f"{name}.{ending}" for name in TABLES for ending in ("csv", "md", "tex")]
FILES = sorted([*OF_TABLES, "table1_logrank.csv", "README.md", *FIGURES])


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    plan = Plan(tmp_path / "runs")
    for dataset in ("A_1", "B"):
        plan.add("surv", dataset, survival_folds(C_1, C_2_3))
        plan.add("surv", dataset, survival_folds(C_2_3, C_2_3), model="abmil")
        plan.add("surv", dataset, None, ablate="route")
        plan.add("surv", dataset, survival_folds(C_1), k=32)
    plan.add("cls", "X", classification_folds(RIGHT))
    plan.add("cls", "X", classification_folds(MIXED), model="clam_sb")
    return plan


def test_all_files_well_formed_and_equal_each_time(plan: Plan, tmp_path: Path):
    output_dir = tmp_path / "tables"
    paths = write_paper_tables(plan.path, output_dir)
    assert sorted(path.name for path in paths) == FILES
    assert sorted(path.name for path in output_dir.iterdir()) == FILES
    first = {path.name: path.read_bytes() for path in paths}
    for name in TABLES:
        tables = [cells(first[f"{name}.md"].decode(), table=index) for index in range(1 + (name == "table1_survival"))]
        for rows in tables:
            assert len(rows) > 1
            assert len({len(row) for row in rows}) == 1
        tex = first[f"{name}.tex"].decode()
        assert [len(row) for row in latex_rows(tex)] == [len(row) for rows in tables for row in rows]
        assert tex.count("{") == tex.count("}")
    again = write_paper_tables(plan.path, output_dir)
    assert {path.name: path.read_bytes() for path in again} == first


def test_the_command(plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "notes.txt").write_text("other features\n\n  fewer epochs \n", encoding="utf-8")
    output_dir = tmp_path / "tables"
    arguments = [str(plan.path), "--output_dir", str(output_dir)]
    assert main([*arguments, "--notes", str(tmp_path / "notes.txt")]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert sorted(Path(line).name for line in listed) == FILES
    readme = (output_dir / "README.md").read_text(encoding="utf-8")
    assert "\n- other features\n- fewer epochs\n" in readme


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--notes", "none.txt"], "none.txt: cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(
    plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
):
    output_dir = tmp_path / "tables"
    assert main([str(plan.path), "--output_dir", str(output_dir), *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"python -m utils.paper: error: {message}")
    assert error.count("\n") == 1
    assert not output_dir.exists()


def test_a_damaged_run_leaves_the_old_tables(plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    output_dir = tmp_path / "tables"
    write_paper_tables(plan.path, output_dir)
    before = {path.name: path.read_bytes() for path in output_dir.iterdir()}
    predictions = tmp_path / "runs" / "surv_B_abmil_none_64_1" / "fold1" / "predictions_test.csv"
    predictions.write_text("case_id\n")
    assert main([str(plan.path), "--output_dir", str(output_dir)]) == 2
    assert str(predictions) in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in output_dir.iterdir()} == before
    with pytest.raises(UserError, match="cannot be read"):
        write_paper_tables(tmp_path / "none.csv", output_dir)


def test_a_place_that_cannot_be_written(plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "tables").touch()
    assert main([str(plan.path), "--output_dir", str(tmp_path / "tables")]) == 2
    place = tmp_path / "tables" / "table1_survival.csv"
    assert capsys.readouterr().err.startswith(f"python -m utils.paper: error: {place} cannot be written")


def test_a_missing_option_is_one_sentence(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(["plan.csv"])
    error = capsys.readouterr().err
    assert "--output_dir" in error
    assert error.count("\n") == 1


def test_notes(tmp_path: Path):
    assert read_notes(None) == []
    (tmp_path / "notes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"notes\.txt: cannot be read"):
        read_notes(tmp_path / "notes.txt")
