from __future__ import annotations

from pathlib import Path

import pytest

from datasets.make_splits.id_columns import IdColumns, find_id_columns
from datasets.make_splits.label_table import LabelTable, read_label_table
from utils.errors import UserError

UUID = "0a1b2c3d-0000-4000-8000-0123456789ab"


def table(tmp_path: Path, *lines: str) -> LabelTable:
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    return read_label_table(tmp_path / "t.csv")


def test_the_usual_names_need_no_word(tmp_path: Path):
    assert find_id_columns(table(tmp_path, "case_id,slide_id,slide", "P,s,x")) == IdColumns("slide_id", "case_id", ())


@pytest.mark.parametrize(
    ("header", "slide", "case"),
    [
        ("PATIENT_ID,OS_STATUS", None, "PATIENT_ID"),  # cBioPortal
        ("Study ID,Patient ID,Sample ID", None, "Patient ID"),  # its web page
        ("PATIENT,FILENAME", "FILENAME", "PATIENT"),  # STAMP
        ("patient,slide,label", "slide", "patient"),  # slideflow
        ("bcr_patient_barcode,vital_status", None, "bcr_patient_barcode"),  # TCGA
        ("cases.submitter_id,demographic.vital_status", None, "cases.submitter_id"),  # GDC
        ("SlideID,CaseID", "SlideID", "CaseID"),
        ("label,x", None, None),
    ],
)
def test_other_names_are_found_and_said(tmp_path: Path, header: str, slide: str | None, case: str | None):
    found = find_id_columns(table(tmp_path, header, ",".join("P1" for _ in header.split(","))))
    assert (found.slide, found.case) == (slide, case)
    said = [f"the {what} is in column {name} of t.csv" for what, name in (("slide", slide), ("patient", case)) if name]
    assert list(found.notes) == said


def test_columns_of_uuids_and_of_parts_of_a_barcode_are_passed_over(tmp_path: Path):
    gdc = table(tmp_path, "case_id,case_submitter_id", f"{UUID},TCGA-2F-A9KO")
    assert find_id_columns(gdc).case == "case_submitter_id"
    assert find_id_columns(table(tmp_path, "case_id", UUID)).case == "case_id"
    tcga = table(tmp_path, "bcr_patient_barcode,patient_id", "TCGA-2F-A9KO,A9KO", "TCGA-2F-A9KP,A9KP")
    assert find_id_columns(tcga).case == "bcr_patient_barcode"
    same = table(tmp_path, "submitter_id,patient", "TCGA-2F-A9KO,tcga-2f-a9ko-01", "TCGA-2F-A9KP,TCGA-2F-A9KP")
    assert find_id_columns(same).case == "submitter_id"


def test_samples_are_patients_where_they_are_barcodes(tmp_path: Path):
    found = find_id_columns(table(tmp_path, "Sample ID,x", "TCGA-2F-A9KO-01,1", "NA,2"))
    assert found.case == "Sample ID"
    assert found.notes == ("the patients are those of the barcodes in column Sample ID of t.csv",)
    assert find_id_columns(table(tmp_path, "Sample ID,x", "TCGA-2F-A9KO-01,1", "S2,2")).case is None


def test_doubt_is_an_error(tmp_path: Path):
    doubtful = table(tmp_path, "patient,subject,image,wsi", "1,2,3,4")
    with pytest.raises(UserError, match=r"the slide may be in the columns image, wsi of .*: name one with --slide_col"):
        find_id_columns(doubtful)
    with pytest.raises(UserError, match=r"the patient may be in the columns patient, subject of .*--case_column"):
        find_id_columns(doubtful, slide_column="wsi")
    assert find_id_columns(doubtful, "wsi", "subject") == IdColumns("wsi", "subject", ())
    with pytest.raises(UserError, match="lacks the column x"):
        find_id_columns(doubtful, "x")
