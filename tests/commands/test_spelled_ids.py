"""Ids in tables and names of files that look the same are the same, whichever way their letters are written."""

from __future__ import annotations

import csv
import shutil
import unicodedata
from pathlib import Path

import pytest

from datasets.slides.slide_files import find_slides
from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import QUICK
from utils.runs.predictions import read_predictions

pytestmark = pytest.mark.slow


def spelled(cohort: Cohort, place: Path, of_tables: str, of_files: str) -> tuple[Path, Path, Path]:
    """The cohort with slides called `Müller-...`: features, folds and a label table in these two forms of Unicode."""
    features, splits, labels = place / "features", place / "splits", place / "labels.csv"
    features.mkdir(parents=True)
    splits.mkdir()
    for path in cohort.features_dir.glob("*.h5"):
        shutil.copyfile(path, features / unicodedata.normalize(of_files, f"Müller-{path.name}"))
    with (cohort.features_dir.parent / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for path in [*cohort.splits_dir.glob("fold*.csv")]:
        text = path.read_text()
        for row in sorted(rows, key=lambda row: len(row["slide_id"]), reverse=True):
            text = text.replace(row["slide_id"], f"@{row['slide_id']}")
        (splits / path.name).write_text(unicodedata.normalize(of_tables, text.replace("@", "Müller-")))
    with labels.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"slide_id": unicodedata.normalize(of_tables, f"Müller-{row['slide_id']}.svs")})
    return features, splits, labels


@pytest.mark.parametrize(("of_tables", "of_files"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_each_command_finds_each_slide(cls_cohort, run_main, run_clustering, tmp_path, of_tables, of_files):
    features, splits, labels = spelled(cls_cohort, tmp_path, of_tables, of_files)
    names = sorted(unicodedata.normalize("NFC", path.stem) for path in features.glob("*.h5"))
    assert list(find_slides([features])) == names

    arguments = [
        "--dataset_name",
        "toy",
        "--n_clusters",
        "8",
        "--input_dir",
        features,
        "--fold_csv",
        splits / "fold0.csv",
    ]
    run_clustering(*arguments, "--scope", "slide", "--output_dir", tmp_path / "anchors").check()
    anchors = next((tmp_path / "anchors").glob("*_slides*"))
    for path in anchors.glob("*.pt"):
        path.rename(path.with_name(unicodedata.normalize(of_files, path.name)))

    results = ["--task", "cls", "--dataset", "toy", "--splits_dir", splits, "--results_dir", tmp_path / "results"]
    arguments = [*results, "--anchors", anchors, "--features_dir", features, "--folds", "0", *QUICK]
    run_main(*arguments).check()
    run_dir = tmp_path / "results" / "cls" / "toy" / "mico_released"
    tested = read_predictions(run_dir / "fold0" / "predictions_test.csv")["slide_ids"]
    assert set(tested) <= set(names)
    run_main(*arguments, "--stage", "explain", "--explain_slides", unicodedata.normalize("NFD", tested[0])).check()
    assert (run_dir / "fold0" / "explain" / tested[0] / "slide.json").exists()

    cohort = ["--features_dir", features, "--cohort", "same", "--device", "cpu", "--allow_patient_overlap"]
    given = ["--labels", labels, "--anchors", anchors, "--no_figures"]
    run_main("--stage", "predict", "--run_dir", run_dir, *cohort, *given).check()
    predicted = read_predictions(run_dir / "predict" / "same" / "predictions.csv")
    assert sorted(predicted["slide_ids"]) == names
    assert predicted["label"].notna().all()
