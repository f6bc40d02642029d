from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from datasets.folds.cases import Case, Fold
from datasets.folds.splits import find_folds, keep_available, read_fold, write_fold
from utils.errors import UserError

CLS = "train_slide_id,train_label,val_slide_id,val_label,test_slide_id,test_label"
SURV_COLUMNS = ("slide_id", "case_id", "survival_months", "censorship", "disc_label")
SURV = ",".join(f"{part}_{name}" for part in ("train", "val", "test") for name in SURV_COLUMNS)

GOOD_CLS = ["a,0,c,1,d,0", "b,1,,,e,1"]
GOOD_SURV = [
    "s1,p1,1.5,0,0,s6,p5,7,1,1,s7,p6,3,0,0",
    "s2,p2,2,0,1,,,,,,s8,p6,3,0,0",
    "s3,p2,2.0,0.0,1.0,,,,,,,,,,",
    "s4,p3,8,0,2,,,,,,,,,,",
    "s5,p4,9,1,3,,,,,,,,,,",
]


def write(tmp_path: Path, header: str, lines: list[str], name: str = "fold0.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def ids(cases: tuple[Case, ...]) -> list[tuple[str, ...]]:
    return [case.slide_ids for case in cases]


class TestFindFolds:
    def test_lists_fold_files_in_numerical_order(self, tmp_path: Path) -> None:
        for name in ("fold10.csv", "fold2.csv", "fold0.csv", "fold3.csv.bak", "folds.csv", "fold01.csv", ".fold4.csv"):
            (tmp_path / name).touch()
        assert find_folds(tmp_path) == [0, 2, 10]

    def test_refuses_a_number_that_is_none_of_a_fold(self, tmp_path: Path) -> None:
        path = write(tmp_path, CLS, GOOD_CLS, "fold99999999999999999999.csv")
        for read in (find_folds, lambda directory: read_fold(path, "cls")):
            with pytest.raises(
                UserError, match=r"the number of .*fold9+\.csv is larger than 10,000, and no number of a"
            ):
                read(tmp_path)

    def test_refuses_an_empty_or_absent_directory(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no fold file in"):
            find_folds(tmp_path)
        with pytest.raises(UserError, match="absent does not exist"):
            find_folds(tmp_path / "absent")


class TestClassification:
    def test_a_fold_by_hand(self, tmp_path: Path) -> None:
        path = write(tmp_path, CLS, GOOD_CLS, "fold3.csv")
        fold = read_fold(path, "cls")
        assert (fold.index, fold.path, fold.task, fold.n_outputs) == (3, path, "cls", 2)
        assert fold.train == (Case("a", ("a",), label=0), Case("b", ("b",), label=1))
        assert fold.val == (Case("c", ("c",), label=1),)
        assert fold.part("test") == (Case("d", ("d",), label=0), Case("e", ("e",), label=1))
        with pytest.raises(ValueError, match="no part 'tset'"):
            fold.part("tset")

    def test_index_column_blanks_anywhere_floats_endings_and_spaces(self, tmp_path: Path) -> None:
        lines = [
            "0,,,001.svs, 1.0 ,d.x.pt,0.0",  # the training columns begin with a blank
            "1, a ,0,nan,nan,,",
            "2,,,,,e.h5,1",
            "3,b,2.0,,,,",
            "4,c,1,,,,",
        ]
        fold = read_fold(write(tmp_path, "Unnamed: 0," + CLS, lines), "cls")
        assert [(case.slide_ids[0], case.label) for case in fold.train] == [("a", 0), ("b", 2), ("c", 1)]
        assert fold.val == (Case("001", ("001",), label=1),)
        assert ids(fold.test) == [("d.x",), ("e",)]
        assert fold.n_outputs == 3
        assert read_fold(write(tmp_path, "," + CLS, lines), "cls") == fold

    def test_letters_and_blanks_that_look_the_same(self, tmp_path: Path) -> None:
        lines = ["Mu\u0308\u00a01,0,b,0,c,0", "d,1,e,1,f,1"]
        assert read_fold(write(tmp_path, CLS, lines), "cls").train[0] == Case("Mü 1", ("Mü 1",), label=0)

    def test_short_and_long_lines_and_a_byte_order_mark(self, tmp_path: Path) -> None:
        path = tmp_path / "fold0.csv"
        path.write_text("\n".join([CLS, *GOOD_CLS, "f,1", "g,0,,,,,,", ""]), encoding="utf-8-sig")
        assert ids(read_fold(path, "cls").train) == [("a",), ("b",), ("f",), ("g",)]

    def test_the_patient_is_the_case_id_or_the_barcode_or_the_slide(self, tmp_path: Path) -> None:
        barcode = "TCGA-2F-A9KO-01Z-00-DX1.195576CF"
        fold = read_fold(write(tmp_path, CLS, [f"{barcode}.svs,0,c,1,d,0", "b,1,,,,"]), "cls")
        assert fold.train[0] == Case("TCGA-2F-A9KO", (barcode,), label=0)
        header = CLS + ",train_case_id,val_case_id,test_case_id"
        fold = read_fold(write(tmp_path, header, ["a,0,c,1,d,0,p1,p2,p3", "b,1,,,,,p1,,"]), "cls")
        assert [case.case_id for case in fold.train] == ["p1", "p1"]

    def test_a_warning_where_nothing_names_the_patients(self, tmp_path: Path) -> None:
        path = write(tmp_path, CLS, GOOD_CLS)
        assert read_fold(path, "cls").warnings == (
            "every slide counts as a patient of its own, since the split files have no case_id columns and the slide "
            "ids show no patient; if patients have several slides, add these columns",
        )
        barcode = write(tmp_path, CLS, ["C3L-00001-21,0,c,1,d,0", *GOOD_CLS[1:]])
        assert read_fold(barcode, "cls").warnings == ()
        named = ["a,0,1,c,1,2,d,0,3", "b,1,4,,,,e,1,5"]
        header = ",".join(
            f"{part}_{name}" for part in ("train", "val", "test") for name in ("slide_id", "label", "case_id")
        )
        assert read_fold(write(tmp_path, header, named), "cls").warnings == ()
        path = write(tmp_path, CLS, GOOD_CLS)
        (tmp_path / "splits.json").write_text("{}")  # whoever wrote it has said so
        assert read_fold(path, "cls").warnings == ()

    def test_a_warning_for_ids_that_differ_in_letter_case_only(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, CLS, ["TCGA-AA-0001-a,0,c,1,d,0", "TCGA-AA-0001-A,1,,,,"]), "cls")
        assert "slides TCGA-AA-0001-a and TCGA-AA-0001-A of" in fold.warnings[0]
        assert "differ in letter case only" in fold.warnings[0]

    def test_more_than_two_classes(self, tmp_path: Path) -> None:
        assert read_fold(write(tmp_path, CLS, ["a,0,c,2,d,0", "b,1,,,e,1", "f,2,,,,"]), "cls").n_outputs == 3


class TestSurvival:
    def test_a_fold_by_hand(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, SURV, GOOD_SURV), "surv")
        assert fold.train == (
            Case("p1", ("s1",), time=1.5, censored=0, bin=0),
            Case("p2", ("s2", "s3"), time=2.0, censored=0, bin=1),
            Case("p3", ("s4",), time=8.0, censored=0, bin=2),
            Case("p4", ("s5",), time=9.0, censored=1, bin=3),
        )
        assert fold.val == (Case("p5", ("s6",), time=7.0, censored=1, bin=1),)
        assert fold.test == (Case("p6", ("s7", "s8"), time=3.0, censored=0, bin=0),)
        assert (fold.n_outputs, fold.warnings) == (4, ())

    def test_bins_come_from_the_training_cases_when_the_file_has_none(self, tmp_path: Path) -> None:
        header = ",".join(name for name in SURV.split(",") if not name.endswith("disc_label"))
        # Events in train: 1, 2, 4, 8 (p2 has two slides and counts once), so two bins part at the median 3.
        lines = [
            "s1,p1,1,0,s7,p6,2.99,0,s8,p7,3,1",
            "s2,p2,2,0,,,,,,,,",
            "s3,p2,2,0,,,,,,,,",
            "s4,p3,4,0,,,,,,,,",
            "s5,p4,8,0,,,,,,,,",
            "s6,p5,1000,1,,,,,,,,",
        ]
        fold = read_fold(write(tmp_path, header, lines), "surv", n_bins=2)
        assert [case.bin for case in fold.train] == [0, 0, 1, 1, 1]
        assert (fold.val[0].bin, fold.test[0].bin) == (0, 1)
        with pytest.raises(UserError, match=r"fold0.csv has no disc_label columns, and .* too tied for 40 bins"):
            read_fold(write(tmp_path, header, [lines[0], lines[1].replace(",2,0", ",1,0")]), "surv", n_bins=40)

    def test_a_bin_missing_in_train_is_a_warning(self, tmp_path: Path) -> None:
        lines = [*GOOD_SURV[:4], "s5,p4,9,1,2,,,,,,,,,,"]
        (warning,) = read_fold(write(tmp_path, SURV, lines), "surv").warnings
        assert "time bin 3 of 0..3" in warning

    def test_a_bin_outside_suggests_n_bins(self, tmp_path: Path) -> None:
        lines = [*GOOD_SURV[:4], "s5,p4,9,1,5,,,,,,,,,,"]
        with pytest.raises(UserError, match=r"case p4 has bin 5 in column train_disc_label .* 0\.\.3; pass --n_bins 6"):
            read_fold(write(tmp_path, SURV, lines), "surv")
        assert read_fold(write(tmp_path, SURV, lines), "surv", n_bins=6).n_outputs == 6

    @pytest.mark.parametrize("changed", ["s3,p2,2.5,0,1", "s3,p2,2,1,1", "s3,p2,2,0,0"])
    def test_one_time_event_and_bin_per_case(self, tmp_path: Path, changed: str) -> None:
        lines = [*GOOD_SURV[:2], f"{changed},,,,,,,,,,", *GOOD_SURV[3:]]
        with pytest.raises(UserError, match=r"case p2 has two outcomes in train of .*line 4"):
            read_fold(write(tmp_path, SURV, lines), "surv")

    def test_no_events_in_train(self, tmp_path: Path) -> None:
        lines = [line.replace(",0,0,s6", ",1,0,s6") for line in GOOD_SURV[:1]] + ["s5,p4,9,1,3,,,,,,,,,,"]
        with pytest.raises(UserError, match="no events among the 2 training cases"):
            read_fold(write(tmp_path, SURV, lines), "surv")
        header = ",".join(name for name in SURV.split(",") if not name.endswith("disc_label"))
        with pytest.raises(UserError, match="no events among the 1 training case of"):
            read_fold(write(tmp_path, header, ["s1,p1,1,1,s2,p2,2,0,s3,p3,3,0"]), "surv")


