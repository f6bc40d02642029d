from __future__ import annotations

from pathlib import Path

import pytest

from datasets.folds.cases import Case
from datasets.make_splits.label_cases import (
    CompleteEntries,
    LabelledCases,
    classification_cases,
    complete_entries,
    missing_outcome,
    survival_cases,
)
from datasets.make_splits.label_entries import Entries, slide_entries
from datasets.make_splits.label_table import LabelTable, read_label_table
from datasets.make_splits.outcome_columns import OutcomeColumns
from datasets.make_splits.slide_patients import patient_rule
from datasets.make_splits.vocabulary import is_missing, missing_words
from utils.errors import UserError

GDC = OutcomeColumns("death", "s", True, "days", "last", words_only=True)


def table(tmp_path: Path, *lines: str) -> LabelTable:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_label_table(path)


def entries(found: LabelTable) -> Entries:
    return slide_entries(found.rows(found.header), "slide", "case", patient_rule(None))


def labels(tmp_path: Path, *lines: str, names: tuple[str, ...] = ()) -> CompleteEntries:
    words = missing_words(classes=names)
    found = entries(table(tmp_path, "case,slide,y", *lines)).entries
    return complete_entries(found, lambda row: "y" if is_missing(row.cells["y"], words) else None)


def classes(
    tmp_path: Path, *lines: str, names: tuple[str, ...] | None = None, known: tuple[str, ...] | None = None
) -> LabelledCases:
    return classification_cases(labels(tmp_path, *lines, names=names or ()), "y", names, known)


def survival(
    tmp_path: Path,
    *lines: str,
    columns: OutcomeColumns | None = None,
    one_is_event: bool = True,
    unit: str = "months",
    separator: str = ",",
) -> LabelledCases:
    columns = columns or OutcomeColumns("t", "s", one_is_event, unit)
    header = separator.join(("case", "slide", *dict.fromkeys(columns.columns())))
    found = table(tmp_path, header, *lines)
    complete = complete_entries(entries(found).entries, lambda row: missing_outcome(row, columns, missing_words()))
    return survival_cases(complete, found, columns)


def test_text_labels_are_numbered_in_sorted_order(tmp_path: Path):
    found = classes(tmp_path, "P2,c.svs,ILC", "P1,b.h5,IDC", "P1,a.pt.svs,ILC", "P3,d,", "P4,e,NA")
    assert found.classes == {"IDC": 0, "ILC": 1}
    assert found.cases == (Case("P1", ("a",), label=1), Case("P1", ("b",), label=0), Case("P2", ("c",), label=1))
    assert found.dropped == ("d", "e")
    assert found.missing == {"y": {"": 1, "NA": 1}}


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


def test_missing_words_are_counted_and_never_a_class(tmp_path: Path):
    lines = [*(f"P{i},s{i},[Not Available]" for i in range(3)), "P3,s3,", "P4,s4,A", "P5,s5,B", "P6,s6,'--"]
    found = labels(tmp_path, *lines)
    assert found.note() == ("""5 slides have no label (y: 3 '[Not Available]', 1 empty, 1 "'--"): s0, s1, s2, s3, s6""")
    assert classes(tmp_path, *lines).classes == {"A": 0, "B": 1}
    assert labels(tmp_path, "P4,s4,A", "P5,s5,null").note() == "1 slide has no label (y: 1 'null'): s5"
    assert labels(tmp_path, "P4,s4,A").note() == ""


def test_a_class_may_be_called_none(tmp_path: Path):
    lines = ("P1,a,None", "P2,b,Tumour", "P3,c,NA")
    named = classes(tmp_path, *lines, names=("None", "Tumour"))
    assert (dict(named.classes), named.dropped) == ({"None": 0, "Tumour": 1}, ("c",))
    with pytest.raises(
        UserError, match=r"one class only \('Tumour'\).*2 slides have no label \(y: 1 'None', 1 'NA'.*kept by --classes"
    ):
        classes(tmp_path, *lines)


