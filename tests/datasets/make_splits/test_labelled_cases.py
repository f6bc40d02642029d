"""Tables as their owners have them, from the file to the cases."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from datasets.folds.cases import Case
from datasets.make_splits.label_cases import LabelledCases
from datasets.make_splits.label_options import LabelOptions
from datasets.make_splits.labelled_cases import labelled_cases
from datasets.slides.slide_files import find_slides
from utils.errors import UserError

CBIOPORTAL = """#Patient Identifier\tOverall Survival Status\tOverall Survival (Months)\tSex
#Identifier\tStatus\tMonths\tSex
#STRING\tSTRING\tNUMBER\tSTRING
#1\t1\t1\t1
PATIENT_ID\tOS_STATUS\tOS_MONTHS\tSEX
TCGA-2F-A9KO\t1:DECEASED\t24.11\tMale
TCGA-2F-A9KP\t0:LIVING\t11.96\tMale
TCGA-2F-A9KQ\t0:LIVING\t[Not Available]\tMale
TCGA-2F-A9KR\t1:DECEASED\t\tFemale
TCGA-2F-A9KT\t0:LIVING\t110.91\tMale
"""
SLIDES = [
    "TCGA-2F-A9KO-01Z-00-DX1.0A",
    "TCGA-2F-A9KO-01Z-00-DX2.0B",
    "tcga-2f-a9kp-01z-00-dx1.0c",
    "TCGA-2F-A9KQ-01Z-00-DX1.0D",
    "TCGA-ZZ-0000-01Z-00-DX1.0E",
]


def read(path: Path, task: str = "surv", content: str | bytes = b"", **more: Any) -> LabelledCases:
    names = {"slide_ids", "known_classes"}
    if content:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = LabelOptions(labels=path, **{name: value for name, value in more.items() if name not in names})
    return labelled_cases(options, task, **{name: value for name, value in more.items() if name in names})


def test_patients_of_slides_without_a_label_too(tmp_path: Path):
    content = "slide_id,case_id,label\nS1.svs,P1,a\nS2,P1,\nS3,P2,b\nS4,P3,n/a\n"
    found = read(tmp_path / "labels.csv", "cls", content)
    assert found.patients == {"S1": "P1", "S2": "P1", "S3": "P2", "S4": "P3"}
    assert found.dropped == ("S2", "S4")
    spelled = read(tmp_path / "labels.csv", "cls", slide_ids=["S1", "s2", "S9"])
    assert spelled.patients == {"S1": "P1", "s2": "P1", "S3": "P2", "S4": "P3"}  # S9 is in no row


def test_patients_of_a_joined_table(tmp_path: Path):
    content = "patient_id,label\nP1,a\nP2,b\nP3,\n"
    joined = read(tmp_path / "p.csv", "cls", content, slide_ids=["P1", "P2", "P3", "P4"])
    assert joined.patients == {"P1": "P1", "P2": "P2", "P3": "P3"}
    (tmp_path / "s.csv").write_text("slide_id,patient_id\nS1,P1\nS2,P1\nS3,P2\nS4,P3\nS5,P4\n")
    second = read(tmp_path / "p.csv", "cls", slides=tmp_path / "s.csv")
    assert second.patients == {"S1": "P1", "S2": "P1", "S3": "P2", "S4": "P3", "S5": "P4"}
    assert second.dropped == ("S4",)
    assert second.record["slides_sha256"] == hashlib.sha256((tmp_path / "s.csv").read_bytes()).hexdigest()
    assert "slides_sha256" not in joined.record


def test_letters_and_blanks_that_look_the_same(tmp_path: Path):
    """macOS decomposes letters, and spreadsheets hold blanks that do not break."""
    ductal, mucinous = "duktal  Ca", "muzino\u0308s\u00a0Ca"
    rows = [f"Mu\u0308 1,a,{ductal}", "Mü\u00a01,b,muzinös Ca", f"P2,c,{mucinous}", "P3,d,ho\u0308her"]
    content = "\n".join(["Fall ID,slide_id,Gro\u0308\u00dfe", *rows])
    names = {"label_column": "Größe", "case_column": "Fall\u00a0ID", "missing": ("höher",)}
    found = read(tmp_path / "t.csv", "cls", content, classes=(mucinous, "duktal Ca"), **names)
    assert found.classes == {"muzinös Ca": 0, "duktal Ca": 1}
    assert [(case.case_id, case.label) for case in found.cases] == [("Mü 1", 1), ("Mü 1", 0), ("P2", 0)]
    assert found.dropped == ("d",)
    of_model = read(tmp_path / "t.csv", "cls", known_classes=("duktal Ca", mucinous), **names)
    assert of_model.classes == {"duktal Ca": 0, "muzinös Ca": 1}


def test_slide_ids_of_tables_and_feature_files_in_two_forms(tmp_path: Path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "Mu\u0308 1.pt").write_bytes(b"")
    (slide_id,) = find_slides([tmp_path / "features"])
    found = read(tmp_path / "t.csv", "cls", "slide_id,case_id,label\nMü  1,P1,a\nb,P2,b\n", slide_ids=[slide_id, "b"])
    assert [case.slide_ids for case in found.cases] == [("Mü 1",), ("b",)]
    assert found.warnings == ()


def test_how_many_patients_a_pattern_or_a_column_makes_of_slides(tmp_path: Path):
    lines = "".join(f"HB{i},P{i // 2},{'ab'[i % 4 // 2]}\n" for i in range(12))
    column = read(tmp_path / "t.csv", "cls", "slide_id,case_id,label\n" + lines)
    assert "12 slides of 6 patients (column case_id of t.csv)" in column.notes
    assert column.warnings == ()
    pattern = read(tmp_path / "t.csv", "cls", patient_pattern="^(HB)")
    assert "12 slides of 1 patient (--patient_pattern '^(HB)')" in pattern.notes
    assert pattern.warnings == (
        "all 12 slides are of one patient, 'HB' (--patient_pattern '^(HB)'): if that is not one person, correct "
        "--patient_pattern",
    )
    (tmp_path / "p.csv").write_text("case_id,label\nHB,a\nHC,b\n")
    joined = read(tmp_path / "p.csv", "cls", patient_pattern="^(H.)", slide_ids=[*(f"HB{i}" for i in range(10)), "HC0"])
    assert "11 slides of 2 patients (--patient_pattern '^(H.)')" in joined.notes
    assert joined.warnings[0].startswith("10 of 11 slides are of one patient, 'HB'")


def test_a_clinical_file_of_cbioportal_joined_with_features(tmp_path: Path):
    found = read(tmp_path / "data_clinical_patient.txt", content=CBIOPORTAL, slide_ids=SLIDES)
    assert found.cases == (
        Case("TCGA-2F-A9KO", (SLIDES[0], SLIDES[1]), time=24.11, censored=0),
        Case("TCGA-2F-A9KP", (SLIDES[2],), time=11.96, censored=1),
    )
    assert found.notes == (
        "skipped the 4 lines of data_clinical_patient.txt before its header that begin with #",
        "the columns of data_clinical_patient.txt are separated by the tab",
        "the patient is in column PATIENT_ID of data_clinical_patient.txt",
        "3 patients of data_clinical_patient.txt joined with 4 slides",
        "data_clinical_patient.txt: the survival time is in OS_MONTHS, the status in OS_STATUS (1 = event)",
        "times are in months, as the name of column OS_MONTHS says",
        "OS_STATUS: 1:DECEASED = event (1 patient), 0:LIVING = censored (1 patient)",
        f"1 slide has no label (OS_MONTHS: 1 '[Not Available]'): {SLIDES[3]}",
    )
    assert found.warnings == (
        "2 patients of data_clinical_patient.txt without a slide: TCGA-2F-A9KR, TCGA-2F-A9KT",
        f"1 slide without a patient in data_clinical_patient.txt: {SLIDES[4]}",
    )
    assert {name: found.record[name] for name in ("separator", "encoding", "columns", "time_unit")} == {
        "separator": "\t",
        "encoding": "utf-8",
        "columns": {
            **{"slide": None, "case": "PATIENT_ID"},
            **{"time": "OS_MONTHS", "time_of_living": None, "event": "OS_STATUS"},
        },
        "time_unit": "months",
    }


def test_patients_without_slides_need_some(tmp_path: Path):
    with pytest.raises(
        UserError, match=r"is known as the slide \(found PATIENT_ID, .*--slide_column.*--features_dir.*--slides"
    ):
        read(tmp_path / "t.txt", content=CBIOPORTAL)
    with pytest.raises(UserError, match=r"is known as the patient \(found t, event\): name it with --case_column"):
        read(
            tmp_path / "t.csv",
            content="t,event\n1,2\n",
            slide_ids=SLIDES,
            time_column="t",
            event_column="event",
            time_unit="days",
        )


def test_a_second_table_of_slides(tmp_path: Path):
    slides = tmp_path / "slides.csv"
    slides.write_text("PATIENT;FILENAME\np1;a.svs\np1;B.svs\np2;c.svs\np9;d.svs\n")
    found = read(tmp_path / "t.csv", "cls", "id,label\np1,X\np2,Y\np3,Y\n", slides=slides, case_column="id")
    assert found.cases == (Case("p1", ("B",), label=0), Case("p1", ("a",), label=0), Case("p2", ("c",), label=1))
    assert "the columns of slides.csv are separated by the semicolon" in found.notes
    assert "the slide is in column FILENAME of slides.csv" in found.notes
    assert found.warnings == ("1 patient of t.csv without a slide: p3", "1 slide without a patient in t.csv: d")
    features = read(tmp_path / "t.csv", "cls", slides=slides, case_column="id", slide_ids=["a", "b", "c", "e"])
    assert [case.slide_ids for case in features.cases] == [("a",), ("b",), ("c",)]
    assert "1 feature file without a row in slides.csv: e" in features.warnings
    with pytest.raises(UserError, match=r"neither .*t\.csv nor .*slides\.csv has a column x: correct --case_column"):
        read(tmp_path / "t.csv", "cls", slides=slides, case_column="x")
    slides.write_text("PATIENT,x\np1,a\n")
    with pytest.raises(UserError, match=r"no column of .*slides\.csv is known as the slide"):
        read(tmp_path / "t.csv", "cls", slides=slides, case_column="id")


def test_a_second_table_without_patients_and_a_pattern(tmp_path: Path):
    slides = tmp_path / "slides.csv"
    slides.write_text("slide\np1_a\np1_b\np2_a\n")
    found = read(tmp_path / "t.csv", "cls", "patient,label\np1,X\np2,Y\n", slides=slides, patient_pattern="^(p.)_")
    assert [(case.case_id, case.slide_ids) for case in found.cases] == [
        *(("p1", ("p1_a",)), ("p1", ("p1_b",)), ("p2", ("p2_a",)))
    ]
    assert found.warnings == ()


def test_the_pattern_joins_patients_with_features(tmp_path: Path):
    found = read(
        tmp_path / "t.csv",
        "cls",
        "patient,label\n1,X\n2,Y\n",
        slide_ids=["s1_a", "s1_b", "s2_a"],
        patient_pattern=r"^s(\d)_",
    )
    assert [(case.case_id, case.label) for case in found.cases] == [("1", 0), ("1", 0), ("2", 1)]


def test_an_export_of_excel_with_semicolons_and_decimal_commas(tmp_path: Path):
    lines = ["Patient;Slide;survival_months;vital_status", "Müller;a.NDPI;12,5;Dead"]
    text = "\n".join([*lines, "Weiß;b.ndpi;3;Alive", "Weiß;c.ndpi;3;Alive"])
    found = read(tmp_path / "t.csv", content=text.encode("cp1252"))
    assert found.cases == (
        Case("Müller", ("a",), time=12.5, censored=0),
        Case("Weiß", ("b", "c"), time=3.0, censored=1),
    )
    assert found.notes[0].startswith("t.csv is no UTF-8: cp1252 (Western European) was assumed, with 'Müller'")
    assert found.notes[-1] == "12,5 in column survival_months was read as 12.5: a decimal comma"
    assert found.record["encoding"] == "cp1252"
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le"):
        assert read(tmp_path / "t.csv", content=text.encode(encoding)).cases == found.cases
    named = read(tmp_path / "t.csv", content=text.encode("cp1252"), encoding="latin-1", separator="semicolon")
    assert named.cases == found.cases
    assert not any("assumed" in note or "separated" in note for note in named.notes)


def test_a_workbook(tmp_path: Path):
    book = openpyxl.Workbook()
    book.create_sheet("labels").append(["slide_id", "case_id", "label"])
    for row in (["a.svs", 12, "X"], ["b.svs", 13.0, "Y"], ["c.svs", 13, "#N/A"]):
        book["labels"].append(row)
    book.save(tmp_path / "t.xlsx")
    found = read(tmp_path / "t.xlsx", "cls", sheet="labels")
    assert found.cases == (Case("12", ("a",), label=0), Case("13", ("b",), label=1))
    assert (found.dropped, found.missing) == (("c",), {"label": {"#N/A": 1}})
    assert found.record["sheet"] == "labels"


def test_a_zip_of_patch_gcn(tmp_path: Path):
    genes = ",".join(f"g{i}_rnaseq" for i in range(100))
    rows = [f"{i},TCGA-2F-A9K{i},TCGA-2F-A9K{i}-01Z-00-DX1.0A.svs,1.0,{i}.5,{i % 2}.0,{',0.1' * 99}0" for i in range(9)]
    text = "\n".join([f",case_id,slide_id,is_female,survival_months,censorship,{genes}", *rows])
    with zipfile.ZipFile(tmp_path / "tcga_blca_all_clean.csv.zip", "w") as archive:
        archive.writestr("../dataset_csv/tcga_blca_all_clean.csv.zip", text)
    found = read(tmp_path / "tcga_blca_all_clean.csv.zip")
    assert [(case.time, case.censored) for case in found.cases] == [(i + 0.5, i % 2) for i in range(9)]
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("ids", "patients"),
    [
        (["C3L-00001-21", "C3L-00001-22", "C3N-00002-21"], ["C3L-00001", "C3L-00001", "C3N-00002"]),
        (["tcga-2f-a9ko-1", "TCGA-2F-A9KO-2", "TCGA-2F-A9KP-1"], ["TCGA-2F-A9KO", "TCGA-2F-A9KO", "TCGA-2F-A9KP"]),
    ],
)
def test_ids_that_name_their_patients(tmp_path: Path, ids: list[str], patients: list[str]):
    lines = [f"{slide_id},{label}" for slide_id, label in zip(ids, "AAB", strict=True)]
    found = read(tmp_path / "t.csv", "cls", "\n".join(["slide_id,label", *lines]))
    assert sorted(case.case_id for case in found.cases) == patients
    assert found.warnings == ()


def test_ids_that_do_not(tmp_path: Path):
    text = "slide_id,label\nP1_a.svs,A\nP1_b.svs,A\nP2_a.svs,B\n"
    found = read(tmp_path / "t.csv", "cls", text)
    assert [case.case_id for case in found.cases] == ["P1_a", "P1_b", "P2_a"]
    assert found.warnings[0].startswith("every slide counts as a patient of its own")
    named = read(tmp_path / "t.csv", "cls", text, patient_pattern="^(P.)_")
    assert [case.case_id for case in named.cases] == ["P1", "P1", "P2"]
    assert named.warnings == ()
    # A pattern goes before a column that nobody named.
    other = read(
        tmp_path / "t.csv", "cls", "case_id,slide_id,label\nx,P1_a,A\ny,P1_b,A\nz,P2,B\n", patient_pattern="^P."
    )
    assert [case.case_id for case in other.cases] == ["P1", "P1", "P2"]
    assert other.record["columns"] == {"slide": "slide_id", "case": None, "label": "label"}


def test_slides_beside_their_features(tmp_path: Path):
    text = "case_id,slide_id,Label\n1,a.svs,A\n2,B.svs,B\n3,c.svs,B\n"
    found = read(tmp_path / "t.csv", "cls", text, slide_ids=["a", "b", "d"])
    assert [case.slide_ids for case in found.cases] == [("a",), ("b",), ("c",)]
    assert found.warnings == (
        "1 slide of t.csv without a feature file: c",
        "1 feature file without a row in t.csv: d",
    )


def test_more_words_that_mean_missing(tmp_path: Path):
    text = "case_id,slide_id,label\n1,a,A\n2,b,B\n3,c,To Do\n"
    found = read(tmp_path / "t.csv", "cls", text, missing=("to do",))
    assert (found.classes, found.missing) == ({"A": 0, "B": 1}, {"label": {"To Do": 1}})


def test_the_class_column_is_asked_for_with_those_that_might_be_it(tmp_path: Path):
    lines = [f"s{i},{i},{'AB'[i % 2]},same" for i in range(12)]
    message = (
        r"has no column called label \(columns of 2 to 10 different values: subtype\): name the class with --label"
    )
    with pytest.raises(UserError, match=message):
        read(tmp_path / "t.csv", "cls", "\n".join(["slide_id,age,subtype,project", *lines]))
    genes = ",".join(f"g{i}" for i in range(300))
    with pytest.raises(UserError, match=r"called label \(found slide_id, g0, .*\.\.\. \(301 in all\)\)"):
        read(tmp_path / "t.csv", "cls", f"slide_id,{genes}\n")
    with pytest.raises(UserError, match=r"lacks the column y .*: correct --label_column"):
        read(tmp_path / "t.csv", "cls", label_column="y")


def test_the_classes_of_a_model_and_one_class_only(tmp_path: Path):
    text = "case_id,slide_id,label\n1,a,IDC\n"
    assert read(tmp_path / "t.csv", "cls", text, known_classes=("ILC", "IDC")).classes == {"ILC": 0, "IDC": 1}
    none = read(tmp_path / "t.csv", "cls", text.replace("IDC", "None"), known_classes=("None", "IDC"))
    assert none.cases[0].label == 0


def test_options_without_a_table():
    with pytest.raises(ValueError, match="expected options with a label table"):
        labelled_cases(LabelOptions(), "cls")
