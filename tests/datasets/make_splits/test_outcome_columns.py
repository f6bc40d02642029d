from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets.make_splits.label_table import read_label_table
from datasets.make_splits.outcome_columns import OutcomeColumns, find_outcome_columns
from utils.errors import UserError


def found(tmp_path: Path, header: str, **named: Any) -> OutcomeColumns:
    (tmp_path / "t.csv").write_text(f"{header}\n{','.join('1' for _ in header.split(','))}\n", encoding="utf-8")
    return find_outcome_columns(read_label_table(tmp_path / "t.csv"), **named)


@pytest.mark.parametrize(
    ("header", "time", "status", "one_is_event", "unit"),
    [
        ("survival_months,censorship,g1", "survival_months", "censorship", False, "months"),  # Patch-GCN
        ("OS_STATUS,OS_MONTHS,DFS_STATUS,DFS_MONTHS", "OS_MONTHS", "OS_STATUS", True, "months"),  # cBioPortal
        ("Overall Survival (Months),Overall Survival Status", "Overall Survival (Months)", None, True, "months"),
        ("OS_DAYS,OS_EVENT", "OS_DAYS", "OS_EVENT", True, "days"),
        ("OS_MONTHS,OS_DAYS,OS_STATUS", "OS_MONTHS", "OS_STATUS", True, "months"),
        ("time_days,event", "time_days", "event", True, "days"),
        ("survival_days,censored", "survival_days", "censored", False, "days"),
        (
            "OS_MONTHS,OS_STATUS,vital_status,days_to_death,days_to_last_followup",
            "OS_MONTHS",
            "OS_STATUS",
            True,
            "months",
        ),
    ],
)
def test_names_that_leave_no_doubt(
    tmp_path: Path, header: str, time: str, status: str | None, one_is_event: bool, unit: str
):
    columns = found(tmp_path, header)
    assert (columns.time, columns.status) == (time, status or "Overall Survival Status")
    assert (columns.one_is_event, columns.unit, columns.words_only, columns.last_seen) == (
        one_is_event,
        unit,
        False,
        None,
    )
    meaning = "1 = event" if one_is_event else "1 = censored"
    assert columns.notes[0] == f"t.csv: the survival time is in {time}, the status in {columns.status} ({meaning})"
    assert columns.notes[1] == f"times are in {unit}, as the name of column {time} says"
    days = "times in days were divided by 30.4375 (365.25 / 12) to give months"
    assert columns.notes[2:] == ((days,) if unit == "days" else ())


@pytest.mark.parametrize(
    "header",
    [
        "case_submitter_id,vital_status,days_to_death,days_to_last_follow_up",
        "demographic.vital_status,demographic.days_to_death,diagnoses.days_to_last_follow_up",
        "vital_status,last_contact_days_to,death_days_to",
    ],
)
def test_the_two_times_of_the_gdc(tmp_path: Path, header: str):
    columns = found(tmp_path, header)
    assert "death" in columns.time
    assert "last" in (columns.last_seen or "")
    assert (columns.words_only, columns.unit) == (True, "days")
    assert columns.columns() == (columns.time, columns.status, columns.last_seen)
    said = (
        f"in {columns.time} (the dead) and {columns.last_seen} (the living), the status in {columns.status} (words of"
    )
    assert said in columns.notes[0]
    assert found(tmp_path, header, event_column=columns.status).words_only is False


def test_what_a_user_names(tmp_path: Path):
    header = "t,dead,alive,survival_months,PFS_MONTHS,PFS_STATUS,OS_STATUS"
    assert found(tmp_path, header, time_column="t", event_column="dead", time_unit="months") == OutcomeColumns(
        "t", "dead", True, "months"
    )
    assert found(tmp_path, header, censor_column="alive", time_column="t", time_unit="days").one_is_event is False
    # The time of an own status is the usual one; that of another endpoint has the same stem.
    assert found(tmp_path, header, event_column="dead").time == "survival_months"
    pfs = found(tmp_path, header, time_column="PFS_MONTHS")
    assert (pfs.time, pfs.status, pfs.notes[0]) == (
        *("PFS_MONTHS", "PFS_STATUS"),
        "t.csv: the survival time is in PFS_MONTHS, the status in PFS_STATUS (1 = event)",
    )
    assert found(tmp_path, header, event_column="PFS_STATUS").time == "PFS_MONTHS"


def test_a_unit_that_the_name_contradicts_is_said(tmp_path: Path):
    columns = found(tmp_path, "survival_months,censorship", time_unit="days")
    assert columns.unit == "days"
    assert "--time_unit days was taken for column survival_months, whose name speaks of months" in columns.notes


@pytest.mark.parametrize(
    ("header", "named", "message"),
    [
        (
            "a,b",
            {},
            r"no column of .* is known as the survival time and status \(found a, b\): name them with --time_co",
        ),
        ("time_days,b", {}, "known as the survival time and status"),
        ("PFS_MONTHS,OS_STATUS", {"time_column": "PFS_MONTHS"}, "known as the survival status"),
        ("a,dead", {"event_column": "dead"}, "known as the survival time "),
        ("PFS_MONTHS,PFS_STATUS", {}, "known as the survival time and status"),
        (
            "OS_MONTHS,OS_STATUS,survival_months,censorship",
            {},
            r"several outcomes \(survival_months with censorship; OS_MONTHS with OS_STATUS\): choose with --time_",
        ),
        ("survival_months,censorship,event", {}, "several outcomes"),
        (
            "time,event",
            {},
            "--time_unit is not given, and the name of column time of .* does not say it: expected days",
        ),
        ("a,b", {"time_column": "t"}, r"lacks the column t \(found a, b\)"),
        ("a,b", {"time_column": "a", "event_column": "s"}, "lacks the column s "),
    ],
)
def test_doubt_is_an_error(tmp_path: Path, header: str, named: dict[str, str], message: str):
    with pytest.raises(UserError, match=message):
        found(tmp_path, header, **named)
