"""Splits made to the layouts of other repositories, converted and read again as folds."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from datasets.folds.cases import PARTS, Fold
from datasets.folds.splits import read_fold
from datasets.make_splits.__main__ import main
from datasets.make_splits.foreign.convert import convert
from datasets.make_splits.foreign.settings import ForeignSettings
from datasets.make_splits.patient_folds import Split
from utils.errors import UserError

ROOT = Path(__file__).parents[4]
PATIENTS = [f"TCGA-AA-{number:04d}" for number in range(40)]
SLIDES = {name: [f"{name}-01Z-00-DX{j + 1}" for j in range(2 if i % 4 == 0 else 1)] for i, name in enumerate(PATIENTS)}
CLASS = {name: ("IDC", "ILC")[i % 2] for i, name in enumerate(PATIENTS)}
MONTHS = {name: 1.0 + i for i, name in enumerate(PATIENTS)}
CENSORED = {name: int(i % 3 == 0) for i, name in enumerate(PATIENTS)}


def write(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def id_table(path: Path, **columns: Sequence[str]) -> Path:
    """As pandas writes it: an index without a name, columns filled up with blanks."""
    rows = enumerate(zip_longest(*columns.values(), fillvalue=""))
    return write(path, [("", *columns), *((i, *cells) for i, cells in rows)])


def labels(path: Path, patients: Sequence[str] = PATIENTS, ending: str = "") -> Path:
    header = ("case_id", "slide_id", "label", "survival_months", "censorship")
    rows = [(p, s + ending, CLASS[p], MONTHS[p], CENSORED[p]) for p in patients for s in SLIDES[p]]
    return write(path, [header, *rows])


def slides(patients: Sequence[str]) -> list[str]:
    return [slide for name in patients for slide in SLIDES[name]]


def converted(layout: str, place: Path, out: Path, **options: Any) -> tuple[Split, list[Fold], dict[str, Any]]:
    split = convert(layout, place, ForeignSettings(output_dir=out, **options))
    folds = [read_fold(out / f"fold{fold.index}.csv", options["task"]) for fold in split.folds]
    return split, folds, json.loads((out / "splits.json").read_text())


def patients_of(fold: Fold) -> dict[str, set[str]]:
    return {part: {case.case_id for case in fold.part(part)} for part in PARTS}


def clam(place: Path) -> Path:
    for k in range(2):
        test = PATIENTS[k::5]
        rest = [name for name in PATIENTS if name not in test]
        parts = {"train": slides(rest[8:]), "val": slides(rest[:8]), "test": slides(test)}
        id_table(place / f"splits_{k}.csv", **parts)
        write(place / f"splits_{k}_bool.csv", [("", "train", "val", "test"), ("x", True, False, False)])
        write(place / f"splits_{k}_descriptor.csv", [("", "train", "val", "test"), ("IDC", 12, 4, 4)])
    return place


def test_clam(tmp_path: Path):
    table = labels(tmp_path / "table.csv", ending=".svs")
    split, folds, record = converted("clam", clam(tmp_path / "in"), tmp_path / "out", task="cls", labels=table)
    assert [fold.index for fold in folds] == [0, 1]
    for k, fold in enumerate(folds):
        assert fold.slides("test") == slides(PATIENTS[k::5])
        rest = [name for name in PATIENTS if name not in PATIENTS[k::5]]
        assert fold.slides("val") == slides(rest[:8])
        assert fold.class_names == ("IDC", "ILC")
        assert all(case.label == ("IDC", "ILC").index(CLASS[case.case_id]) for case in fold.train)
    assert record["classes"] == {"IDC": 0, "ILC": 1}
    assert record["from"] == "clam"
    sources = {source["file"]: source["sha256"] for source in record["sources"]}
    assert sources.keys() == {"in/splits_0.csv", "in/splits_1.csv"}
    assert sources["in/splits_0.csv"] == hashlib.sha256((tmp_path / "in" / "splits_0.csv").read_bytes()).hexdigest()
    assert split.warnings == ()


def test_a_single_file_keeps_the_number_of_its_fold(tmp_path: Path):
    place = clam(tmp_path / "in") / "splits_1.csv"
    _, folds, _ = converted("clam", place, tmp_path / "out", task="cls", labels=labels(tmp_path / "table.csv"))
    assert [fold.index for fold in folds] == [1]


def test_splits_by_slide_are_refused_or_said(tmp_path: Path):
    """CLAM can split by slide: both slides of patient 0 are in different parts."""
    first, second = SLIDES[PATIENTS[0]]
    parts = {"train": [first, *slides(PATIENTS[1:20])], "val": slides(PATIENTS[20:30])}
    id_table(tmp_path / "in" / "splits_0.csv", **parts, test=[second, *slides(PATIENTS[30:])])
    table = labels(tmp_path / "table.csv")
    with pytest.raises(UserError, match=r"1 in train and test \(TCGA-AA-0000\); split by patient, or pass --allow_pat"):
        converted("clam", tmp_path / "in", tmp_path / "out", task="cls", labels=table)
    assert not (tmp_path / "out").exists()
    split = convert(
        "clam",
        tmp_path / "in",
        ForeignSettings(output_dir=tmp_path / "out", task="cls", labels=table, allow_patient_overlap=True),
    )
    assert "1 in train and test (TCGA-AA-0000)" in split.warnings[0]


def test_ids_without_a_row_or_a_label(tmp_path: Path):
    place = clam(tmp_path / "in")
    table = labels(tmp_path / "table.csv", PATIENTS[1:])
    text = table.read_text().replace(f"{SLIDES[PATIENTS[9]][0]},ILC", f"{SLIDES[PATIENTS[9]][0]},[Not Available]")
    table.write_text(text)
    with pytest.raises(
        UserError, match=r"2 ids of \d+ in .*splits_0\.csv are not in the label table \(TCGA-AA-0000-01"
    ):
        converted("clam", place, tmp_path / "out", task="cls", labels=table)
    split, folds, _ = converted("clam", place, tmp_path / "out", task="cls", labels=table, on_missing="drop")
    names = {name for found in patients_of(folds[0]).values() for name in found}
    assert names == {*PATIENTS} - {PATIENTS[0], PATIENTS[9]}
    notes = "\n".join(split.labelled.notes)
    slide, others = SLIDES[PATIENTS[9]][0], SLIDES[PATIENTS[0]]
    assert f"left out 1 id of the splits in {place} without a label: {slide}" in notes
    said = f"left out {len(others)} ids of the splits in {place} that the label table does not have: "
    assert said + ", ".join(others) in notes
    assert notes.count("left out") == 2  # once for all parts of all folds


def test_the_record_names_no_folder_of_this_machine(tmp_path: Path):
    """Whatever is said: ids left out, slides in no part, patients in two parts."""
    first, second = SLIDES[PATIENTS[0]]
    parts = {"train": [first, *slides(PATIENTS[1:20]), "x"], "val": slides(PATIENTS[20:30])}
    id_table(tmp_path / "in" / "splits_0.csv", **parts, test=[second, *slides(PATIENTS[30:39])])
    settings = ForeignSettings(
        output_dir=tmp_path / "out",
        task="cls",
        labels=labels(tmp_path / "table.csv"),
        on_missing="drop",
        allow_patient_overlap=True,
    )
    split = convert("clam", tmp_path / "in", settings)
    assert str(tmp_path) in split.warnings[0]  # what is printed says where
    text = (tmp_path / "out" / "splits.json").read_text()
    assert str(tmp_path) not in text
    record = json.loads(text)
    assert record["warnings"] == ["patients are in two parts of in/splits_0.csv: 1 in train and test (TCGA-AA-0000)"]
    assert record["notes"][-2].startswith("left out 1 id of the splits in in that the label table")
    assert record["notes"][-1].startswith("1 slide of table.csv in no part of the splits: ")
    assert (record["path"], record["options"]["labels"], record["options"]["output_dir"]) == ("in", "table.csv", "out")
    assert record["options"]["val_fraction"] == 0.2
    assert record["labels_sha256"] == hashlib.sha256((tmp_path / "table.csv").read_bytes()).hexdigest()


def test_numeric_ids_that_pandas_gave_decimals(tmp_path: Path):
    """The columns val and test are shorter than train, so that pandas writes their ids as floating-point numbers."""
    numbers = list(range(1, 13))
    write(tmp_path / "t.csv", [("case_id", "slide_id", "label"), *((f"P{n}", n, n % 2) for n in numbers)])
    parts = {"train": [str(n) for n in numbers[:6]], "val": ["7.0", "8.0", "9.0"], "test": ["10.0", "11.0", "12.0"]}
    id_table(tmp_path / "in" / "splits_0.csv", **parts)
    _, (fold,), record = converted("clam", tmp_path / "in", tmp_path / "out", task="cls", labels=tmp_path / "t.csv")
    assert [fold.slides(part) for part in PARTS] == [
        [str(n) for n in numbers[i:j]] for i, j in ((0, 6), (6, 9), (9, 12))
    ]
    assert "numbers such as 7.0 in the splits in in were read as ids without decimals" in record["notes"]


def test_survpath_means_patients_where_a_slide_has_the_name_of_one(tmp_path: Path):
    rows = [(f"P{n}", slide, n, n % 2) for n in range(20) for slide in (f"P{n}", f"P{n}_2")]
    write(tmp_path / "t.csv", [("case_id", "slide_id", "survival_months", "censorship"), *rows])
    patients = [f"P{n}" for n in range(20)]
    id_table(tmp_path / "in" / "splits_0.csv", train=patients[:15], val=patients[15:])
    _, (fold,), _ = converted("survpath", tmp_path / "in", tmp_path / "out", task="surv", labels=tmp_path / "t.csv")
    cases = (*fold.train, *fold.val, *fold.test)
    assert len(cases) == 20
    assert all(case.slide_ids == (case.case_id, f"{case.case_id}_2") for case in cases)


def test_what_is_in_no_part_is_counted(tmp_path: Path):
    place = tmp_path / "in"
    id_table(
        place / "splits_0.csv", train=slides(PATIENTS[:20]), val=slides(PATIENTS[20:28]), test=slides(PATIENTS[28:39])
    )
    split, _, _ = converted("clam", place, tmp_path / "out", task="cls", labels=labels(tmp_path / "table.csv"))
    assert split.labelled.notes[-1].endswith("table.csv in no part of the splits: TCGA-AA-0039-01Z-00-DX1")


def survpath(place: Path) -> Path:
    for k in range(5):
        id_table(place / f"splits_{k}.csv", train=[n for n in PATIENTS if n not in PATIENTS[k::5]], val=PATIENTS[k::5])
    return place


def test_survpath(tmp_path: Path):
    """Two parts of patients: val is reported, so it is the test part, and a validation part comes out of train."""
    table = labels(tmp_path / "table.csv")
    split, folds, record = converted("survpath", survpath(tmp_path / "in"), tmp_path / "out", task="surv", labels=table)
    assert len(folds) == 5
    for k, fold in enumerate(folds):
        parts = patients_of(fold)
        assert parts["test"] == {*PATIENTS[k::5]}
        assert len(parts["val"]) == 6  # a fifth of 32 patients
        assert parts["train"] | parts["val"] == {*PATIENTS} - parts["test"]
        assert not parts["train"] & parts["val"]
        for case in (*fold.train, *fold.val, *fold.test):
            assert case.slide_ids == tuple(SLIDES[case.case_id])
            assert (case.time, case.censored) == (MONTHS[case.case_id], CENSORED[case.case_id])
        # The drawn patients have the same share of events as the others, within one patient.
        events = sum(1 - CENSORED[name] for name in PATIENTS if name not in parts["test"])
        assert abs(sum(1 - CENSORED[name] for name in parts["val"]) - 6 * events / 32) <= 1
        edges = record["folds"][k]["bin_edges_months"]
        assert edges[0] == 0 and edges[-1] is None  # noqa: PT018 - one statement about one list
    assert "the splits have train and val only" in "\n".join(record["notes"])
    assert "folds 0, 1, 2, 3 and 4 had no validation part" in "\n".join(record["notes"])
    again, _, _ = converted("survpath", tmp_path / "in", tmp_path / "again", task="surv", labels=table)
    assert [fold.val for fold in again.folds] == [fold.val for fold in split.folds]
    other, _, _ = converted("survpath", tmp_path / "in", tmp_path / "other", task="surv", labels=table, seed=1)
    assert [fold.val for fold in other.folds] != [fold.val for fold in split.folds]


def test_transmil(tmp_path: Path):
    """Labels stand in the file, of which pandas writes those of the shorter columns as floats."""
    names = [f"{kind}_{number:03d}" for number in range(10) for kind in ("normal", "tumor")]
    parts = {"train": names[:12], "val": names[12:16], "test": names[16:]}
    columns: dict[str, Sequence[str]] = {}
    for part, found in parts.items():
        columns |= {part: found, f"{part}_label": [f"{float(s.startswith('tumor'))}" for s in found]}
    id_table(tmp_path / "in" / "fold0.csv", **columns)
    _, (fold,), record = converted("transmil", tmp_path / "in", tmp_path / "out", task="cls")
    assert {part: fold.slides(part) for part in PARTS} == parts
    assert [case.label for case in fold.test] == [0, 1, 0, 1]
    assert record["classes"] == {"0": 0, "1": 1}
    assert record["warnings"][0].startswith("every slide counts as a patient of its own")
    *_, record = converted("transmil", tmp_path / "in", tmp_path / "named", task="cls", classes=("normal", "tumor"))
    assert record["classes"] == {"normal": 0, "tumor": 1}
    with pytest.raises(UserError, match=r"--classes names 3 classes \('a', 'b', 'c'\): expected the 2 of the splits"):
        converted("transmil", tmp_path / "in", tmp_path / "c", task="cls", classes=("a", "b", "c"))


def part_table(path: Path, patients: Sequence[str]) -> Path:
    header = ("case_id", "slide_id", "OncoTreeCode", "os_censorship", "os_survival_days", "dss_censorship")
    header = (*header, "dss_survival_days")
    rows = [
        (p, s, CLASS[p], float(CENSORED[p]), 30.4375 * MONTHS[p], 1.0 - CENSORED[p], 60.875 * MONTHS[p])
        for p in patients
        for s in SLIDES[p]
    ]
    return write(path, [header, *rows])


def panther(place: Path, name: str = "TCGA_X_overall_survival") -> Path:
    """Folds of train and test; fold 0 has the test part as val.csv too, and a test part of another cohort."""
    for k in range(5):
        folder = place / f"{name}_k={k}"
        part_table(folder / "train.csv", [p for p in PATIENTS if p not in PATIENTS[k::5]])
        part_table(folder / "test.csv", PATIENTS[k::5])
    part_table(place / f"{name}_k=0" / "val.csv", PATIENTS[0::5])
    part_table(place / f"{name}_k=0" / "test_cptac.csv", PATIENTS[0::5])
    return place


def test_panther_survival(tmp_path: Path):
    _, folds, record = converted("panther", panther(tmp_path / "in"), tmp_path / "out", task="surv")
    for k, fold in enumerate(folds):
        assert patients_of(fold)["test"] == {*PATIENTS[k::5]}
        assert len(patients_of(fold)["val"]) == 6
        assert all(case.time == pytest.approx(MONTHS[case.case_id]) for case in fold.train)
        assert all(case.censored == CENSORED[case.case_id] for case in fold.train)
    notes = "\n".join(record["notes"])
    assert "the outcome is overall survival: os_survival_days and os_censorship (1 = censored)" in notes
    assert "val.csv holds the slides of test.csv, so that it is no validation part" in notes
    assert "not read, since of other cohorts: test_cptac.csv" in notes
    files = [f"in/TCGA_X_overall_survival_k={k}/{part}.csv" for k in range(5) for part in ("train", "test")]
    assert [source["file"] for source in record["sources"]] == files


def test_panther_with_another_outcome_of_one_fold(tmp_path: Path):
    options = {"time_column": "dss_survival_days", "censor_column": "dss_censorship", "time_unit": "days"}
    place = panther(tmp_path / "in") / "TCGA_X_overall_survival_k=3"
    _, (fold,), _ = converted("panther", place, tmp_path / "out", task="surv", **options)
    assert fold.index == 3
    assert all(case.time == pytest.approx(2 * MONTHS[case.case_id]) for case in fold.test)
    assert all(case.censored == 1 - CENSORED[case.case_id] for case in fold.test)


def test_panther_folders_of_several_cohorts(tmp_path: Path):
    panther(panther(tmp_path / "in"), "TCGA_Y_overall_survival")
    with pytest.raises(UserError, match=r"two folds 0: give the splits of one cohort"):
        converted("panther", tmp_path / "in", tmp_path / "out", task="surv")
    _, folds, _ = converted("panther", tmp_path / "in" / "TCGA_Y_overall_survival", tmp_path / "out", task="surv")
    assert len(folds) == 5


def test_panther_classification(tmp_path: Path):
    place = tmp_path / "in"
    for part, patients in (("train", PATIENTS[:20]), ("val", PATIENTS[20:30]), ("test", PATIENTS[30:])):
        part_table(place / f"{part}.csv", patients)
    _, (fold,), record = converted("panther", place, tmp_path / "out", task="cls", label_column="OncoTreeCode")
    assert patients_of(fold) == {"train": {*PATIENTS[:20]}, "val": {*PATIENTS[20:30]}, "test": {*PATIENTS[30:]}}
    assert record["classes"] == {"IDC": 0, "ILC": 1}


def test_panther_without_a_test_file(tmp_path: Path):
    part_table(tmp_path / "in" / "train.csv", PATIENTS[:30])
    part_table(tmp_path / "in" / "val.csv", PATIENTS[30:])
    _, (fold,), record = converted(
        "panther", tmp_path / "in", tmp_path / "out", task="cls", label_column="OncoTreeCode"
    )
    assert patients_of(fold)["test"] == {*PATIENTS[30:]}
    assert "in has no test.csv: val.csv is its test part" in record["notes"]


def test_mico_folds_get_names_and_bins_of_their_own(tmp_path: Path):
    """One published fold; its time bins are those of all patients."""
    table = labels(tmp_path / "table.csv")
    converted("survpath", survpath(tmp_path / "in"), tmp_path / "first", task="surv", labels=table)
    text = (tmp_path / "first" / "fold0.csv").read_text()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "fold0.csv").write_text(text.replace(",3,", ",0,"))  # a bin that is not of the training cases
    _, (fold,), record = converted("mico", tmp_path / "own", tmp_path / "out", task="surv")
    assert (tmp_path / "out" / "fold0.csv").read_text() == text
    assert {case.bin for case in fold.train} == {0, 1, 2, 3}
    assert "fold 0 is the only one" in "\n".join(record["notes"])

    converted("clam", clam(tmp_path / "clam"), tmp_path / "cls", task="cls", labels=table)
    (tmp_path / "cls" / "splits.json").unlink()
    _, _, record = converted("mico", tmp_path / "cls", tmp_path / "named", task="cls", classes=("duct", "lobe"))
    assert record["classes"] == {"duct": 0, "lobe": 1}
    with pytest.raises(UserError, match=r"--classes names 1 class \('duct'\): expected the 2 of"):
        converted("mico", tmp_path / "cls", tmp_path / "x", task="cls", classes=("duct",))


@pytest.mark.parametrize(
    ("layout", "files", "message"),
    [
        ("clam", {}, "in does not exist: give the folder of the splits, with splits_0.csv"),
        ("clam", {"notes.txt": "x"}, r"has no splits_0\.csv, splits_1\.csv and so on \(found notes\.txt\)"),
        ("clam", {"splits_0.csv": "train,test\na,b\n"}, r"lacks the column val \(found train, test\)"),
        ("clam", {"splits_0.csv": "train,val,test\n,b,c\n"}, "no id in its column train"),
        ("transmil", {"fold0.csv": "train,val,test\na,b,c\n"}, r"lacks the columns train_label"),
        ("panther", {"train.csv": "case_id,slide_id\na,b\n"}, r"in holds train\.csv: expected train\.csv, with val"),
        ("panther", {"x_k=0/test.csv": "case_id,slide_id\na,b\n"}, r"x_k=0 holds test\.csv: expected train\.csv"),
        ("mico", {"a.csv": "x"}, r"has no fold0\.csv, fold1\.csv and so on"),
    ],
)
def test_what_is_not_of_the_layout(tmp_path: Path, layout: str, files: dict[str, str], message: str):
    for name, text in files.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    table = labels(tmp_path / "table.csv") if layout == "clam" else None
    with pytest.raises(UserError, match=message):
        converted(layout, tmp_path / "in", tmp_path / "out", task="cls", labels=table)


def test_a_label_table_only_where_it_is_needed(tmp_path: Path):
    with pytest.raises(UserError, match=r"got no label table \(--labels\) with --from clam: give it"):
        converted("clam", clam(tmp_path / "in"), tmp_path / "out", task="cls")
    with pytest.raises(UserError, match=r"got a label table \(--labels\) with --from transmil: leave it out"):
        converted("transmil", tmp_path / "in", tmp_path / "out", task="cls", labels=labels(tmp_path / "table.csv"))


def test_a_table_of_patients_is_joined_with_feature_files(tmp_path: Path):
    """SurvPath's clinical tables name no slides."""
    write(
        tmp_path / "t.csv", [("case_id", "time_months", "dead"), *((p, MONTHS[p], 1 - CENSORED[p]) for p in PATIENTS)]
    )
    for slide_id in slides(PATIENTS):
        write(tmp_path / "features" / f"{slide_id}.pt", [])
    outcome = {"time_column": "time_months", "event_column": "dead", "features_dir": (tmp_path / "features",)}
    place = survpath(tmp_path / "in")
    joined, _, record = converted("survpath", place, tmp_path / "a", task="surv", labels=tmp_path / "t.csv", **outcome)
    of_slides, _, _ = converted("survpath", place, tmp_path / "b", task="surv", labels=labels(tmp_path / "table.csv"))
    assert [fold.train for fold in joined.folds] == [fold.train for fold in of_slides.folds]
    assert record["options"]["features_dir"] == ["features"]
    with pytest.raises(UserError, match=r"--features_dir\) with --from transmil, whose splits name the slides"):
        converted("transmil", place, tmp_path / "c", task="cls", features_dir=(tmp_path / "features",))


