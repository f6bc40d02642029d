from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.folds.split_report import median_follow_up
from datasets.folds.splits import find_folds, read_fold
from datasets.make_splits import make_splits as command
from datasets.make_splits.__main__ import main

ROOT = Path(__file__).parents[3]
PARTS = ("train", "val", "test")
SURVIVAL = ["--task", "surv", "--censor_column", "censorship", "--time_unit", "months"]
CLASSES = ["--task", "cls", "--label_column", "oncotree_code"]
NAMES = [*(f"fold{k}.csv" for k in range(4)), "splits.json"]


def blca_like(n_cases: int = 160, seed: int = 0) -> pd.DataFrame:
    """A made-up table in the shape of a TCGA one: 10 % of cases with several slides, 16 sites, columns of genes."""
    rng = np.random.default_rng(seed)
    sites = np.array([f"{letter}{digit}" for letter in "ABCD" for digit in "2479"])
    n_slides = np.where(np.arange(n_cases) < n_cases // 10, rng.integers(2, 4, n_cases), 1)
    cases = pd.DataFrame(
        {
            "case_id": [f"TCGA-{site}-A{i:03d}" for i, site in enumerate(rng.permutation(np.arange(n_cases) % 16))],
            "is_female": rng.integers(0, 2, n_cases).astype(float),
            "oncotree_code": rng.choice(["IDC", "ILC"], n_cases, p=[0.7, 0.3]),
            "survival_months": np.round(rng.exponential(30, n_cases) + 0.01, 2),
            "censorship": (rng.random(n_cases) < 0.55).astype(float),
        }
    )
    cases["case_id"] = [f"TCGA-{sites[int(name[5:-5])]}{name[-5:]}" for name in cases["case_id"]]
    table = cases.loc[np.repeat(np.arange(n_cases), n_slides)].reset_index(drop=True)
    number = table.groupby("case_id").cumcount() + 1
    slide_id = [
        f"{case}-01Z-00-DX{j}.{rng.bytes(4).hex()}.svs" for case, j in zip(table["case_id"], number, strict=True)
    ]
    table.insert(1, "slide_id", slide_id)
    table.insert(2, "site", table["case_id"].str[5:7])
    genes = pd.DataFrame(rng.normal(size=(len(table), 300)).round(3), columns=[f"G{i}_rnaseq" for i in range(300)])
    return pd.concat([table, genes], axis=1).sample(frac=1, random_state=seed).reset_index(drop=True)


def save(table: pd.DataFrame, path: Path) -> Path:
    table.to_csv(path)  # with a leading unnamed index column; zipped when the name says so
    return path


def run(table: pd.DataFrame, place: Path, *arguments: str) -> Path:
    """Make splits of the table in `place`, and return their directory."""
    labels = save(table, place / "labels.csv")
    assert main(["--labels", str(labels), "--output_dir", str(place / "splits"), *arguments]) == 0
    return place / "splits"


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix == ".csv"}


def ids(directory: Path, k: int, name: str) -> list[set[str]]:
    """The filled cells of `train_{name}`, `val_{name}`, `test_{name}`, read without the code that writes them."""
    table = pd.read_csv(directory / f"fold{k}.csv", dtype=str)
    return [set(table[f"{part}_{name}"].dropna()) for part in PARTS]


@pytest.fixture(scope="module")
def blca() -> pd.DataFrame:
    return blca_like()


