"""Mistakes in label tables and in splits of other repositories."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from pathlib import Path

from tests.input_errors.case import cases_of
from tests.input_errors.cohort import (
    MAKE_SPLITS,
    cut_file,
    drop_column,
    read_rows,
    replace_text,
    set_cell,
    set_column,
    write_rows,
)

KIND = "Label tables"
case = cases_of(KIND)
LABELS = Path("labels.csv")
CLS, SURV = f"{MAKE_SPLITS} --task cls", f"{MAKE_SPLITS} --task surv"


def _zip(*names: str) -> None:
    with zipfile.ZipFile("labels.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.write(LABELS, name)


@case("A table that does not exist")
def no_table() -> str:
    return CLS.replace("labels.csv", "label.csv")


@case("A folder in the place of a table")
def folder_as_table() -> str:
    return CLS.replace("labels.csv", "features")


@case("An empty table")
def empty_table() -> str:
    LABELS.write_text("")
    return CLS


@case("A table with a header alone")
def header_alone() -> str:
    LABELS.write_text("slide_id,case_id,label\n")
    return CLS


@case("A picture in the place of a table")
def no_text() -> str:
    LABELS.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    return CLS


@case("A zip cut short", varies=[r"(?<=damaged zip \().*(?=\):)"])
def cut_zip() -> str:
    _zip("labels.csv")
    cut_file(Path("labels.zip"), 0.9)
    return CLS.replace("labels.csv", "labels.zip")


@case("A zip of two tables")
def two_tables() -> str:
    _zip("a.csv", "b.csv")
    return CLS.replace("labels.csv", "labels.zip")


@case("A zip with a password")
def locked_zip() -> str:
    _zip("labels.csv")
    data = bytearray(Path("labels.zip").read_bytes())
    for record, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(record) + flags] |= 1
    Path("labels.zip").write_bytes(bytes(data))
    return CLS.replace("labels.csv", "labels.zip")


@case("A workbook of old Excel")
def old_excel() -> str:
    LABELS.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    return CLS


@case("A tar archive")
def tar() -> str:
    with tarfile.open("labels.tar", "w") as archive:
        archive.add(LABELS)
    return CLS.replace("labels.csv", "labels.tar")


@case("A gzip file cut short", varies=[r"(?<=gzip file \().*(?=\):)"])
def cut_gzip() -> str:
    Path("labels.csv.gz").write_bytes(gzip.compress(LABELS.read_bytes()))
    cut_file(Path("labels.csv.gz"))
    return CLS.replace("labels.csv", "labels.csv.gz")


@case("A quotation mark that is not closed")
def open_quote() -> str:
    replace_text(LABELS, "s02", '"s02')
    return CLS


@case("A quotation mark that is closed some lines below")
def quote_of_two_lines() -> str:
    replace_text(LABELS, "s02", '"s02')
    replace_text(LABELS, "p04", 'p04"')
    return CLS


@case("A quotation mark that is not closed in the last column")
def open_quote_at_the_end() -> str:
    replace_text(LABELS, "0\ns03", '"0\ns03')
    return CLS


@case("A line of more cells than the header")
def long_line() -> str:
    replace_text(LABELS, "s03,", "s03,extra,")
    return CLS


@case("A column that is there twice")
def column_twice() -> str:
    replace_text(LABELS, "case_id", "slide_id")
    return CLS


@case("No column of slides or patients")
def no_ids() -> str:
    rows = [{"label": row["label"], "age": 60} for row in read_rows(LABELS)]
    write_rows(LABELS, rows)
    return CLS


@case("No column of labels")
def no_label() -> str:
    drop_column(LABELS, "label")
    return CLS


@case("A column that is named and not there")
def other_column() -> str:
    return f"{CLS} --label_column Label2"


@case("Several columns that may be the patient")
def two_patients() -> str:
    rows = [{"patient": row["case_id"], "patient_id": row["case_id"] + "x", **row} for row in read_rows(LABELS)]
    for row in rows:
        del row["case_id"]
    write_rows(LABELS, rows)
    return CLS


@case("One class only")
def one_class() -> str:
    set_column(LABELS, "label", lambda cell: "IDC")
    return CLS


@case("A class that `--classes` does not name")
def unknown_class() -> str:
    set_column(LABELS, "label", lambda cell: "IDC" if cell == "0" else "ILC")
    set_cell(LABELS, "label", "DCIS")
    return f"{CLS} --classes IDC ILC"


@case("A class of `--classes` that no row has")
def class_without_rows() -> str:
    return f"{CLS} --classes 0 1 2"


@case("Too few patients for the folds")
def few_patients() -> str:
    write_rows(LABELS, read_rows(LABELS)[:4])
    return CLS


@case("A slide twice")
def slide_twice() -> str:
    set_cell(LABELS, "slide_id", "s02")
    return CLS


@case("A slide under two patients")
def two_patients_of_a_barcode() -> str:
    rows = read_rows(LABELS)
    for row in rows:
        row["slide_id"] = f"TCGA-2F-A9KO-01Z-00-DX{row['slide_id'][1:]}"
    write_rows(LABELS, rows)
    return CLS


@case("A table of other slides than those with features")
def other_slides() -> str:
    set_column(LABELS, "slide_id", lambda cell: cell.replace("s0", "s-").replace("s1", "t1"))
    return f"{CLS} --features_dir features"


@case("Whole sites in folds, of ids without a site")
def no_sites() -> str:
    return f"{CLS} --site_preserving"


@case("A slide of a missing patient")
def no_patient() -> str:
    set_cell(LABELS, "case_id", "")
    return CLS


@case("Numbers with points of thousands")
def thousands() -> str:
    rows = [dict(row) for row in read_rows(LABELS)]
    rows[0]["survival_months"] = "1.234,5"
    text = "\n".join([";".join(rows[0]), *(";".join(row.values()) for row in rows)])
    LABELS.write_text(text + "\n")
    return SURV


@case("A time that is no number")
def word_as_time() -> str:
    set_cell(LABELS, "survival_months", "long")
    return SURV


@case("A negative time")
def negative_time() -> str:
    set_cell(LABELS, "survival_months", "-1")
    return SURV


@case("A status of unknown meaning")
def unknown_status() -> str:
    set_cell(LABELS, "censorship", "lost")
    return SURV


@case("Two outcomes of one patient")
def two_outcomes() -> str:
    set_cell(LABELS, "case_id", "p02")
    return SURV


@case("No column of time and status")
def no_outcome() -> str:
    drop_column(LABELS, "survival_months")
    return SURV


@case("Too few events for the folds")
def few_events() -> str:
    set_column(LABELS, "censorship", lambda cell: 1)
    return SURV


@case("A pattern that is no regular expression", varies=[r"(?<=expression \().*(?=\):)"])
def no_pattern() -> str:
    return f"{CLS} --patient_pattern '^(s'"


@case("A pattern that finds no patient")
def pattern_without_patient() -> str:
    drop_column(LABELS, "case_id")
    return f"{CLS} --patient_pattern '^(P[0-9]+)_'"


@case("A separator of two characters")
def long_separator() -> str:
    return f"{CLS} --separator ::"


@case("An encoding that does not exist")
def unknown_encoding() -> str:
    return f"{CLS} --encoding utf-7000"


@case("Folds that are there")
def folds_there() -> str:
    return CLS.replace("--output_dir out", "--output_dir splits")


@case("One fold")
def one_fold() -> str:
    return CLS.replace("--n_folds 3", "--n_folds 1")


@case("Splits of another repository that do not exist")
def no_foreign_splits() -> str:
    return "python -m datasets.make_splits --from clam clam_splits --labels labels.csv --task cls --output_dir out"


@case("Splits of another layout")
def other_layout() -> str:
    return "python -m datasets.make_splits --from clam splits --labels labels.csv --task cls --output_dir out"


@case("An id of the splits that the label table lacks")
def id_without_label() -> str:
    Path("clam").mkdir()
    rows = [{"train": "s01", "val": "s05", "test": "s09"}, {"train": "s02", "val": "s06", "test": "s99"}]
    write_rows(Path("clam/splits_0.csv"), rows)
    return "python -m datasets.make_splits --from clam clam --labels labels.csv --task cls --output_dir out"


@case("Folders of PANTHER without `train.csv`")
def no_panther() -> str:
    Path("panther/toy_k=0").mkdir(parents=True)
    write_rows(Path("panther/toy_k=0/test.csv"), read_rows(LABELS))
    return "python -m datasets.make_splits --from panther panther --task cls --output_dir out"


@case("A layout that does not exist")
def unknown_layout() -> str:
    return "python -m datasets.make_splits --from monai splits --task cls --output_dir out"