def test_errors_point_to_the_help_of_the_layout(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--from", "survpath", "x", "--task", "surv", "--output_dir", "y", "--n_fold", "3"])
    assert "see python -m datasets.make_splits --from survpath --help" in capsys.readouterr().err


def test_folds_that_are_there_are_kept(tmp_path: Path):
    table = labels(tmp_path / "table.csv")
    converted("survpath", survpath(tmp_path / "in"), tmp_path / "out", task="surv", labels=table)
    with pytest.raises(UserError, match="give another --output_dir, or pass --overwrite"):
        converted("clam", clam(tmp_path / "clam"), tmp_path / "out", task="cls", labels=table)
    converted("clam", tmp_path / "clam", tmp_path / "out", task="cls", labels=table, overwrite=True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["fold0.csv", "fold1.csv", "splits.json"]


def test_the_command(tmp_path: Path):
    place, table = clam(tmp_path / "in"), labels(tmp_path / "table.csv")
    command = [sys.executable, "-m", "datasets.make_splits", "--from", "clam", str(place), "--task", "cls"]
    command += ["--output_dir", str(tmp_path / "out")]
    ended = subprocess.run([*command, "--labels", str(table)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "classes: 'IDC' = 0, 'ILC' = 1" in ended.stdout
    assert ended.stdout.splitlines()[-1] == f"wrote 2 folds and splits.json to {tmp_path / 'out'}"
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "prog"),
    [
        (["--from", "monai", "clam"], ""),
        (["--from=monai", "clam"], ""),
        (["clam", "--from"], ""),
        (["--from", "panther"], " --from panther"),
        (["clam", "--from=mico", "--no_such", "1"], " --from mico"),
    ],
)
def test_a_wrong_option_points_to_the_layout_that_was_asked_for(
    options: list[str], prog: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main([*options, "--task", "cls", "--output_dir", "out"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"python -m datasets.make_splits{prog}: error: ")
    assert said.endswith(f"(see python -m datasets.make_splits{prog} --help)\n")
