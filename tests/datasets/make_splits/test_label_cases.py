from __future__ import annotations

from pathlib import Path

import pytest

from datasets.folds.cases import Case
from datasets.make_splits.label_cases import LabelledCases, classification_cases, survival_cases
from datasets.make_splits.label_table import LabelTable, read_label_table
from utils.errors import UserError


def table(tmp_path: Path, *lines: str) -> LabelTable:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_label_table(path, lines[0].split(","))


def classes(tmp_path: Path, *lines: str, names: tuple[str, ...] | None = None) -> LabelledCases:
    return classification_cases(table(tmp_path, "case,slide,y", *lines), "case", "slide", "y", names)


def survival(tmp_path: Path, *lines: str, unit: str = "months", column: str = "event") -> LabelledCases:
    found = table(tmp_path, "case,slide,t,s", *lines)
    return survival_cases(found, "case", "slide", "t", time_unit=unit, **{f"{column}_column": "s"})


def test_text_labels_are_numbered_in_sorted_order(tmp_path: Path):
    found = classes(tmp_path, "P2,c.svs,ILC", "P1,b.h5,IDC", "P1,a.pt.svs,ILC", "P3,d,", "P4,e,NA")
    assert found.classes == {"IDC": 0, "ILC": 1}
    assert found.cases == (Case("P1", ("a",), label=1), Case("P1", ("b",), label=0), Case("P2", ("c",), label=1))
    assert found.dropped == ("d", "e")


def test_classes_in_the_order_asked_for(tmp_path: Path):
    found = classes(tmp_path, "P1,a,IDC", "P2,b,ILC", names=("ILC", "IDC"))
    assert dict(found.classes) == {"ILC": 0, "IDC": 1}
    assert [case.label for case in found.cases] == [1, 0]


def test_integers_are_numbered_by_value(tmp_path: Path):
    found = classes(tmp_path, "P1,a,10", "P2,b,2.0", "P3,c,2", "P4,d,3")
    assert found.classes == {"2": 0, "3": 1, "10": 2}
    assert [case.label for case in found.cases] == [2, 0, 0, 1]
    turned = classes(tmp_path, "P1,a,1.0", "P2,b,0.0", names=("1", "0"))
    assert turned.classes == {"1": 0, "0": 1}
    mixed = classes(tmp_path, "P1,a,2.0", "P2,b,2", "P3,c,high")  # text, for one of them is no integer
    assert mixed.classes == {"2": 0, "2.0": 1, "high": 2}


@pytest.mark.parametrize(
    ("lines", "names", "message"),
    [
        (("P1,a,A", "P2,b,B", "P3,c,C"), ("A", "B"), r"column y of .*t\.csv holds C, not among --classes A B"),
        (("P1,a,A", "P2,b,B"), ("A", "B", "C"), r"no row has the class C .*\(found A, B\): correct --classes"),
        (("P1,a,A", "P2,b,B"), ("A", "B", "A"), "--classes A B A names a class twice"),
        (("P1,a,A", "P2,b,A"), None, r"holds one class only \(A\): expected two or more"),
        (("P1,a,1", "P2,b,0"), ("no", "yes"), r"holds 0, 1, not among --classes no yes"),
        (("P1,a,", "P2,b,nan"), None, r"no row of .*t\.csv fills y: expected labels"),
    ],
)
def test_refused_classes(tmp_path: Path, lines: tuple[str, ...], names: tuple[str, ...] | None, message: str):
    with pytest.raises(UserError, match=message):
        classes(tmp_path, *lines, names=names)


def test_survival_cases_are_patients(tmp_path: Path):
    found = survival(
        tmp_path,
        "TCGA-AA-0002-01Z,TCGA-AA-0002-01Z-00-DX2.svs,61.5,0",
        "TCGA-AA-0001-01A,TCGA-AA-0001-01Z-00-DX1.svs,12,1.0",
        "TCGA-AA-0002,TCGA-AA-0002-01Z-00-DX1.svs,61.50,0",
        "TCGA-AA-0003,x,,0",
        "TCGA-AA-0004,y,5,",
    )
    assert found.cases == (
        Case("TCGA-AA-0001", ("TCGA-AA-0001-01Z-00-DX1",), time=12.0, censored=0),
        Case("TCGA-AA-0002", ("TCGA-AA-0002-01Z-00-DX1", "TCGA-AA-0002-01Z-00-DX2"), time=61.5, censored=1),
    )
    assert found.dropped == ("x", "y")
    assert found.classes == {}


def test_days_and_both_directions_of_the_status(tmp_path: Path):
    days = survival(tmp_path, "P1,a,365.25,1", "P2,b,0,0", unit="days", column="censor")
    assert [(case.time, case.censored) for case in days.cases] == [(12.0, 1), (0.0, 0)]
    months = survival(tmp_path, "P1,a,12,0", "P2,b,0,1")
    assert months.cases == days.cases


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ("P1,a,5,1", "P1,b,6,1"),
            r"case P1 has two outcomes in .*slide b, line 3, differs from its slide a in t or s",
        ),
        (("P1,b,5,0", "P1,a,5,1"), r"case P1 has two outcomes in .*slide b, line 2, differs from its slide a"),
        (("P1,a,-2,1",), r"found '-2' in column t, line 2 of .*expected a survival time in months, 0 or more"),
        (("P1,a,5,1", "P2,b,long,1"), r"found 'long' in column t, line 3 of"),
        (("P1,a,5,2",), r"found '2' in column s, line 2 of .*expected 0 \(censored\) or 1 \(death\)"),
        (("P1,a,5,0.5",), r"found '0\.5' in column s, line 2"),
        (("P1,a,,1",), r"no row of .* fills t and s"),
        (("P1,a,5,1", "P1,a.svs,5,1"), r"slide a is in lines 2 and 3 of"),
        (("P1,a,5,1", ",b,5,1"), r"line 3 of .* has no id in column case"),
        (("P1,.svs,5,1",), r"line 2 of .* has no id in column slide"),
        (
            ("1,TCGA-AA-0001-a,5,1", "2,TCGA-AA-0001-b,5,1"),
            r"slide TCGA-AA-0001-b .* is of case 2, and TCGA-AA-0001 is",
        ),
        (("1,2,5,1", "2,3,5,1"), r"slide 3 \(line 3 of .* is of case 2, and 2 is also a name of case 1"),
    ],
)
def test_refused_survival_tables(tmp_path: Path, lines: tuple[str, ...], message: str):
    with pytest.raises(UserError, match=message):
        survival(tmp_path, *lines)


def test_a_repeated_slide_is_refused_even_where_its_label_is_blank(tmp_path: Path):
    with pytest.raises(UserError, match="slide a is in lines 2 and 3"):
        classes(tmp_path, "P1,a,", "P1,a,A", "P2,b,B")


def test_one_status_column(tmp_path: Path):
    found = table(tmp_path, "case,slide,t,s", "P1,a,5,1")
    for columns in ({}, {"event_column": "s", "censor_column": "s"}):
        with pytest.raises(ValueError, match="exactly one of event_column and censor_column"):
            survival_cases(found, "case", "slide", "t", **columns)
