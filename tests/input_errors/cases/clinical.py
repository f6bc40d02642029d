"""Mistakes in clinical tables, and in what is asked of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.input_errors.case import cases_of
from tests.input_errors.cohort import COHORT, PREDICT, RUN, SLIDES, set_cell, set_column, write_rows
from tests.input_errors.commands import call

KIND = "Clinical tables"
case = cases_of(KIND)
TABLE = Path("clinical.csv")
ASK = f"python -m utils.report {RUN} --clinical {TABLE} --covariates age"


def _table(**columns: list[Any]) -> None:
    """A row for each slide, with an age and a stage unless they are given."""
    n = len(SLIDES)
    values = {"case_id": SLIDES, "age": list(range(50, 50 + n)), "stage": ["I", "II"] * (n // 2)} | columns
    write_rows(TABLE, [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)])


@case("A clinical table that is not there")
def no_table() -> str:
    return ASK


@case("A covariate that is no column")
def no_column() -> str:
    _table()
    return f"{ASK} Stage"


@case("Clinical columns without a table")
def no_clinical() -> str:
    return f"python -m utils.report {RUN} --covariates age"


@case("A clinical table of which nothing is asked")
def nothing_asked() -> str:
    _table()
    return f"python -m utils.report {RUN} --clinical {TABLE}"


@case("A column of groups that is no covariate")
def categorical_alone() -> str:
    _table()
    return f"{ASK} --categorical stage"


@case("A covariate twice")
def covariate_twice() -> str:
    _table()
    return f"{ASK} age"


@case("A clinical table of other patients")
def other_patients() -> str:
    _table(case_id=[name.replace("s", "t") for name in SLIDES])
    return ASK


@case("A clinical table without a column of patients")
def no_patients() -> str:
    _table()
    TABLE.write_text(TABLE.read_text().replace("case_id", "who"))
    return ASK


@case("A covariate without any value")
def all_missing() -> str:
    _table()
    set_column(TABLE, "age", lambda _: "NA")
    return ASK


@case("A covariate that is the same for all")
def constant() -> str:
    _table(stage=["II"] * len(SLIDES))
    return f"{ASK} stage"


@case("A text among the numbers of a covariate")
def text_among_numbers() -> str:
    _table()
    set_cell(TABLE, "age", ">89", row=len(SLIDES) - 1)
    return ASK


@case("A number of a covariate that is not finite")
def infinite() -> str:
    _table()
    set_cell(TABLE, "age", "inf", row=len(SLIDES) - 1)
    return ASK


@case("A covariate of groups that are all too small")
def small_groups() -> str:
    _table(stage=[f"group {index // 2}" for index in range(len(SLIDES))])
    return f"{ASK} stage"


@case("Two values of one patient")
def two_values() -> str:
    _table()
    with TABLE.open("a") as file:
        file.write(f"{SLIDES[0]},99,I\n")
    return ASK


@case("Two covariates that no case has both of")
def never_together() -> str:
    n = len(SLIDES)
    _table(age=[50 + i if i < n // 2 else "" for i in range(n)], stage=["" if i < n // 2 else i for i in range(n)])
    return f"{ASK} stage"


@case("A clinical table for a predicted cohort")
def of_a_cohort() -> str:
    _table()
    ended = call(f"{PREDICT} --allow_patient_overlap")
    assert ended.status == 0, ended.err
    return ASK.replace(str(RUN), str(COHORT))


@case("A clinical table for a run without predictions")
def not_predicted() -> str:
    _table()
    for path in RUN.glob("fold*/predictions_test.csv"):
        path.unlink()
    return ASK
