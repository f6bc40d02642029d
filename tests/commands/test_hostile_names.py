"""Names that mean something to what draws or prints them: each is found as it stands wherever a reader meets it."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from datasets.slides.features import write_slide
from tests.utils.report.page_reader import PageReader
from tests.utils.run_folders import HEADER
from utils.figures.plotting import legend_entries
from utils.figures.run_figures import draw_figures, save_figures
from utils.files.text_table import latex_text
from utils.paper.__main__ import main as paper_tables
from utils.runs.predictions import read_predictions

pytestmark = pytest.mark.slow

CLASSES = (r"$\alpha$ ($", "_hidden", "<b>&\"'", "a|b\\`c`", "%s {} {0} ~^#")
DATASET = "D $^$ _<i>&'|%s{fold}"  # '$^$' is no formula
RUN = r"_run $x <script>alert(1)</script".replace("/", "-")
N_SLIDES = 30


def slide_id(index: int) -> str:
    return f"_S$_{index}$ <u>&\"'|%d{{}}\\{index}".replace("\\", "^")


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> tuple[Path, Path]:
    """Features and folds of slides whose names are as bad as names of files can be; a class for every fifth slide."""
    root = tmp_path_factory.mktemp("hostile")
    generator = torch.Generator().manual_seed(0)
    for index in range(N_SLIDES):
        coords = torch.stack([torch.arange(20) % 5, torch.arange(20) // 5], dim=1) * 256
        features = torch.randn(20, 8, generator=generator)
        write_slide(root / "features" / f"{slide_id(index)}.h5", features, coords, {"patch_size_level0": 256})
    (root / "splits").mkdir()
    for fold in range(2):
        test = [index for index in range(N_SLIDES) if index % 3 == fold]
        rest = [index for index in range(N_SLIDES) if index not in test]
        parts = {"train": rest[:14], "val": rest[14:], "test": test}
        columns = [f"{part}_{name}" for part in parts for name in ("slide_id", "label")]
        with (root / "splits" / f"fold{fold}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for row in range(16):
                cells = [(slide_id(own[row]), own[row] % 5) if row < len(own) else ("", "") for own in parts.values()]
                writer.writerow([cell for pair in cells for cell in pair])
    record = {"classes": {name: number for number, name in enumerate(CLASSES)}}
    (root / "splits" / "splits.json").write_text(json.dumps(record))
    return root / "features", root / "splits"


def test_every_name_is_found_as_it_stands(places, run_main, tmp_path):
    features, splits = places
    arguments = ["--task", "cls", "--dataset", DATASET, "--run_name", RUN, "--anchors", "random", "--epochs", "1"]
    arguments += ["--features_dir", features, "--splits_dir", splits, "--results_dir", tmp_path / "results"]
    arguments += ["--embed_dim", "16", "--n_clusters", "8", "--device", "cpu"]
    run_main(*arguments).check()
    run_main(*arguments, "--stage", "explain", "--explain_cases", "2").check()
    run_dir = tmp_path / "results" / "cls" / DATASET / RUN

    table = read_predictions(run_dir / "fold0" / "predictions_test.csv")
    assert set(table["label_name"]) == set(CLASSES)
    assert table["slide_ids"].tolist() == [slide_id(index) for index in range(0, N_SLIDES, 3)]
    summary = (run_dir / "summary.md").read_text()
    for name in (*CLASSES, DATASET, RUN):
        assert name in summary, name

    figures = draw_figures(run_dir)
    save_figures(tmp_path / "drawn", figures)
    texts = [text for figure in figures.values() for text in figure.findobj(Text)]
    assert not any(text.get_parse_math() for text in texts)
    title = " ".join(figures["roc.png"].get_suptitle().split())
    assert DATASET in title
    for axes in figures["roc.png"].axes:
        legend = " ".join(text.get_text() for text in axes.get_legend().get_texts())
        assert [name for name in CLASSES if f"{name} (class" not in legend] == []
        assert len(legend_entries(axes)[0]) == len(CLASSES) + 1

    page = (run_dir / "report.html").read_text()
    read = PageReader(page)
    shown = html.unescape(page)
    for name in (*CLASSES, DATASET, RUN):
        assert name in shown, name
    assert read.scripts == 1
    assert "<script>alert" not in page
    assert "<b>&" not in page

    place = run_dir / "fold0" / "explain"
    explained = [path.parent for path in place.glob("*/slide.json")]
    assert len(explained) == 4
    for folder in explained:
        assert json.loads((folder / "slide.json").read_text())["slide_id"] == folder.name
        assert {"attention.png", "slide.geojson"} <= {path.name for path in folder.iterdir()}
    anchors = (place / "anchors.md").read_text()
    assert all(name.replace("|", "\\|") in anchors or name in anchors for name in CLASSES)

    paper = tmp_path / "paper"
    paper.mkdir()
    with (paper / "plan.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER.split(","))
        writer.writerow(["cls", DATASET, "mico", "released", "", 8, 2024, run_dir])
        writer.writerow(["cls", DATASET, "mico", "released", "", 16, 2024, "not trained"])  # so that a curve is drawn
    assert paper_tables([str(paper / "plan.csv"), "--output_dir", str(paper / "tables")]) == 0
    written = {path.name: path.read_text() for path in (paper / "tables").glob("*.*") if path.suffix != ".png"}
    assert any(DATASET.replace("|", "\\|") in text for name, text in written.items() if name.endswith(".md"))
    assert any(latex_text(DATASET) in text for name, text in written.items() if name.endswith(".tex"))
    assert any(DATASET in html.unescape(text) for name, text in written.items() if name.endswith(".svg"))

    cohort = "C $^$ <i>&'|%s{}"
    labels = tmp_path / "labels $x$ <i>.csv"
    with labels.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["slide_id", "label"])
        writer.writerows([slide_id(index), CLASSES[index % 5]] for index in range(N_SLIDES))
    predict = ["--stage", "predict", "--run_dir", run_dir, "--features_dir", features, "--cohort", cohort]
    run_main(*predict, "--labels", labels, "--allow_patient_overlap", "--device", "cpu").check()
    place = run_dir / "predict" / cohort
    predicted = read_predictions(place / "predictions.csv")
    assert sorted(predicted["slide_ids"]) == sorted(slide_id(index) for index in range(N_SLIDES))
    assert set(predicted["label_name"]) == set(CLASSES)
    page = (place / "report.html").read_text()
    assert PageReader(page).scripts == 1
    assert [name for name in (*CLASSES, cohort, DATASET) if name not in html.unescape(page)] == []
    assert (place / "figures" / "roc.png").exists()


def test_figures_of_names_in_letters_without_a_font(places, run_main, tmp_path, caplog):
    """A warning in place of a figure that is refused; the report shows the letters."""
    features, splits = places
    own = tmp_path / "splits"
    own.mkdir()
    for path in splits.glob("*.csv"):
        (own / path.name).write_bytes(path.read_bytes())
    names = ("恶性", "\U0001f600", "ورم", "x" * 200, "ordinary")
    (own / "splits.json").write_text(json.dumps({"classes": {name: number for number, name in enumerate(names)}}))
    arguments = ["--task", "cls", "--dataset", "乳腺", "--anchors", "random", "--epochs", "1", "--folds", "0"]
    arguments += ["--features_dir", features, "--splits_dir", own, "--results_dir", tmp_path / "results"]
    ended = run_main(*arguments, "--embed_dim", "16", "--n_clusters", "8", "--device", "cpu").check()
    assert re.search("letters of names that no font here has are boxes in roc.png", ended.out + ended.err + caplog.text)
    page = (tmp_path / "results" / "cls" / "乳腺" / "mico_released" / "report.html").read_text()
    assert [name for name in names if name not in page] == []
    roc = tmp_path / "results" / "cls" / "乳腺" / "mico_released" / "figures" / "roc.png"
    assert roc.stat().st_size > 10_000
    assert np.isfinite(read_predictions(roc.parents[1] / "fold0" / "predictions_test.csv")["prob_0"]).all()
