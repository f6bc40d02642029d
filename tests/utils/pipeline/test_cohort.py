"""The cases of a cohort: labelled, unlabelled, by slide and by patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasets.folds.cases import Case
from utils.errors import UserError
from utils.pipeline.cohort import read_cohort, without_outcome
from utils.pipeline.predict_settings import PredictSettings

SLIDES = ["TCGA-AA-0001-01Z-00-DX1", "TCGA-AA-0001-01Z-00-DX2", "TCGA-AA-0002-01Z-00-DX1", "TCGA-AA-0003-01Z-00-DX1"]


def settings(table: Path | None = None, text: str = "", **more: Any) -> PredictSettings:
    if table is not None:
        table.write_text(text)
    required = {"run_dir": Path("run"), "features_dir": (Path("features"),), "cohort": "there"}
    return PredictSettings(**required, labels=table, **more)


def test_without_labels_each_slide_or_patient_is_a_case():
    by_slide = read_cohort(settings(), "cls", "slide", SLIDES, ["a", "b"])
    assert by_slide.cases[:2] == (Case("TCGA-AA-0001", (SLIDES[0],)), Case("TCGA-AA-0001", (SLIDES[1],)))
    by_patient = read_cohort(settings(), "surv", "case", SLIDES, None)
    assert by_patient.cases[0] == Case("TCGA-AA-0001", tuple(SLIDES[:2]))
    assert (by_slide.n_known, len(by_slide.cases), len(by_patient.cases)) == (0, 4, 3)
    assert by_slide.warnings == ()


def test_patients_by_a_pattern():
    found = read_cohort(settings(patient_pattern="^(P[0-9]+)_"), "surv", "case", ["P1_a", "P1_b", "P22_a"], None)
    assert [(case.case_id, case.slide_ids) for case in found.cases] == [("P1", ("P1_a", "P1_b")), ("P22", ("P22_a",))]
    doubtful = read_cohort(settings(), "cls", "slide", ["x", "y"], ["a", "b"])
    assert "every slide counts as a patient of its own" in doubtful.warnings[0]


def test_labelled_cases_come_first_and_the_rest_is_said(tmp_path):
    text = f"slide_id,label\n{SLIDES[2]},b\n{SLIDES[0]},a\n"
    found = read_cohort(settings(tmp_path / "t.csv", text), "cls", "slide", SLIDES, ["a", "b"])
    assert [(case.slide_ids[0], case.label) for case in found.cases[:2]] == [(SLIDES[0], 0), (SLIDES[2], 1)]
    assert [case.label for case in found.cases[2:]] == [None, None]
    assert found.n_known == 2
    assert any("2 slides without an outcome are predicted, but not evaluated" in note for note in found.notes)


def test_patients_of_the_table_leave_out_slides_that_it_does_not_name(tmp_path):
    text = f"slide_id,case_id,survival_months,censorship\n{SLIDES[0]},TCGA-AA-0001,10,0\n"
    found = read_cohort(settings(tmp_path / "t.csv", text), "surv", "case", SLIDES, None)
    assert found.cases[0] == Case("TCGA-AA-0001", (SLIDES[0],), time=10.0, censored=0)
    assert [case.case_id for case in found.cases] == ["TCGA-AA-0001", "TCGA-AA-0002", "TCGA-AA-0003"]
    assert any(
        f"are not among the labelled ones of the table and were left out: {SLIDES[1]}" in note for note in found.notes
    )


def test_labelled_slides_without_features(tmp_path):
    text = f"slide_id,label\n{SLIDES[0]},a\nTCGA-AA-0009-01Z-00-DX1,b\n"
    for choice in ("error", "drop"):
        asked = settings(tmp_path / "t.csv", text, on_missing=choice)
        if choice == "error":
            with pytest.raises(UserError, match=r"1 labelled slide of t.csv without a feature file .TCGA-AA-0009"):
                read_cohort(asked, "cls", "slide", SLIDES, ["a", "b"])
        else:
            assert read_cohort(asked, "cls", "slide", SLIDES, ["a", "b"]).n_known == 1


def test_patients_of_one_class_are_bags(tmp_path):
    table = tmp_path / "t.csv"
    text = "slide_id,label\n" + "".join(f"{slide},a\n" for slide in SLIDES)
    found = read_cohort(settings(table, text), "cls", "patient", SLIDES, ["a", "b"])
    assert found.cases[0] == Case("TCGA-AA-0001", tuple(SLIDES[:2]), label=0)
    with pytest.raises(UserError, match=r"patients? ha(s|ve) slides of different classes"):
        read_cohort(
            settings(table, text.replace(f"{SLIDES[1]},a", f"{SLIDES[1]},b")), "cls", "patient", SLIDES, ["a", "b"]
        )


def test_a_model_sees_no_outcome():
    case = Case("P", ("s",), label=1, time=2.0, censored=0, bin=1)
    assert without_outcome(case) == Case("P", ("s",))
