from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.utils.clinical.gbsg2 import write_gbsg2
from utils.clinical.clinical_file import is_stale, read_clinical
from utils.clinical.settings import ClinicalSettings
from utils.clinical.write import write_clinical_of
from utils.errors import UserError


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, ClinicalSettings]:
    run_dir, table = write_gbsg2(tmp_path, "surv")
    return run_dir, ClinicalSettings(clinical=table, covariates=("age", "tgrade"))


@pytest.mark.slow
def test_everything_is_written_and_the_same_again(run: tuple[Path, ClinicalSettings]):
    run_dir, settings = run
    written = write_clinical_of(run_dir, settings)
    assert sorted(path.relative_to(run_dir).as_posix() for path in written) == [
        f"clinical/{name}"
        for name in ("clinical.csv", "clinical.json", "clinical.md", "clinical.tex", "forest.png", "forest.svg")
    ]
    first = {path: path.read_bytes() for path in written}
    assert {path: path.read_bytes() for path in write_clinical_of(run_dir, settings)} == first


def test_what_is_read_is_what_was_written_until_predictions_change(run: tuple[Path, ClinicalSettings]):
    run_dir, settings = run
    assert read_clinical(run_dir) is None
    write_clinical_of(run_dir, settings)
    result = read_clinical(run_dir)
    assert result is not None
    assert result["metric"] == "c_index"
    assert not is_stale(run_dir, result)
    predictions = run_dir / "fold1" / "predictions_test.csv"
    predictions.write_text(predictions.read_text().replace("P001", "X001"))
    assert is_stale(run_dir, result)


@pytest.mark.parametrize(
    ("text", "expected"), [("[]", "holds list"), ("{}", "lacks title"), ('{"format": 99}', "later")]
)
def test_a_damaged_file_is_an_error(run: tuple[Path, ClinicalSettings], text: str, expected: str):
    run_dir, _ = run
    (run_dir / "clinical").mkdir()
    (run_dir / "clinical" / "clinical.json").write_text(text)
    with pytest.raises(UserError, match=expected):
        read_clinical(run_dir)


def test_a_mistake_writes_nothing(run: tuple[Path, ClinicalSettings]):
    run_dir, settings = run
    with pytest.raises(UserError, match="lacks the column"):
        write_clinical_of(run_dir, ClinicalSettings(clinical=settings.clinical, covariates=("stage",)))
    assert not (run_dir / "clinical").exists()


@pytest.mark.slow
def test_extreme_ratios_end_in_an_arrow(run: tuple[Path, ClinicalSettings]):
    from utils.clinical.forest_figure import forest_figure

    run_dir, settings = run
    write_clinical_of(run_dir, settings)
    result = json.loads((run_dir / "clinical" / "clinical.json").read_text())
    drawn = forest_figure(result)
    (axes,) = drawn.axes
    n_terms = sum(len(model["terms"]) for model in result["models"].values())
    assert len(axes.get_yticks()) == n_terms
    result["models"]["both"]["terms"][1] |= {"effect": 3.0, "low": 0.001, "high": 9000.0}
    wide = forest_figure(result).axes[0]
    assert wide.get_xlim() == (0.02, 50.0)
    assert [line.get_marker() for line in wide.lines].count(">") == 1
    assert [line.get_marker() for line in wide.lines].count("<") == 1
    for model in result["models"].values():
        for term in model["terms"]:
            term["effect"] = None
    assert "no model could be fitted" in forest_figure(result).axes[0].texts[0].get_text()
