"""Mistakes in fold files."""

from __future__ import annotations

import json
from pathlib import Path

from tests.input_errors.case import cases_of
from tests.input_errors.cohort import (
    CLUSTERING,
    FOLD,
    MAIN,
    SURV,
    drop_column,
    read_rows,
    replace_text,
    set_cell,
    set_column,
    write_rows,
)

KIND = "Splits"
case = cases_of(KIND)
SURV_FOLD = Path("surv/fold0.csv")


@case("A directory of splits does not exist")
def no_splits_directory() -> str:
    return MAIN.replace("splits_dir splits", "splits_dir split")


@case("A directory holds no fold file")
def no_fold() -> str:
    Path("empty").mkdir()
    return MAIN.replace("splits_dir splits", "splits_dir empty")


@case("A fold that is not there")
def fold_not_there() -> str:
    return f"{MAIN} --folds 0 7"


@case("A missing column")
def no_column() -> str:
    drop_column(FOLD, "val_label")
    return MAIN


@case("Splits of the other task")
def other_task() -> str:
    return SURV.replace("splits_dir surv", "splits_dir splits")


@case("A column that is there twice")
def column_twice() -> str:
    lines = FOLD.read_text().splitlines()
    FOLD.write_text("".join(f"{line},{'0' if number else 'val_label'}\n" for number, line in enumerate(lines)))
    return MAIN


@case("A row that is filled in only partly")
def row_in_part() -> str:
    set_cell(FOLD, "train_label", "", row=2)
    return MAIN


@case("A line of more cells than the header")
def long_line() -> str:
    replace_text(FOLD, "s01,1", "s01,1,1,1,1,1,1")
    return MAIN


@case("No text in UTF-8")
def no_text() -> str:
    FOLD.write_bytes(FOLD.read_bytes().replace(b"s01", b"\xff\xfe01"))
    return MAIN


@case("An empty file")
def empty_fold() -> str:
    FOLD.write_text("")
    return MAIN


@case("A label that is no number")
def word_as_label() -> str:
    set_cell(FOLD, "train_label", "tumour")
    return MAIN


@case("A negative label")
def negative_label() -> str:
    set_cell(FOLD, "test_label", "-1")
    return MAIN


@case("A label of many digits")
def huge_label() -> str:
    set_cell(FOLD, "train_label", "1000000000000")
    return MAIN


@case("A quotation mark in a split that is not closed")
def open_quote() -> str:
    replace_text(FOLD, "s02", '"s02')
    return MAIN


@case("Labels from 1 on")
def labels_from_one() -> str:
    for part in ("train", "val", "test"):
        set_column(FOLD, f"{part}_label", lambda label: int(label) + 1)
    return MAIN


@case("One class only")
def one_class() -> str:
    for part in ("train", "val", "test"):
        set_column(FOLD, f"{part}_label", lambda label: 1)
    return MAIN


@case("A slide twice in one part")
def slide_twice_in_part() -> str:
    set_cell(FOLD, "train_slide_id", "s01", row=2)
    return MAIN


@case("A slide in two parts")
def slide_in_two_parts() -> str:
    set_cell(FOLD, "test_slide_id", "s01", row=0)
    return MAIN


@case("A patient in two parts")
def patient_in_two_parts() -> str:
    set_cell(SURV_FOLD, "test_case_id", "p01", row=0)
    return SURV


@case("The same in fitting anchors")
def patient_in_two_parts_of_clustering() -> str:
    set_cell(SURV_FOLD, "test_case_id", "p01", row=0)
    return f"{CLUSTERING} --scope dataset --fold_csv surv/fold0.csv"


@case("A part without cases")
def empty_part() -> str:
    set_column(FOLD, "val_slide_id", lambda cell: "")
    set_column(FOLD, "val_label", lambda cell: "")
    return MAIN


@case("A slide id with the separator of prediction files")
def separator_in_id() -> str:
    set_cell(FOLD, "train_slide_id", "s01;s02")
    return MAIN


@case("Two outcomes of one patient")
def two_outcomes() -> str:
    rows = read_rows(SURV_FOLD)
    rows[1]["train_case_id"] = "p01"
    write_rows(SURV_FOLD, rows)
    return SURV


@case("Censorship that is neither 0 nor 1")
def censorship_2() -> str:
    set_cell(SURV_FOLD, "val_censorship", "2")
    return SURV


@case("A negative time")
def negative_time() -> str:
    set_cell(SURV_FOLD, "train_survival_months", "-3")
    return SURV


@case("A time that is no number")
def word_as_time() -> str:
    set_cell(SURV_FOLD, "train_survival_months", "12 months")
    return SURV


@case("An infinite time")
def infinite_time() -> str:
    set_cell(SURV_FOLD, "train_survival_months", "1e999")
    return SURV


@case("No event in the training part")
def no_event() -> str:
    set_column(SURV_FOLD, "train_censorship", lambda cell: 1)
    return SURV


@case("More time bins than distinct times")
def too_many_bins() -> str:
    set_column(SURV_FOLD, "train_survival_months", lambda cell: 12)
    return SURV.replace("--n_bins 2", "--n_bins 4")


@case("A time bin that `--n_bins` does not have")
def bin_outside() -> str:
    rows = read_rows(SURV_FOLD)
    for row in rows:
        row.update({f"{part}_disc_label": "3" if row[f"{part}_slide_id"] else "" for part in ("train", "val", "test")})
    write_rows(SURV_FOLD, rows)
    return SURV


@case("Slides of one patient in two classes, classified by patient")
def torn_patient() -> str:
    rows = read_rows(FOLD)
    for row in rows:
        row.update({f"{part}_case_id": row[f"{part}_slide_id"] for part in ("train", "val", "test")})
    rows[1]["train_case_id"] = "s01"
    write_rows(FOLD, rows)
    return f"{MAIN} --unit patient"


@case("All slides of a part without features, and `--on_missing drop`")
def dropped_part() -> str:
    for row in read_rows(FOLD):
        if row["val_slide_id"]:
            Path(f"features/{row['val_slide_id']}.h5").unlink()
    return f"{MAIN} --on_missing drop --folds 0"


@case("A damaged `splits.json`", varies=[r"(?<=JSON text \().*(?=\);)"])
def damaged_record() -> str:
    Path("splits/splits.json").write_text('{"classes": {"benign": 0,')
    return MAIN


@case("A `splits.json` of other classes")
def other_classes() -> str:
    record = {"classes": {"benign": 0, "malignant": 1, "other": 2}}
    Path("splits/splits.json").write_text(json.dumps(record))
    return MAIN