@pytest.fixture(scope="module")
def survival(blca: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("survival")
    labels = save(blca, place / "tcga_blca_all_clean.csv.zip")
    assert main(["--labels", str(labels), "--output_dir", str(place / "deep/splits"), *SURVIVAL]) == 0
    return place / "deep/splits"


def test_survival_folds_of_a_zipped_table(blca: pd.DataFrame, survival: Path):
    assert sorted(path.name for path in survival.iterdir()) == NAMES  # and nothing temporary
    slides = blca["slide_id"].str.removesuffix(".svs")
    outcome = blca.drop_duplicates("case_id").set_index("case_id")
    tested: list[str] = []
    for k in find_folds(survival):
        patients, names = ids(survival, k, "case_id"), ids(survival, k, "slide_id")
        assert sum(map(len, patients)) == len(set.union(*patients)) == 160
        assert sum(map(len, names)) == len(set.union(*names)) == len(slides)
        assert set.union(*names) == set(slides)
        assert all({name[:12] for name in part} == people for part, people in zip(names, patients, strict=True))
        assert len(patients[2]) == 40
        assert len(patients[1]) == 30
        tested += patients[2]
        fold = read_fold(survival / f"fold{k}.csv", "surv")
        assert (fold.warnings, fold.n_outputs) == ((), 4)
        for case in (*fold.train, *fold.val, *fold.test):
            row = outcome.loc[case.case_id]
            assert (case.time, case.censored) == (row["survival_months"], row["censorship"])
    assert sorted(tested) == sorted(outcome.index)


def test_written_bins_are_those_that_read_fold_makes_itself(survival: Path, tmp_path: Path):
    for k in range(4):
        table = pd.read_csv(survival / f"fold{k}.csv", dtype=str)
        table.drop(columns=[f"{part}_disc_label" for part in PARTS]).to_csv(tmp_path / f"fold{k}.csv", index=False)
        assert read_fold(tmp_path / f"fold{k}.csv", "surv").test == read_fold(survival / f"fold{k}.csv", "surv").test


def test_the_record_says_how(blca: pd.DataFrame, survival: Path):
    text = (survival / "splits.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert str(survival.parent.parent) not in text  # no folder of this machine
    labels = survival.parent.parent / record["options"]["labels"]
    assert record["labels_sha256"] == hashlib.sha256(labels.read_bytes()).hexdigest()
    assert (record["seed"], record["time_unit"], record["days_per_month"]) == (2024, "months", 30.4375)
    assert record["options"]["censor_column"] == "censorship"
    assert (record["dropped_slides"], record["warnings"]) == ([], [])
    assert set(record["versions"]) == {"numpy", "scikit-learn", "scikit-survival"}
    assert [fold["fold"] for fold in record["folds"]] == [0, 1, 2, 3]
    for k, fold in enumerate(record["folds"]):
        train = blca[blca["case_id"].isin(ids(survival, k, "case_id")[0])]
        people = train.drop_duplicates("case_id")
        assert fold["parts"]["train"] == {
            "cases": len(people),
            "slides": len(train),
            "events": int((people["censorship"] == 0).sum()),
            "median_follow_up_months": median_follow_up(people["survival_months"], people["censorship"]),
        }
        inner = np.quantile(people.loc[people["censorship"] == 0, "survival_months"], [0.25, 0.5, 0.75])
        assert fold["bin_edges_months"] == [0.0, *inner.tolist(), None]


def test_class_folds(blca: pd.DataFrame, tmp_path: Path):
    splits = run(blca, tmp_path, *CLASSES, "--classes", "ILC", "IDC")
    written = {"ILC": 0, "IDC": 1}
    label_of = {row.slide_id.removesuffix(".svs"): written[row.oncotree_code] for row in blca.itertuples()}
    counts = []
    for k in range(4):
        fold = read_fold(splits / f"fold{k}.csv", "cls")
        assert (fold.warnings, fold.n_outputs) == ((), 2)
        cases = [*fold.train, *fold.val, *fold.test]
        assert {case.slide_ids[0]: case.label for case in cases} == label_of
        assert all(case.case_id == case.slide_ids[0][:12] for case in cases)
        patients = [{name[:12] for name in part} for part in ids(splits, k, "slide_id")]
        assert sum(map(len, patients)) == len(set.union(*patients)) == 160
        counts.append(len({case.case_id for case in fold.test if case.label == 0}))
    assert max(counts) - min(counts) <= 1
    record = json.loads((splits / "splits.json").read_text(encoding="utf-8"))
    assert record["classes"] == written
    assert record["folds"][0]["parts"]["test"]["slides_per_class"]["ILC"] == sum(
        label_of[name] == 0 for name in ids(splits, 0, "slide_id")[2]
    )


@settings(deadline=None, max_examples=6, derandomize=True)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([SURVIVAL, CLASSES]), st.integers(2, 5))
def test_the_order_of_rows_and_columns_does_not_matter(cohort: int, order: int, task: list[str], n_folds: int):
    table = blca_like(100, cohort).iloc[:, :12]
    rng = np.random.default_rng(order)
    shuffled = table.iloc[rng.permutation(len(table)), rng.permutation(table.shape[1])]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        arguments = [*task, "--n_folds", str(n_folds), "--seed", str(order)]
        first, second = run(table, Path(one), *arguments), run(shuffled, Path(two), *arguments)
        assert contents(first) == contents(second)
        assert find_folds(first) == list(range(n_folds))
        for k in range(n_folds):
            assert read_fold(first / f"fold{k}.csv", task[1]).warnings == ()


def test_event_and_censor_columns_and_both_units_give_the_same_folds(
    blca: pd.DataFrame, survival: Path, tmp_path: Path
):
    table = blca.assign(
        vital_status=(1 - blca["censorship"]).astype(int),
        days=[repr(months * 30.4375) for months in blca["survival_months"]],
    )
    (tmp_path / "event").mkdir()
    splits = run(table, tmp_path / "event", "--task", "surv", "--event_column", "vital_status", "--time_unit", "months")
    assert contents(splits) == contents(survival)
    arguments = ["--task", "surv", "--event_column", "vital_status", "--time_column", "days", "--time_unit", "days"]
    in_days = run(table, tmp_path, *arguments)
    for k in range(4):
        for name in ("train", "val", "test"):
            ours, theirs = (read_fold(d / f"fold{k}.csv", "surv").part(name) for d in (in_days, survival))
            assert [(c.case_id, c.censored, c.bin) for c in ours] == [(c.case_id, c.censored, c.bin) for c in theirs]
            np.testing.assert_allclose([c.time for c in ours], [c.time for c in theirs], rtol=1e-12)


def test_site_preserving_folds(blca: pd.DataFrame, tmp_path: Path):
    splits = run(blca, tmp_path, *SURVIVAL, "--site_preserving")
    tested: list[str] = []
    for k in range(4):
        sites = [{name[5:7] for name in part} for part in ids(splits, k, "case_id")]
        assert sum(map(len, sites)) == len(set.union(*sites)) == 16
        assert read_fold(splits / f"fold{k}.csv", "surv").warnings == ()
        tested += sites[2]
    assert sorted(tested) == sorted(set(blca["site"]))


def test_ids_without_barcodes_and_one_column_for_both(tmp_path: Path):
    table = pd.DataFrame({"name": [f"s{i}.svs" for i in range(40)], "label": [i % 2 for i in range(40)]})
    splits = run(table, tmp_path, "--task", "cls", "--case_column", "name", "--slide_column", "name")
    fold = read_fold(splits / "fold0.csv", "cls")
    assert all(case.case_id == case.slide_ids[0] and case.label == int(case.case_id[1:]) % 2 for case in fold.train)
    patients = table.assign(case_id=[f"P{i // 2}" for i in range(40)], label=[i // 2 % 2 for i in range(40)])
    (tmp_path / "b").mkdir()
    splits = run(patients, tmp_path / "b", "--task", "cls", "--slide_column", "name")
    assert all(len(set.union(*ids(splits, k, "case_id"))) == sum(map(len, ids(splits, k, "case_id"))) for k in range(4))


def test_what_is_said(blca: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    table = blca.astype({"survival_months": object, "oncotree_code": object})
    table.loc[[3, 8], "survival_months"] = ""
    table.loc[5, "censorship"] = np.nan
    run(table, tmp_path, *[name.replace("months", "days") for name in SURVIVAL])
    dropped = [table["slide_id"][row].removesuffix(".svs") for row in (3, 5, 8)]
    assert (
        "3 slides have no label (survival_months: 2 empty; censorship: 1 empty): " + ", ".join(dropped)
    ) in caplog.messages
    assert any(
        re.fullmatch(r"censorship: 1\.0 = censored \(\d+ patients\), 0\.0 = event \(\d+ patients\)", m)
        for m in caplog.messages
    )
    assert "times in days were divided by 30.4375 (365.25 / 12) to give months" in caplog.messages
    header, *lines = next(message for message in caplog.messages if message.startswith("fold ")).splitlines()
    assert header.split() == ["fold", "part", "cases", "slides", "events", "median", "follow-up", "(months)"]
    assert [line.split()[:2] for line in lines] == [[str(k), part] for k in range(4) for part in PARTS]
    record = json.loads((tmp_path / "splits/splits.json").read_text(encoding="utf-8"))
    assert record["dropped_slides"] == dropped
    train = record["folds"][0]["parts"]["train"]
    said = [train["cases"], train["slides"], train["events"], f"{train['median_follow_up_months']:.1f}"]
    assert lines[0].split()[2:] == [str(value) for value in said]

    caplog.clear()
    run(table, tmp_path, *CLASSES, "--overwrite")
    assert "classes: 'IDC' = 0, 'ILC' = 1" in caplog.messages
    assert f"wrote 4 folds and splits.json to {tmp_path / 'splits'}" in caplog.messages


def test_a_status_turned_round_is_warned_about(blca: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    order = blca.drop_duplicates("case_id")["case_id"].tolist()
    dead = blca["case_id"].isin(order[:155])
    table = blca.assign(censorship=(~dead).astype(int))
    run(table, tmp_path, *SURVIVAL)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("155 of 160 cases (96.9%) have an event: did you pass censorship as event?" in text for text in warned)
    assert any("5 patients censored have too small or tied quartiles for 4 folds" in text for text in warned)
    record = json.loads((tmp_path / "splits/splits.json").read_text(encoding="utf-8"))
    assert [f"warning: {text}" for text in record["warnings"]] == warned
    caplog.clear()
    shutil.rmtree(tmp_path / "splits")
    few = ["--event_column", "censorship", "--task", "surv", "--time_unit", "months", "--n_bins", "2"]
    run(table, tmp_path, *few)
    assert "5 of 160 cases (3.1%) have an event: did you pass censorship as event?" in caplog.text


def test_folds_are_replaced_only_when_asked(blca: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    splits = run(blca, tmp_path, *SURVIVAL, "--n_folds", "5")
    (splits / "fold_notes.csv").write_text("mine")
    before = {path.name: path.read_bytes() for path in splits.iterdir()}
    arguments = ["--labels", str(tmp_path / "labels.csv"), "--output_dir", str(splits), *SURVIVAL]
    assert main(arguments) == 2
    assert "holds fold0.csv, fold1.csv, fold2.csv, fold3.csv, fold4.csv, ... already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in splits.iterdir()} == before
    assert main([*arguments, "--overwrite"]) == 0
    assert sorted(path.name for path in splits.iterdir()) == sorted([*NAMES, "fold_notes.csv"])
    assert all((splits / f"fold{k}.csv").read_bytes() != before[f"fold{k}.csv"] for k in range(4))
    assert json.loads((splits / "splits.json").read_text(encoding="utf-8"))["options"]["n_folds"] == 4


def test_a_full_disk_leaves_the_old_folds(
    blca: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    splits = run(blca, tmp_path, *SURVIVAL)
    before = {path.name: path.read_bytes() for path in splits.iterdir()}
    write = command.write_fold

    def full(path: Path, fold: object) -> None:
        if path.name == "fold2.csv":
            raise OSError(28, "No space left on device", str(path))
        write(path, fold)

    monkeypatch.setattr(command, "write_fold", full)
    arguments = ["--labels", str(tmp_path / "labels.csv"), "--output_dir", str(splits), *SURVIVAL, "--seed", "1"]
    assert main([*arguments, "--overwrite"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in splits.iterdir()} == before


def test_a_split_that_is_not_whole_has_no_record(
    blca: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    splits = run(blca, tmp_path, *SURVIVAL)
    (splits / "fold1.csv").unlink()
    (splits / "fold1.csv").mkdir()  # no file can be moved here
    arguments = ["--labels", str(tmp_path / "labels.csv"), "--output_dir", str(splits), *SURVIVAL, "--overwrite"]
    assert main(arguments) == 2
    assert "fold1.csv" in capsys.readouterr().err
    assert sorted(path.name for path in splits.iterdir()) == NAMES[:4]


@pytest.mark.parametrize(
    ("arguments", "change", "message"),
    [
        ([*SURVIVAL, "--event_column", "is_female"], None, "both of --event_column"),
        (["--task", "surv", "--time_column", "G0_rnaseq"], None, "is known as the survival status"),
        ([*SURVIVAL, "--classes", "A", "B"], None, "--classes belongs to --task cls"),
        ([*SURVIVAL, "--n_folds", "1"], None, "--n_folds is 1: expected 2 or more"),
        ([*SURVIVAL, "--n_folds", "80"], None, "have an event, too few for 80 folds"),
        (
            [*SURVIVAL, "--time_column", "Survival_Months"],
            None,
            r"lacks the column Survival_Months \(did you mean survival_months\?\) \(found case_id, .* in all\)",
        ),
        (
            ["--task", "cls"],
            None,
            r"called label \(columns of 2 to 10 different values: is_female, oncotree_code, cens",
        ),
        ([*CLASSES, "--classes", "IDC", "MDLC"], None, "holds 'ILC', not among --classes 'IDC', 'MDLC'"),
        ([*SURVIVAL, "--labels", "none.csv"], None, r"none\.csv cannot be read"),
        (SURVIVAL, ("survival_months", "-3"), r"found '-3' in column survival_months, line 6 of"),
        (SURVIVAL, ("censorship", "2"), r"found '2' in column censorship, line 6 of"),
        (SURVIVAL, ("slide_id", ""), r"line 6 of .* has no id in column slide_id"),
        ([*SURVIVAL, "--site_preserving"], ("case_id", "PAT-7"), "the case id PAT-7 is no TCGA barcode"),
        ([*SURVIVAL, "--site_preserving", "--n_folds", "17"], None, "16 sites .* are too few for 17 folds"),
    ],
)
def test_refusals_are_one_sentence_and_write_nothing(
    blca: pd.DataFrame,
    tmp_path: Path,
    arguments: list[str],
    change: tuple[str, str] | None,
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    table = blca.iloc[:, :40].astype(object)
    if change:
        table.loc[4, change[0]] = change[1]
    labels = save(table, tmp_path / "labels.csv")
    assert main(["--labels", str(labels), "--output_dir", str(tmp_path / "out"), *arguments]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("python -m datasets.make_splits: error: ")
    assert printed.count("\n") == 1
    assert re.search(message, printed), printed
    assert not (tmp_path / "out").exists()


def test_two_outcomes_of_one_patient(blca: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    twice = blca["case_id"][blca["case_id"].duplicated()].iloc[0]
    table = blca.copy()
    table.loc[table.index[table["case_id"] == twice][0], "censorship"] = (
        1 - table.loc[table["case_id"] == twice, "censorship"].iloc[0]
    )
    labels = save(table, tmp_path / "labels.csv")
    assert main(["--labels", str(labels), "--output_dir", str(tmp_path / "out"), *SURVIVAL]) == 2
    assert f"case {twice} has two outcomes in {labels}" in capsys.readouterr().err


def test_a_file_in_place_of_the_directory(blca: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    labels = save(blca, tmp_path / "labels.csv")
    assert main(["--labels", str(labels), "--output_dir", str(labels), *SURVIVAL]) == 2
    assert f"--output_dir {labels} is a file: give a directory" in capsys.readouterr().err


@pytest.fixture
def shell(tmp_path: Path) -> Callable[[list[str]], subprocess.CompletedProcess[str]]:
    def run_it(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run_it


def test_step_2_of_the_readme(
    blca: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```\n( *\.venv/bin/python -m datasets\.make_splits.*?)```", text, flags=re.DOTALL)
    assert block
    commands = [shlex.split(line)[3:] for line in block.group(1).replace("\\\n", " ").strip().splitlines()]
    genes = pd.DataFrame(0.25, index=blca.index, columns=[f"GENE{i}_rnaseq" for i in range(20_000)])
    with zipfile.ZipFile(tmp_path / "tcga_luad_all_clean.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        # Patch-GCN's zips call their member like this.
        archive.writestr("../dataset_csv/tcga_luad_all_clean.csv.zip", pd.concat([blca, genes], axis=1).to_csv())
    blca.iloc[:, :6].rename(columns={"oncotree_code": "subtype"}).to_excel(tmp_path / "brca_subtypes.xlsx", index=False)
    for slide_id in blca["slide_id"]:
        (tmp_path / f"{Path(slide_id).stem}.pt").touch()
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    for arguments in commands:
        assert main([str(tmp_path) if word == "/data/brca/conch_v15" else word for word in arguments]) == 0
        place = Path(arguments[arguments.index("--output_dir") + 1])
        assert sorted(path.name for path in place.iterdir()) == NAMES
        assert caplog.messages[-1] == f"wrote 4 folds and splits.json to {place}"
    said = (
        "tcga_luad_all_clean.csv.zip: the survival time is in survival_months, the status in censorship (1 = censored)"
    )
    assert said in caplog.messages
    assert not any("without a feature file" in message or "without a row" in message for message in caplog.messages)


def test_a_table_of_patients_and_features(blca: pd.DataFrame, tmp_path: Path):
    patients = blca.drop_duplicates("case_id")[["case_id", "survival_months", "censorship"]]
    patients.columns = ["PATIENT_ID", "OS_MONTHS", "OS_STATUS"]
    patients["OS_STATUS"] = np.where(patients["OS_STATUS"] == 1, "0:LIVING", "1:DECEASED")
    (tmp_path / "features").mkdir()
    for slide_id in blca["slide_id"]:
        (tmp_path / "features" / f"{Path(slide_id).stem.lower()}.pt").touch()
    splits = run(patients, tmp_path, "--task", "surv", "--features_dir", str(tmp_path / "features"))
    (tmp_path / "b").mkdir()
    lower = blca.assign(slide_id=blca["slide_id"].str.removesuffix(".svs").str.lower())
    assert contents(splits) == contents(run(lower, tmp_path / "b", *SURVIVAL))
    record = json.loads((splits / "splits.json").read_text(encoding="utf-8"))
    assert record["columns"]["event"] == "OS_STATUS"
    assert f"160 patients of labels.csv joined with {len(blca)} slides" in record["notes"]
    assert record["options"]["features_dir"] == ["features"]


def test_class_names_and_missing_words_are_recorded(blca: pd.DataFrame, tmp_path: Path):
    table = blca.assign(oncotree_code=blca["oncotree_code"].where(blca.index > 2, "[Not Available]"))
    splits = run(table, tmp_path, *CLASSES, "--n_folds", "3")
    record = json.loads((splits / "splits.json").read_text(encoding="utf-8"))
    assert record["classes"] == {"IDC": 0, "ILC": 1}
    assert record["missing"] == {"oncotree_code": {"[Not Available]": 3}}
    assert record["columns"] == {"slide": "slide_id", "case": "case_id", "label": "oncotree_code"}
    assert (record["separator"], record["encoding"]) == (",", "utf-8")
    assert read_fold(splits / "fold0.csv", "cls").class_names == ("IDC", "ILC")


def test_own_ids_are_warned_about_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    table = pd.DataFrame(
        {"slide_id": [f"P{i // 2}_{i % 2}" for i in range(40)], "label": [i // 2 % 2 for i in range(40)]}
    )
    splits = run(table, tmp_path, "--task", "cls")
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.split(",")[0] for text in warned] == ["warning: every slide counts as a patient of its own"]
    assert read_fold(splits / "fold0.csv", "cls").warnings == ()  # it is in splits.json
    (tmp_path / "b").mkdir()
    caplog.clear()
    named = run(table, tmp_path / "b", "--task", "cls", "--patient_pattern", "^(P[0-9]+)_")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    fold = read_fold(named / "fold0.csv", "cls")
    assert {case.case_id for case in fold.train} < {f"P{i}" for i in range(20)}  # main.py sees the patients
    assert all(len(set.union(*ids(named, k, "case_id"))) == sum(map(len, ids(named, k, "case_id"))) for k in range(4))


@pytest.mark.slow
def test_the_reader_of_the_output_may_leave(blca: pd.DataFrame, tmp_path: Path):
    labels = save(blca, tmp_path / "labels.csv")
    command = f"{sys.executable} -m datasets.make_splits --labels {labels} --output_dir {tmp_path / 'out'} --task surv"
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": os.environ["PATH"]}
    ended = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == NAMES


@pytest.mark.slow
def test_the_commands_of_the_documentation(
    blca: pd.DataFrame, tmp_path: Path, shell: Callable[[list[str]], subprocess.CompletedProcess[str]]
):
    text = (ROOT / "docs" / "data_formats.md").read_text(encoding="utf-8")
    block = re.search(r"```bash\n(python -m datasets\.make_splits.*?)```", text, flags=re.DOTALL)
    assert block
    commands = block.group(1).replace("\\\n", " ").strip().splitlines()
    save(blca, tmp_path / "tcga_blca_all_clean.csv.zip")
    save(blca, tmp_path / "brca_labels.csv")
    for line, place in zip(commands, ("tcga_blca", "brca"), strict=True):
        ended = shell(shlex.split(line)[1:])
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.splitlines()[-1] == f"wrote 4 folds and splits.json to splits/{place}"
        assert sorted(path.name for path in (tmp_path / "splits" / place).iterdir()) == NAMES


def test_folds_that_another_call_wrote_meanwhile_are_not_replaced(tmp_path: Path, monkeypatch, capsys):
    blca_like().assign(slide_id=lambda table: table["case_id"] + "-01Z").drop_duplicates("case_id").to_csv(
        tmp_path / "labels.csv", index=False
    )
    split_patients = command.split_patients

    def and_another_writes(*arguments):
        split = split_patients(*arguments)
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "fold0.csv").write_text("of another call")
        return split

    monkeypatch.setattr(command, "split_patients", and_another_writes)
    places = ["--labels", str(tmp_path / "labels.csv"), "--output_dir", str(tmp_path / "out")]
    assert main([*places, *SURVIVAL]) == 2
    assert "out holds fold0.csv already: give another --output_dir, or pass --overwrite" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["fold0.csv"]
