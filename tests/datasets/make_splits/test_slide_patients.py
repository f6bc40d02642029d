from __future__ import annotations

import pytest

from datasets.make_splits.slide_patients import found_patients, patient_rule, slides_as_patients
from utils.errors import UserError


def test_without_a_pattern_the_barcode_names_the_patient():
    assert [patient_rule(None)(name) for name in ("tcga-2f-a9ko-01z", "C3N-00002-21", "P1_2")] == [
        *("TCGA-2F-A9KO", "C3N-00002", "P1_2")
    ]


@pytest.mark.parametrize(
    ("pattern", "slide_id", "patient"),
    [
        (r"^(P\d+)_", "P12_3", "P12"),
        (r"P\d+", "slide_P12_3", "P12"),
        (r"(?:a|b)-(\d+)-(\d+)", "b-7-2", "7"),
        (r"^[^_]+", "17_A", "17"),
    ],
)
def test_the_first_group_or_the_whole_match_is_the_patient(pattern: str, slide_id: str, patient: str):
    assert patient_rule(pattern)(slide_id) == patient


def test_patterns_that_find_nothing():
    with pytest.raises(UserError, match=r"--patient_pattern '\(P' is no regular expression \(missing \), .*such as"):
        patient_rule("(P")
    for pattern in ("^P(.*)$", "Q", "P1(_9)?"):
        with pytest.raises(UserError, match=r"finds no patient in the slide id 'P1?': expected it to in each"):
            patient_rule(pattern)("P1" if "9" in pattern else "P")


def test_a_pattern_in_decomposed_letters():
    assert patient_rule("^(Mu\u0308\\d+)_")("Mü7_A") == "Mü7"


@pytest.mark.parametrize(
    ("patients", "note", "found"),
    [
        (["HB"] * 78, "78 slides of 1 patient", "all 78 slides are of one patient, 'HB'"),
        (["A"] * 6 + ["B"] * 4, "10 slides of 2 patients", "6 of 10 slides are of one patient, 'A'"),
        (["A"] * 5 + ["B"] * 5, "10 slides of 2 patients", None),
        (["A"] * 3 + ["B"], "4 slides of 2 patients", None),  # too few to say
        (["A"], "1 slide of 1 patient", None),
    ],
)
def test_how_many_patients_were_found(patients: list[str], note: str, found: str | None):
    warning = f"{found} (SOURCE): if that is not one person, correct --OPTION" if found else None
    assert found_patients(patients, "SOURCE", "--OPTION") == (f"{note} (SOURCE)", warning)


def test_slides_that_stand_for_their_patients():
    assert slides_as_patients(["TCGA-2F-A9KO-01Z", "C3L-00001-21"]) is None
    assert slides_as_patients(["a", "b"]) == (
        "every slide counts as a patient of its own, since no column names the patient and the ids show none (a, b): "
        "if patients have several slides, name the column with --case_column, or how to find the patient in the "
        "id with --patient_pattern"
    )
    some = slides_as_patients(["TCGA-2F-A9KO-01Z", "a"])
    assert some is not None
    assert some.startswith("1 slide counts as a patient of its own, since")
