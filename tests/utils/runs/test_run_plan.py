from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.utils.run_folders import HEADER
from utils.errors import UserError
from utils.runs.run_plan import PlannedRun, check_record, read_plan


def _write(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "plan.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_the_lines_become_runs_in_their_order(tmp_path: Path):
    path = _write(
        tmp_path,
        "surv,BLCA,mico,released,,64,2024,../results/a",
        "",
        f"cls, NSCLC ,mico,paper,route,32,0,{tmp_path / 'elsewhere'}",
        "surv,BLCA,abmil,none,,64,2024,b",
    )
    assert read_plan(path) == [
        PlannedRun("surv", "BLCA", "mico", "released", "", 64, 2024, "../results/a", tmp_path / "../results/a", 2),
        PlannedRun("cls", "NSCLC", "mico", "paper", "route", 32, 0, f"{tmp_path}/elsewhere", tmp_path / "elsewhere", 4),
        PlannedRun("surv", "BLCA", "abmil", "none", "", 64, 2024, "b", tmp_path / "b", 5),
    ]


def test_further_columns_and_another_order_of_columns(tmp_path: Path):
    path = _write(
        tmp_path,
        "a,first,7,64,,none,dsmil,BLCA,surv",
        header="run_dir,remark,seed,n_clusters,ablate,formulation,model,dataset,task",
    )
    assert read_plan(path) == [PlannedRun("surv", "BLCA", "dsmil", "none", "", 64, 7, "a", tmp_path / "a", 2)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("survival,BLCA,mico,released,,64,1,a", "line 2: task is survival, expected cls or surv"),
        ("surv,,mico,released,,64,1,a", "line 2: dataset is empty"),
        ("surv,BLCA,,none,,64,1,a", "line 2: model is empty"),
        ("surv,BLCA,mico,released,,64,1,", "line 2: run_dir is empty"),
        ("surv,BLCA,mico,none,,64,1,a", "formulation is none, expected released or paper for model mico"),
        ("surv,BLCA,abmil,released,,64,1,a", "formulation is released, expected none for model abmil"),
        ("surv,BLCA,mico,released,head,64,1,a", "ablate is head, expected nothing or anchors or reducer or route"),
        ("surv,BLCA,abmil,none,route,64,1,a", "ablate is route, expected nothing for model abmil"),
        ("surv,BLCA,mico,released,,0,1,a", "n_clusters is 0, expected an integer, 1 or more"),
        ("surv,BLCA,mico,released,,64,-1,a", "seed is -1, expected an integer, 0 or more"),
        (f"surv,BLCA,mico,released,,64,{'1' * 5000},a", f"seed is {'1' * 30}…"),
        ("surv,BLCA,mico,released,,64,1,a\0b", "line 2: run_dir holds characters that no name has"),
        ("surv,BLCA,mico,released,,64,,a", "seed is nothing, expected an integer, 0 or more"),
        ("surv,BLCA,mico,released,,64,1", "line 2 holds 7 cells, expected 8 as in the header"),
    ],
)
def test_impossible_lines_are_refused(tmp_path: Path, line: str, message: str):
    with pytest.raises(UserError) as caught:
        read_plan(_write(tmp_path, line))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "plan.csv"))


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("surv,BLCA,mico,released,,64,1,a", "surv,BLCA,mico,released,,64,1,b", "line 3: names the same run as line 2"),
        # The number of anchors makes no other run of a model without anchors.
        ("surv,BLCA,abmil,none,,64,1,a", "surv,BLCA,abmil,none,,32,1,b", "line 3: names the same run as line 2"),
        (
            "surv,BLCA,mico,released,,64,1,a",
            "surv,BLCA,mico,released,,32,1,./a",
            "names the same folder, ./a, as line 2",
        ),
    ],
)
def test_nothing_is_planned_twice(tmp_path: Path, first: str, second: str, message: str):
    with pytest.raises(UserError, match=message):
        read_plan(_write(tmp_path, first, second))


def test_files_that_are_no_plan(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.csv: cannot be read"):
        read_plan(tmp_path / "none.csv")
    with pytest.raises(UserError, match="names no run"):
        read_plan(_write(tmp_path))
    with pytest.raises(UserError, match=r"column ablate is missing \(found task, dataset"):
        read_plan(_write(tmp_path, header=HEADER.replace(",ablate", "")))
    with pytest.raises(UserError, match="two columns have the same name"):
        read_plan(_write(tmp_path, header=HEADER + ",seed"))
    (tmp_path / "plan.csv").write_bytes(b"")
    with pytest.raises(UserError, match=r"column task is missing \(found nothing\)"):
        read_plan(tmp_path / "plan.csv")
    (tmp_path / "plan.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="is no CSV text"):
        read_plan(tmp_path / "plan.csv")


def _record(**changes: Any) -> dict[str, Any]:
    settings = {"n_clusters": 64, "ablate": ["route"]}
    record = {"task": "surv", "dataset": "BLCA", "model": "mico", "formulation": "released", "seed": 7}
    return record | {"settings": settings} | changes


RUN = PlannedRun("surv", "BLCA", "mico", "released", "route", 64, 7, "a", Path("a"), 3)


def test_a_record_of_the_planned_run_is_accepted():
    check_record(Path("plan.csv"), RUN, _record())
    whole = PlannedRun("surv", "BLCA", "mico", "released", "", 64, 7, "a", Path("a"), 3)
    for ablate in ({"ablate": None}, {"ablate": []}, {}):
        check_record(Path("plan.csv"), whole, _record(settings={"n_clusters": 64} | ablate))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "cls"}, "task is cls, expected surv"),
        ({"dataset": "LUAD"}, "dataset is LUAD, expected BLCA"),
        ({"model": "abmil"}, "model is abmil, expected mico"),
        ({"formulation": "paper"}, "formulation is paper, expected released"),
        ({"seed": 8}, "seed is 8, expected 7"),
        ({"settings": {"n_clusters": 32, "ablate": ["route"]}}, "n_clusters is 32, expected 64"),
        ({"settings": {"ablate": ["route"]}}, "n_clusters is nothing, expected 64"),
        ({"settings": {"n_clusters": 64, "ablate": None}}, "ablate is nothing, expected route"),
        (
            {"settings": {"n_clusters": 64, "ablate": ["anchors", "route"]}},
            "ablate is anchors and route, expected route",
        ),
    ],
)
def test_a_record_of_another_run_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(UserError) as caught:
        check_record(Path("plan.csv"), RUN, _record(**changes))
    assert str(caught.value).startswith(f"{Path('a') / 'run.json'}: {message} as in plan.csv, line 3; ")
