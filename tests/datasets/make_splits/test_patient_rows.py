"""Tables of patients joined with slides, in any letter case."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.make_splits.label_entries import Entries
from datasets.make_splits.label_table import read_label_table
from datasets.make_splits.patient_rows import patient_entries
from datasets.make_splits.vocabulary import is_missing
from utils.errors import UserError


def patients(tmp_path: Path, *lines: str, slides_of: dict[str, list[str]]) -> Entries:
    (tmp_path / "t.csv").write_text("\n".join(["case,t,s", *lines]) + "\n", encoding="utf-8")
    found = read_label_table(tmp_path / "t.csv")
    return patient_entries(
        found,
        found.rows(("case", "t", "s")),
        "case",
        slides_of,
        lambda row: not (is_missing(row.cells["t"]) or is_missing(row.cells["s"])),
    )


def names(entries: Entries) -> list[tuple[str, str]]:
    return [(entry.patient, entry.slide_id) for entry in entries.entries]


def test_patients_joined_with_slides(tmp_path: Path):
    of = {"TCGA-AA-0001": ["TCGA-AA-0001-DX1", "tcga-aa-0001-dx2"], "p3": ["p3"], "q": ["q1", "q2"]}
    found = patients(tmp_path, "tcga-aa-0001,5,1", "P3,6,0", "P4,7,0", "P5,,", slides_of=of)
    assert names(found) == [("TCGA-AA-0001", "TCGA-AA-0001-DX1"), ("TCGA-AA-0001", "tcga-aa-0001-dx2"), ("p3", "p3")]
    assert [entry.row.line for entry in found.entries] == [2, 2, 3]
    assert found.notes == (
        "2 patients of t.csv joined with 3 slides",
        "1 patient is written in several ways, such as P3 and p3: letter case is ignored",
    )
    assert found.warnings == (
        "2 patients of t.csv without a slide: P4, P5",
        "2 slides without a patient in t.csv: q1, q2",
    )


def test_a_patient_in_several_rows(tmp_path: Path):
    found = patients(tmp_path, "P1,'--,1", "P1,5,1", "P1,5,1", "P1,,", slides_of={"P1": ["a"]})
    assert [(entry.slide_id, entry.row.cells["t"]) for entry in found.entries] == [("a", "5")]
    with pytest.raises(UserError, match=r"case P1 is in lines 2 and 3 of .*, which differ in t: expected one outcome"):
        patients(tmp_path, "P1,5,1", "P1,6,1", slides_of={"P1": ["a"]})


def test_nothing_to_join(tmp_path: Path):
    message = (
        r"none of the 2 patients of .*t\.csv \(P1, P2\) has a slide among s1, s2: expected barcodes or ids that agree; "
        ".*--case_column.*--patient_pattern.*--slides"
    )
    with pytest.raises(UserError, match=message):
        patients(tmp_path, "P1,5,1", "P2,5,1", slides_of={"s1": ["s1"], "s2": ["s2"]})


def test_two_spellings_in_the_table_are_one_patient(tmp_path: Path):
    """Each slide has one entry, whichever rows of its patient there are."""
    message = r"case P0 \(also written p0\) is in lines 2 and 4 of .*t\.csv, which differ in t: expected one outcome"
    with pytest.raises(UserError, match=message):
        patients(tmp_path, "P0,0,1", "P1,5,1", "p0,1,1", slides_of={"P0": ["P0_a"], "P1": ["P1_a"]})
    found = patients(tmp_path, "p0,,1", "P0,5,1", "P0,5,1", slides_of={"P0": ["P0_a"]})
    assert names(found) == [("P0", "P0_a")]
    assert found.entries[0].row.line == 3
    assert found.notes == (
        "1 patient of t.csv joined with 1 slide",
        "1 patient is written in several ways, such as p0 and P0: letter case is ignored",
    )


def test_two_spellings_of_the_slides_are_one_patient(tmp_path: Path):
    found = patients(tmp_path, "p0,5,1", slides_of={"P0": ["P0_a"], "p0": ["p0_b", "p0_c"], "q": ["q1"]})
    assert names(found) == [("P0", "P0_a"), ("P0", "p0_b"), ("P0", "p0_c")]
    assert found.notes[0] == "1 patient of t.csv joined with 3 slides"
    assert found.warnings == ("1 slide without a patient in t.csv: q1",)