@pytest.mark.parametrize(
    ("lines", "names", "message"),
    [
        (("P1,a,A", "P2,b,B", "P3,c,C"), ("A", "B"), r"column y of .*t\.csv holds 'C', not among --classes 'A', 'B'"),
        (
            ("P1,a,a", "P2,b,B"),
            ("A", "B"),
            r"holds 'a', not among --classes 'A', 'B' \(did you mean 'A'\?\): correct it",
        ),
        (("P1,a,A", "P2,b,B"), ("A", "B", "C"), r"no row has the class 'C' .*\(found 'A', 'B'\): correct --classes"),
        (("P1,a,A", "P2,b,B"), ("A", "B", "A"), r"--classes names a class twice \('A', 'B', 'A'\)"),
        (("P1,a,A", "P2,b,A"), None, r"holds one class only \('A'\): expected two or more$"),
        (("P1,a,1", "P2,b,0"), ("no", "yes"), r"holds '0', '1', not among --classes 'no', 'yes'"),
        (("P1,a,", "P2,b,nan"), None, r"no row of .*t\.csv has a label \(y: 1 empty, 1 'nan', which mean a missing"),
    ],
)
def test_refused_classes(tmp_path: Path, lines: tuple[str, ...], names: tuple[str, ...] | None, message: str):
    with pytest.raises(UserError, match=message):
        classes(tmp_path, *lines, names=names)


def test_the_classes_of_a_model(tmp_path: Path):
    found = classes(tmp_path, "P1,a,ILC", "P2,b,ILC", known=("MDLC", "ILC", "IDC"))  # one class only, and not the first
    assert found.classes == {"MDLC": 0, "ILC": 1, "IDC": 2}
    assert [case.label for case in found.cases] == [1, 1]
    numbers = classes(tmp_path, "P1,a,1.0", "P2,b,0.0", known=("0", "1"))
    assert [case.label for case in numbers.cases] == [1, 0]
    named = classes(tmp_path, "P1,a,IDC", "P2,b,ILC", names=("ILC", "IDC"), known=("0", "1"))
    assert named.classes == {"ILC": 0, "IDC": 1}
    same = classes(tmp_path, "P1,a,IDC", names=("ILC", "IDC"), known=("IDC", "ILC"))
    assert same.classes == {"IDC": 0, "ILC": 1}  # in the order of the model
    other = classes(tmp_path, "P1,a,lobular", names=("ductal", "lobular"), known=("IDC", "ILC"))
    assert [case.label for case in other.cases] == [1]  # the table's words in the order of the model's classes


@pytest.mark.parametrize(
    ("label", "names", "known", "message"),
    [
        ("MDLC", None, ("IDC", "ILC"), r"column y of .* holds 'MDLC', not among the classes of the model 'IDC', 'ILC'"),
        ("idc", None, ("IDC", "ILC"), r"\(did you mean 'IDC'\?\)"),
        ("2", None, ("0", "1"), "holds '2', not among the classes of the model '0', '1'"),
        (
            "1",
            None,
            ("IDC", "ILC"),
            "holds '1', not among the classes of the model .* in the order of the model's classes$",
        ),
        ("C", ("A", "B"), ("IDC", "ILC"), "holds 'C', not among the classes of the model 'A', 'B': correct it"),
        (
            "A",
            ("A", "B", "C"),
            ("0", "1"),
            r"--classes names 3 classes \('A', 'B', 'C'\): expected the words of the table",
        ),
    ],
)
def test_labels_that_a_model_does_not_know(
    tmp_path: Path, label: str, names: tuple[str, ...] | None, known: tuple[str, ...], message: str
):
    with pytest.raises(UserError, match=message):
        classes(tmp_path, f"P1,a,{label}", names=names, known=known)