class TestRefusals:
    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            (["a,0,c,1,d,0", "b,0,,,,"], r"no training case of .* has label 1"),
            (["a,0,c,3,d,0", "b,1,,,,"], r"has label 2, 3: expected every class of 0\.\.3"),
            (["a,1,c,1,d,1", "b,1,,,,"], r"one class only \(label 1\)"),
            (["a,x,c,1,d,0"], r"found 'x' in column train_label, line 2 of .*fold0.csv"),
            (["a,0,c,1.5,d,0"], r"found '1.5' in column val_label, line 2"),
            (["a,0,c,1,d,-1"], r"found '-1' in column test_label, line 2"),
            (["a,0,c,inf,d,0"], r"found 'inf' in column val_label"),
            (["a,0,c,1,d,0", "b,,,,,"], r"line 3 of .* fills train_slide_id but not train_label"),
            (["a,0,c,1,d,0", ",1,,,,"], r"line 3 of .* fills train_label but not train_slide_id"),
            (["a,0,c,1,d,0", "b,1,,,,,9"], r"line 3 of .* has 7 cells where the header has 6"),
            (["a,0,c,1,d,0", "b,1,,,,", "a.svs,0,,,,"], r"slide a is twice in train"),
            (["a,0,c,1,a,0", "b,1,,,,"], r"slide a is in train and in test"),
            (
                ["a,0,c,1,d,0", ".svs,1,,,,"],
                r"found '\.svs' in column train_slide_id, line 3 of .* a slide id .* it is empty; rename",
            ),
            (
                ["a;b,0,c,1,d,0", "e,1,,,,"],
                r"found 'a;b' in column train_slide_id, line 2 of .* but it holds ';', which stands",
            ),
            (["=A1,0,c,1,d,0", "e,1,,,,"], r"found '=A1' in column train_slide_id, line 2 .* spreadsheet takes it for"),
            (
                ["a,0,c,1,cases.csv,0", "e,1,,,,"],
                r"found 'cases.csv' in column test_slide_id, .* name of a file that is",
            ),
            ([f"{'x' * 201},0,c,1,d,0"], r"found 'x+…x+' in column train_slide_id, .* has 201 bytes, of which 200"),
            (["a,0,c\x07,1,d,0"], r"found 'c\\x07' in column val_slide_id, line 2 of .* unprintable '\\x07'"),
            (["a,0,.x,1,d,0"], r"found '\.x' in column val_slide_id, line 2 of .* begins with '\.'"),
            (
                ["a,0,c,1000000000000,d,0", "b,1,,,,"],
                r"found '10+' in column val_label, line 2 of .*: expected 0 to 2, since the file has 3 different",
            ),
            (["a,0,c,0,d,0", "b,1,,,e,1e300"], r"found '1e300' in column test_label, line 3 of .*: expected 0 to 2,"),
            (["a,0,c,1,d,0", "b,6,,,,"], r"has label 1, 2, 3, 4, 5: expected every class of 0\.\.6 in train"),
            (["a,0,c,1,d,0", "b,8,,,,"], r"found '8' in column train_label, line 3 of .*: expected 0 to 2,"),
            (["a,9,c,9,d,9"], r"has one class only \(label 9\)"),
            (
                ["a,0,c,1,d,0", 'b,1,"e,0,,'],
                r"not CSV text .*the quotation mark in line 3 before 'e,0,,' is not closed",
            ),
            (["a,0,c,1,d,0,9"], r"line 2 of .* has 7 cells where the header has 6"),
            (["a,0,c,1_0,d,0"], r"found '1_0' in column val_label"),
            (["a,0,c,1e5000,d,0"], r"found '1e5000' in column val_label"),
            ([f"a,0,c,{'9' * 5000},d,0"], r"found '9+…9+' in column val_label, line 2"),
            (["a,0,,,d,0", "b,1,,,,"], r"no case in val"),
            ([], r"no case in train"),
        ],
    )
    def test_classification(self, tmp_path: Path, lines: list[str], message: str) -> None:
        with pytest.raises(UserError, match=message):
            read_fold(write(tmp_path, CLS, lines), "cls")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("1.5,0,0,s6", "soon,0,0,s6", r"found 'soon' in column train_survival_months, line 2"),
            ("1.5,0,0,s6", "-1,0,0,s6", r"found '-1' in column train_survival_months"),
            ("1.5,0,0,s6", "inf,0,0,s6", r"found 'inf' in column train_survival_months"),
            ("1.5,0,0,s6", "1e308,0,0,s6", r"found '1e308' in column train_survival_months, .* from 0 to 12,000"),
            ("1.5,0,0,s6", "1.5,0,1000000000,s6", r"case p1 has bin 1000000000 .* expected 0\.\.3; correct it"),
            ("s1,p1", "s1,=p1", r"found '=p1' in column train_case_id, line 2 of .* a case id that .* rename it"),
            ("1.5,0,0,s6", "1.5,2,0,s6", r"found '2' in column train_censorship, line 2 .* 0 \(event\) or 1"),
            ("1.5,0,0,s6", "1.5,0,0.5,s6", r"found '0.5' in column train_disc_label"),
            ("1.5,0,0,s6", "1.5,0,-1,s6", r"case p1 has bin -1 .* 0\.\.3; correct it"),
            ("1.5,0,0,s6", "1.5,0,,s6", r"fills .* but not train_disc_label"),
            ("s6,p5", "s6,p1", r"1 in train and val \(p1\)"),
        ],
    )
    def test_survival(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        lines = [GOOD_SURV[0].replace(old, new), *GOOD_SURV[1:]]
        assert lines != GOOD_SURV
        with pytest.raises(UserError, match=message):
            read_fold(write(tmp_path, SURV, lines), "surv")

    @pytest.mark.parametrize("n_bins", [1, 1001, 10**12])
    def test_numbers_of_bins_that_no_model_can_have(self, tmp_path: Path, n_bins: int) -> None:
        with pytest.raises(UserError, match=f"got {n_bins} survival bins?: expected 2 to 1,000"):
            read_fold(write(tmp_path, SURV, GOOD_SURV), "surv", n_bins=n_bins)

    def test_time_zero_is_allowed(self, tmp_path: Path) -> None:
        lines = [GOOD_SURV[0].replace("1.5", "0"), *GOOD_SURV[1:]]
        assert read_fold(write(tmp_path, SURV, lines), "surv").train[0].time == 0.0

    def test_columns(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"lacks the columns val_label, test_label \(found train_slide_id"):
            read_fold(write(tmp_path, "train_slide_id,train_label,val_slide_id,test_slide_id", ["a,0,b,c"]), "cls")
        with pytest.raises(UserError, match=r"lacks the columns train_survival_months"):
            read_fold(write(tmp_path, CLS, GOOD_CLS), "surv")
        with pytest.raises(UserError, match=r"lacks the columns val_case_id, test_case_id"):
            read_fold(write(tmp_path, CLS + ",train_case_id", ["a,0,c,1,d,0,p"]), "cls")
        with pytest.raises(UserError, match=r"column val_label twice"):
            read_fold(write(tmp_path, CLS + ",val_label", ["a,0,c,1,d,0,1"]), "cls")
        with pytest.raises(UserError, match=r"found no column"):
            read_fold(write(tmp_path, "", []), "cls")

    def test_files(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"fold7.csv cannot be read \(No such file"):
            read_fold(tmp_path / "fold7.csv", "cls")
        with pytest.raises(UserError, match="not named like a fold file"):
            read_fold(write(tmp_path, CLS, GOOD_CLS, "split.csv"), "cls")
        (tmp_path / "fold1.csv").write_bytes(b"\xff\xfe\x00\xd8")
        with pytest.raises(UserError, match="not CSV text"):
            read_fold(tmp_path / "fold1.csv", "cls")
        with pytest.raises(ValueError, match="unknown task"):
            read_fold(write(tmp_path, CLS, GOOD_CLS), "subtyping")


class TestPatients:
    SLIDES = ("TCGA-AA-0001-01Z-00-DX1.A", "TCGA-AA-0001-01Z-00-DX2.B", "TCGA-AA-0002-01Z-00-DX1.C")

    def test_slides_of_one_barcode_in_two_parts(self, tmp_path: Path) -> None:
        one, two, other = self.SLIDES
        path = write(tmp_path, CLS, [f"{one},0,{other},1,{two},0", "x,1,,,,"])
        with pytest.raises(UserError, match=r"1 in train and test \(TCGA-AA-0001\); split by patient"):
            read_fold(path, "cls")
        fold = read_fold(path, "cls", allow_patient_overlap=True)
        assert len(fold.warnings) == 1
        assert "1 in train and test (TCGA-AA-0001)" in fold.warnings[0]

    def test_barcodes_in_any_letter_case_and_ids_of_cptac(self, tmp_path: Path) -> None:
        path = write(tmp_path, CLS, ["tcga-aa-0001-01z,0,C3L-00001-21,1,TCGA-AA-0001-02Z,0", "x,1,,,c3l-00001-22,1"])
        with pytest.raises(UserError, match=r"1 in train and test \(TCGA-AA-0001\); 1 in val and test \(C3L-00001\)"):
            read_fold(path, "cls")

    def test_counts_patients_per_pair_and_names_the_first_five(self, tmp_path: Path) -> None:
        header = CLS + ",train_case_id,val_case_id,test_case_id"
        lines = [f"a{i},{i % 2},b{i},{i % 2},c{i},{i % 2},p{i},p{i},q{i // 2}" for i in range(7)]
        lines.append("a7,0,b7,0,c7,0,q0,q9,q1")
        with pytest.raises(UserError) as caught:
            read_fold(write(tmp_path, header, lines), "cls")
        assert "7 in train and val (p0, p1, p2, p3, p4, ...)" in str(caught.value)
        assert "1 in train and test (q0)" in str(caught.value)
        assert "val and test" not in str(caught.value)

    def test_survival_compares_case_ids_and_barcodes(self, tmp_path: Path) -> None:
        one, two, other = self.SLIDES
        header = ",".join(name for name in SURV.split(",") if not name.endswith("disc_label"))
        lines = [f"{one},x1,1,0,{two},x2,2,0,{other},x3,3,0", "s4,x4,2,0,,,,,,,,"]
        with pytest.raises(UserError, match=r"1 in train and val \(TCGA-AA-0001\)"):
            read_fold(write(tmp_path, header, lines), "surv", n_bins=2)
        lines = [f"{one},x1,1,0,v,x2,2,0,{other},x1,3,0", "s4,x4,2,0,,,,,,,,"]
        with pytest.raises(UserError, match=r"1 in train and test"):
            read_fold(write(tmp_path, header, lines), "surv", n_bins=2)


class TestWriting:
    @pytest.mark.parametrize("task", ["cls", "surv"])
    def test_round_trip(self, tmp_path: Path, task: str) -> None:
        fold = read_fold(write(tmp_path, *((CLS, GOOD_CLS) if task == "cls" else (SURV, GOOD_SURV))), task)
        (tmp_path / "out").mkdir()
        path = tmp_path / "out" / "fold0.csv"
        write_fold(path, fold)
        assert read_fold(path, task) == replace(fold, path=path)
        assert [entry.name for entry in path.parent.iterdir()] == ["fold0.csv"]

    def test_the_text_of_a_classification_fold(self, tmp_path: Path) -> None:
        fold = Fold(
            0, tmp_path / "fold0.csv", "cls", 2, (Case("a", ("a",), 0), Case("b", ("b",), 1)),
            (Case("c", ("c",), 1),), (Case("d", ("d",), 0),),
        )  # fmt: skip
        write_fold(fold.path, fold)
        assert fold.path.read_text() == f"{CLS}\na,0,c,1,d,0\nb,1,,,,\n"
        with_patients = replace(fold, val=(Case("p", ("c",), 1),))
        write_fold(fold.path, with_patients)
        assert fold.path.read_text().splitlines()[1] == "a,a,0,c,p,1,d,d,0"
        assert read_fold(fold.path, "cls") == with_patients

    def test_times_survive_to_the_last_digit(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, SURV, GOOD_SURV), "surv")
        fold = replace(fold, val=(replace(fold.val[0], time=0.1 + 0.2),))
        write_fold(fold.path, fold)
        assert read_fold(fold.path, "surv").val[0].time == 0.1 + 0.2


