from __future__ import annotations

from pathlib import Path

import pytest

from datasets.make_splits.label_entries import Entries, plain_id, slide_entries
from datasets.make_splits.label_table import LabelTable, read_label_table
from datasets.make_splits.slide_patients import patient_rule
from utils.errors import UserError


def table(tmp_path: Path, *lines: str) -> LabelTable:
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_label_table(tmp_path / "t.csv")


def slides(tmp_path: Path, *lines: str, header: str = "case,slide", pattern: str | None = None) -> Entries:
    found = table(tmp_path, header, *lines)
    case_column = "case" if "case" in found.header else None
    return slide_entries(found.rows(found.header), "slide", case_column, patient_rule(pattern))


def names(entries: Entries) -> list[tuple[str, str]]:
    return [(entry.patient, entry.slide_id) for entry in entries.entries]


@pytest.mark.parametrize(
    "ending", [".svs", ".SVS", ".ndpi", ".mrxs", ".scn", ".tif", ".TIFF", ".bif", ".vms", ".dcm", ".czi", ".pt", ".h5"]
)
def test_endings_are_removed(tmp_path: Path, ending: str):
    assert names(slides(tmp_path, f"P1,a.b{ending}", f"P2,folder/c{ending}.pt")) == [("P1", "a.b"), ("P2", "c")]


def test_patients_of_slides(tmp_path: Path):
    assert names(slides(tmp_path, "tcga-aa-0001-01a,TCGA-AA-0001-01Z-00-DX1.svs", "P2,b")) == [
        ("TCGA-AA-0001", "TCGA-AA-0001-01Z-00-DX1"),
        ("P2", "b"),
    ]
    assert names(slides(tmp_path, "C3L-00001-21,1", "x,2", header="slide,n")) == [
        ("C3L-00001", "C3L-00001-21"),
        ("x", "x"),
    ]
    assert names(slides(tmp_path, "P1_a,1", "P1_b,2", header="slide,n", pattern="(P.)_")) == [
        ("P1", "P1_a"),
        ("P1", "P1_b"),
    ]


def test_what_excel_makes_of_ids(tmp_path: Path):
    found = slides(tmp_path, "12.0,2024-05-03", "13.0,1.5")
    assert names(found) == [("12", "2024-05-03"), ("13", "1.5")]
    assert found.notes == (
        "1 id in column slide is a date, 2024-05-03: Excel makes them of ids such as 3-5",
        "numbers such as 12.0 in column case were read as ids without decimals",
    )
    with pytest.raises(UserError, match=r"found '1\.23457E\+11' in column case, line 2 of .*an id with all its digits"):
        slides(tmp_path, "1.23457E+11,a")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("P1,a", "P1,a.svs"), r"slide a is in lines 2 and 3 of .*: expected each slide once; remove one"),
        (("P1,a", ",b"), r"line 3 of .* has no id in column case: fill it in, or remove it"),
        (("P1,a", "[Not Available],b"), "line 3 of .* has no id in column case"),
        (("P1,.svs",), r"line 2 of .* has no id in column slide"),
        (("P1,a;b",), r"found 'a;b' in column slide, line 2 of .*: expected a slide id .*, but it holds ';'"),
        (("1,TCGA-AA-0001-a", "2,TCGA-AA-0001-b"), r"slide TCGA-AA-0001-b .* is of case 2, and TCGA-AA-0001 is"),
        (("1,2", "2,3"), r"slide 3 \(line 3 of .* is of case 2, and 2 is also a name of case 1"),
    ],
)
def test_refused_tables_of_slides(tmp_path: Path, lines: tuple[str, ...], message: str):
    with pytest.raises(UserError, match=message):
        slides(tmp_path, *lines)


def test_plain_id(tmp_path: Path):
    row = table(tmp_path, "a,b", "007.svs,x").rows("ab")[0]
    assert plain_id(row, "a") == "007"


def test_a_patient_in_two_letter_cases_is_one(tmp_path: Path):
    found = slides(tmp_path, "P0,a", "p0,b", "P1,c")
    assert names(found) == [("P0", "a"), ("P0", "b"), ("P1", "c")]
    assert found.notes == ("1 patient is written in several ways, such as P0 and p0: letter case is ignored",)
