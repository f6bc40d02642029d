from __future__ import annotations

from pathlib import Path

import pytest

from utils.clinical.clinical_table import ClinicalValues, read_clinical_values
from utils.clinical.settings import ClinicalSettings
from utils.errors import UserError

CASES = ["TCGA-2F-A9KO", "TCGA-2F-A9KP", "TCGA-XF-A9KQ"]
SLIDES = {f"{case}-01Z-00-DX1": case for case in CASES}


def _read(
    tmp_path: Path, text: str, *, columns: tuple[str, ...] = ("age", "stage"), **options: object
) -> ClinicalValues:
    path = tmp_path / "clinical.csv"
    path.write_text(text, encoding="utf-8")
    return read_clinical_values(ClinicalSettings(clinical=path, covariates=columns, **options), CASES, SLIDES)


def test_barcodes_of_slides_and_samples_find_their_patient(tmp_path: Path):
    found = _read(
        tmp_path, "submitter_id,age,stage\ntcga-2f-a9kp-01A,61,II\nTCGA-2F-A9KO,50,Stage I\nTCGA-ZZ-0000,1,I\n"
    )
    assert found.texts["age"].tolist() == ["50", "61", ""]
    assert found.texts["stage"].tolist() == ["Stage I", "II", ""]
    assert found.found.tolist() == [True, True, False]
    assert "1 of 3 test cases is not in clinical.csv: TCGA-XF-A9KQ." in found.notes
    assert "1 patient of clinical.csv is no test case of this run, and left out." in found.notes
    assert found.record["case_column"] == "submitter_id"


def test_a_table_of_slides_needs_no_patients(tmp_path: Path):
    path = tmp_path / "clinical.csv"
    path.write_text("slide_id,age\ns1,50\ns2,50\ns3,70\n", encoding="utf-8")
    slides = {"s1": "P1", "s2": "P1", "s3": "P2"}
    found = read_clinical_values(ClinicalSettings(clinical=path, covariates=("age",)), ["P1", "P2"], slides)
    assert found.texts["age"].tolist() == ["50", "70"]


def test_a_slide_finds_its_case_where_the_patient_has_another_name(tmp_path: Path):
    path = tmp_path / "clinical.csv"
    path.write_text("patient_id,slide_id,age\nA,s1.svs,50\nB,s3.svs,70\nC,s9.svs,80\n", encoding="utf-8")
    slides = {"s1": "s1", "s3": "s3", "s4": "s4"}
    found = read_clinical_values(ClinicalSettings(clinical=path, covariates=("age",)), ["s1", "s3", "s4"], slides)
    assert found.texts["age"].tolist() == ["50", "70", ""]


def test_missing_values_are_counted_by_their_word(tmp_path: Path):
    text = "case_id,age,stage\nTCGA-2F-A9KO,,I\nTCGA-2F-A9KP,61,[Not Available]\nTCGA-XF-A9KQ,70,GX\n"
    found = _read(tmp_path, text, missing=("gx",))
    assert found.missing == {"age": {"": 1}, "stage": {"[Not Available]": 1, "GX": 1}}
    assert found.texts["stage"].tolist() == ["I", "", ""]


def test_rows_of_a_patient_must_agree_in_what_they_say(tmp_path: Path):
    text = "case_id,age,stage\nTCGA-2F-A9KO,50,\nTCGA-2F-A9KO,50,II\nTCGA-2F-A9KO,,II\n"
    found = _read(tmp_path, text)
    assert (found.texts["age"][0], found.texts["stage"][0]) == ("50", "II")
    with pytest.raises(UserError, match=r"case TCGA-2F-A9KO has two values of age .*'50' in line 2, '51' in line 4"):
        _read(tmp_path, text.replace("O,,II", "O,51,II"))


def test_decimal_commas_are_read_and_said(tmp_path: Path):
    found = _read(tmp_path, "case_id;age;stage\nTCGA-2F-A9KO;50,5;I,II\nTCGA-2F-A9KP;61;II\n")
    assert found.texts["age"].tolist() == ["50.5", "61", ""]
    assert found.texts["stage"][0] == "I,II"
    assert "Numbers of column age have a decimal comma." in found.notes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("case_id,Age,stage\nTCGA-2F-A9KO,1,I\n", r"lacks the column age \(did you mean Age\?\)"),
        ("who,age,stage\nTCGA-2F-A9KO,1,I\n", "no column of .* is known as the patient"),
        ("case_id,age,stage\nTCGA-2F-B9KO,1,I\n", r"none of the 3 test cases .* is in column case_id .*--case_column"),
    ],
)
def test_tables_that_do_not_fit_are_errors(tmp_path: Path, text: str, expected: str):
    with pytest.raises(UserError, match=expected):
        _read(tmp_path, text)


def test_ids_that_look_alike_are_named(tmp_path: Path):
    path = tmp_path / "clinical.csv"
    path.write_text("case_id,age\nP-1,5\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"is P-1 the case P_1\?"):
        read_clinical_values(ClinicalSettings(clinical=path, covariates=("age",)), ["P_1"], {})


def test_a_table_that_is_not_there_is_an_error(tmp_path: Path):
    settings = ClinicalSettings(clinical=tmp_path / "none.csv", covariates=("age",))
    with pytest.raises(UserError, match="is no file"):
        read_clinical_values(settings, CASES, {})