class TestKeepAvailable:
    def test_all_there(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, SURV, GOOD_SURV), "surv")
        assert keep_available(fold, {f"s{i}" for i in range(1, 9)}, "error") == (fold, ())

    def test_error_counts_and_names(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, SURV, GOOD_SURV), "surv")
        with pytest.raises(UserError, match=r"2 of 8 slides of .* have no feature file \(s3, s7\)"):
            keep_available(fold, {"s1", "s2", "s4", "s5", "s6", "s8"}, "error")

    def test_the_nearest_id_that_no_slide_of_the_fold_has(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, SURV, GOOD_SURV), "surv")
        available = {"s1", "s2", "S-03", "s4", "s5", "s6", "s7", "s8"}
        with pytest.raises(UserError, match=r"1 of 8 slides of .* \(s3, nearest S-03: punctuation\): extract"):
            keep_available(fold, available, "error")

    def test_drop_keeps_what_is_left_of_a_case(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, SURV, GOOD_SURV), "surv")
        kept, missing = keep_available(fold, {"s1", "s2", "s5", "s6", "s8"}, "drop")
        assert missing == ("s3", "s4", "s7")
        assert ids(kept.train) == [("s1",), ("s2",), ("s5",)]
        assert ids(kept.test) == [("s8",)]
        assert kept.n_outputs == 4
        assert "3 of 8 slides" in kept.warnings[0]
        assert "time bin 2 of 0..3" in kept.warnings[1]

    def test_drop_refuses_an_emptied_part_and_an_unlearnable_rest(self, tmp_path: Path) -> None:
        fold = read_fold(write(tmp_path, SURV, GOOD_SURV), "surv")
        with pytest.raises(UserError, match="leaves no case in val"):
            keep_available(fold, {"s1", "s7"}, "drop")
        with pytest.raises(UserError, match="no events among the 1 training case of"):
            keep_available(fold, {"s5", "s6", "s7"}, "drop")
        fold = read_fold(write(tmp_path, CLS, GOOD_CLS), "cls")
        with pytest.raises(UserError, match=r"1 of 5 slides .* and without them no training case of .* has label 1"):
            keep_available(fold, {"a", "c", "d", "e"}, "drop")
        with pytest.raises(ValueError, match="unknown choice"):
            keep_available(fold, {"a"}, "skip")


def test_the_examples_of_the_documentation(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "data_formats.md").read_text()
    examples = re.findall(r"^```\n(train_.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    for block in examples:
        (tmp_path / "fold0.csv").write_text(block)
        fold = read_fold(tmp_path / "fold0.csv", "surv" if "survival_months" in block else "cls")
        if fold.task == "cls":
            assert [case.label for case in (*fold.train, *fold.val, *fold.test)] == [0, 1, 1, 1, 0, 0, 1]
        else:
            assert fold.train[0] == Case("P1", ("slide_1", "slide_2"), time=14.5, censored=0, bin=1)