def test_survival_cases_are_patients(tmp_path: Path):
    found = survival(
        tmp_path,
        "TCGA-AA-0002-01Z,TCGA-AA-0002-01Z-00-DX2.svs,61.5,0",
        "tcga-aa-0001-01A,TCGA-AA-0001-01Z-00-DX1.svs,12,1.0",
        "TCGA-AA-0002,TCGA-AA-0002-01Z-00-DX1.svs,61.50,0",
        "TCGA-AA-0003,x,,0",
        "TCGA-AA-0004,y,5,",
        "TCGA-AA-0005,z,NA,NA",
    )
    assert found.cases == (
        Case("TCGA-AA-0001", ("TCGA-AA-0001-01Z-00-DX1",), time=12.0, censored=0),
        Case("TCGA-AA-0002", ("TCGA-AA-0002-01Z-00-DX1", "TCGA-AA-0002-01Z-00-DX2"), time=61.5, censored=1),
    )
    assert found.dropped == ("x", "y", "z")
    assert found.missing == {"t": {"": 1}, "s": {"": 1, "NA": 1}}
    assert found.classes == {}


def test_days_and_both_directions_of_the_status(tmp_path: Path):
    days = survival(tmp_path, "P1,a,365.25,1", "P2,b,0,0", unit="days", one_is_event=False)
    assert [(case.time, case.censored) for case in days.cases] == [(12.0, 1), (0.0, 0)]
    months = survival(tmp_path, "P1,a,12,0", "P2,b,0,1")
    assert months.cases == days.cases


@pytest.mark.parametrize("one_is_event", [True, False])
def test_how_the_words_of_a_status_were_read_is_said(tmp_path: Path, one_is_event: bool):
    lines = [f"P{i},s{i},{i + 1},{'1:DECEASED' if i < 2 else 'Alive'}" for i in range(5)]
    found = survival(tmp_path, *lines, one_is_event=one_is_event)
    assert [case.censored for case in found.cases] == [0, 0, 1, 1, 1]
    assert found.notes == ("s: Alive = censored (3 patients), 1:DECEASED = event (2 patients)",)


def test_a_status_counts_patients_not_slides(tmp_path: Path):
    found = survival(tmp_path, "P1,a,1,Dead", "P1,b,1,Dead", "P1,c,1,dead", "P2,d,2,Alive", "P2,e,2,Alive")
    assert found.notes == ("s: Dead = event (1 patient), dead = event (1 patient), Alive = censored (1 patient)",)


def test_decimal_commas_are_said(tmp_path: Path):
    found = survival(tmp_path, "P1;a;12,5;1", "P2;b;3;0", separator=";")
    assert [case.time for case in found.cases] == [12.5, 3.0]
    assert found.notes[1:] == ("12,5 in column t was read as 12.5: a decimal comma",)


def test_the_time_of_the_dead_and_of_the_living(tmp_path: Path):
    lines = ("P1,a,365.25,Dead,'--", "P2,b,'--,Alive,730.5", "P3,c,'--,Dead,9", "P4,d,9,Alive,'--", "P5,e,1,Unknown,2")
    found = survival(tmp_path, *lines, columns=GDC)
    assert [(case.case_id, case.time, case.censored) for case in found.cases] == [("P1", 12.0, 0), ("P2", 24.0, 1)]
    assert found.missing == {"death": {"'--": 1}, "last": {"'--": 1}, "s": {"Unknown": 1}}
    with pytest.raises(
        UserError, match=r"column s of .* holds '1', whose meaning nobody said: name the column with --ev"
    ):
        survival(tmp_path, "P1,a,365.25,1,3", columns=GDC)


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
        (("P1,a,5,2",), r"found '2' in column s, line 2 of .*expected an event \(one of 1, TRUE, yes, dead"),
        (("P1,a,5,0.5",), r"found '0\.5' in column s, line 2"),
        (("P1,a,,1",), r"no row of .* has a label \(t: 1 empty"),
    ],
)
def test_refused_survival_tables(tmp_path: Path, lines: tuple[str, ...], message: str):
    with pytest.raises(UserError, match=message):
        survival(tmp_path, *lines)


def test_days_that_were_taken_for_months_are_asked_about(tmp_path: Path):
    found = survival(tmp_path, "P1,a,1147,1", "P2,b,12,0")
    assert found.warnings == (
        "case P1 was followed for 1147 months (96 years), as the times of column t are in months: is that their unit "
        "(--time_unit)?",
    )
    assert survival(tmp_path, "P1,a,700,1", "P2,b,12,0").warnings == ()
