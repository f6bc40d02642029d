from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.utils.report.report_folders import gradient, write_explanations, write_run
from tests.utils.report.run_pages import four_slides, read, verdict_of
from tests.utils.run_folders import (
    survival_folds,
)
from utils.explain.anchor_text import READING_NOTES
from utils.report.sections.case_pictures import HOW_TO_EXPLAIN
from utils.report.sections.case_tables import certainty, extreme_cases
from utils.runs.predictions import read_predictions


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "overall is no matrix"),
        ('{"overall": null}', "overall is no matrix"),
        ('{"overall": []}', "overall is no matrix"),
        ('{"overall": [[], []]}', "overall is no matrix"),
        ('{"overall": [1, 2]}', "overall is no matrix"),
        ('{"overall": [[1, "2"]]}', "overall is no matrix"),
        ('{"overall": [[1, null]]}', "overall is no matrix"),
        ('{"overall": [[1, true]]}', "overall is no matrix"),
        ('{"overall": [[1, NaN]]}', "overall is no matrix"),
        (f'{{"overall": [[1, 1{400 * "0"}]]}}', "overall is no matrix"),
        ('{"overall": [[1, 2], [3]]}', "overall is no matrix"),
        ("[1, 2]", "holds list, expected a JSON object"),
    ],
)
def test_a_mixing_that_is_no_matrix_is_left_out(tmp_path: Path, content: str, said: str):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=1)
    (write_explanations(run_dir, size=(30, 20)) / "reducer_mixing.json").write_text(content, encoding="utf-8")
    page = read(run_dir)
    assert f"Left out: fold0/explain/reducer_mixing.json: {said}" in page.text
    assert len(page.rows("Anchors of fold 0")) == 8


def test_the_extreme_cases_of_a_fold():
    table = four_slides("c", (0.1, 0.45, 0.7, 0.95))
    table["slide_ids"] = "slide " + table["case_id"]
    np.testing.assert_allclose(certainty(table), [0.9, 0.55, 0.7, 0.95])
    rows = extreme_cases({3: table}).rows
    assert [(*(cell.text for cell in row[:5]), row[6].text) for row in rows] == [
        ("c-3", "slide c-3", "3", "most certain", "0.950", "class 1 (0.95), right"),
        ("c-0", "slide c-0", "3", "most certain", "0.900", "class 0 (0.90), right"),
        ("c-2", "slide c-2", "3", "most certain", "0.700", "class 1 (0.70), right"),
        ("c-1", "slide c-1", "3", "least certain", "0.550", "class 0 (0.55), right"),
    ]
    assert len(extreme_cases({0: table.head(1)}).rows) == 1


def test_certainty_in_survival_is_the_distance_from_the_median_risk():
    (table,) = survival_folds((1.0, 5.0, 2.0)).values()
    assert certainty(table).tolist() == [1.0, 3.0, 0.0]
    rows = extreme_cases({0: table}).rows
    assert rows[0][4].text == "died after 2.0 months"
    assert [row[5].text for row in rows] == [
        "risk 5.000, above the fold's median of 2.000",
        "risk 1.000, below the fold's median of 2.000",
        "risk 2.000, the fold's median",
    ]


def test_without_explanations_the_way_to_them_is_told(tmp_path: Path):
    page = read(write_run(tmp_path / "cls" / "BRCA" / "mico", "cls"))
    assert HOW_TO_EXPLAIN in page.text
    assert len(page.rows("Most and least certain")) == 12
    assert page.pictures == []


def test_explanations_are_shown(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    place = write_explanations(run_dir, fold=1, size=(60, 40))
    gradient((50, 50)).save(place / "P1000-S0" / "overlay.png")
    page = read(run_dir)
    assert page.pictures == [
        "attention over the slide, slide P1000-S0",
        *(
            f"{what}, slide {slide}"
            for slide in ("P1000-S0", "P1001-S0")
            for what in ("attention", "anchor of each patch")
        ),
    ]
    predicted = read_predictions(run_dir / "fold1" / "predictions_test.csv").iloc[0]
    assert {"P1000, slide P1000-S0", "P1001, slide P1001-S0"} <= set(page.text.splitlines())
    assert "Fold 1: 3 explained slides" in page.text.splitlines()
    told = verdict_of(page, "most certain; certainty 0.750; ").split("; ")
    assert told[2] == f"outcome: class {predicted['label']}"
    assert told[3].startswith(f"prediction: class {predicted['prediction']} (")
    assert "Slide P1002-S0: The features have no coordinates." in page.text
    assert all(note in page.text for note in READING_NOTES)
    anchors = page.rows("Anchors of fold 1")
    assert len(anchors) == 8
    assert anchors[-1]["note"] == "nearest to no patch"
    assert anchors[-1]["auc 1"] == "–"


def test_a_reason_of_all_slides_is_said_once(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=1)
    place = write_explanations(run_dir, size=(30, 20))
    facts = {path: json.loads(path.read_text()) | {"no_map": "no map, since x"} for path in place.glob("*/slide.json")}
    for path, content in facts.items():
        path.write_text(json.dumps(content), encoding="utf-8")
    page = read(run_dir)
    assert page.text.count("no map, since x") == 1
    assert "All of these slides: no map, since x." in page.text.splitlines()
    other = next(iter(facts))
    other.write_text(json.dumps(facts[other] | {"no_map": "no map, since y"}), encoding="utf-8")
    text = read(run_dir).text
    assert text.count("no map, since x") == len(facts) - 1 > 1
    assert f"Slide {other.parent.name}: no map, since y" in text.splitlines()


def test_a_size_of_patches_in_doubt_is_said_on_the_page(tmp_path: Path):
    run_dir = write_run(tmp_path / "surv" / "LUAD" / "mico", "surv", n_folds=1)
    place = write_explanations(run_dir, size=(30, 20))
    facts = {path: json.loads(path.read_text()) for path in place.glob("*/slide.json")}
    doubt = "the size of a patch is taken from their spacing (256 apart)"
    one, *others = facts
    one.write_text(json.dumps(facts[one] | {"patch_size_doubt": doubt}), encoding="utf-8")
    assert f"Slide {one.parent.name}: {doubt}" in read(run_dir).text.splitlines()
    for path in others:
        path.write_text(json.dumps(facts[path] | {"patch_size_doubt": doubt}), encoding="utf-8")
    text = read(run_dir).text
    assert text.count(doubt) == 1
    assert f"All of these slides: {doubt}." in text.splitlines()


def test_slide_anchors_have_no_table_over_slides(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    place = write_explanations(run_dir, size=(30, 20))
    (place / "anchors.csv").write_text("damaged", encoding="utf-8")
    assert "The table of the anchors is damaged: see the warnings." in read(run_dir).text.splitlines()
    (place / "anchors.csv").unlink()
    page = read(run_dir)
    assert "With slide anchors, each slide has anchors of its own: there is no table" in page.text
    assert "Not explained yet" not in page.text


def test_a_slide_that_is_no_name_of_a_folder_is_refused(tmp_path: Path):
    run_dir = write_run(tmp_path / "cls" / "BRCA" / "mico", "cls")
    place = write_explanations(run_dir)
    (place / "cases.csv").write_text("case_id,slide_ids,reason,certainty\nP,../../x,chosen,0.5\n", encoding="utf-8")
    assert "slide '../../x' of case P is no name of a folder" in read(run_dir).text


def test_models_without_anchors_have_no_section_of_anchors(tmp_path: Path):
    page = read(write_run(tmp_path / "cls" / "BRCA" / "abmil", "cls", model="abmil"))
    assert "Anchors" not in page.text.splitlines()
