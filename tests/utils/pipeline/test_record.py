"""run.json, and who may write to the folder of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.utils.pipeline.conftest import inputs_of
from utils.command.arguments import build_parser
from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.files.locks import lock_path
from utils.pipeline.inputs import AnchorSource
from utils.pipeline.model_options import model_options, run_settings
from utils.pipeline.record import claim_run, count_parts, permitted, run_record, write_results


def settings_of(results: Path, *more: str) -> RunSettings:
    line = ["--task", "cls", "--dataset", "D", "--features_dir", "f", "--splits_dir", "s", "--anchors", "random"]
    parser = build_parser(RunSettings, "main.py", "", model_options=model_options())
    return run_settings(parser.parse_args([*line, "--results_dir", str(results), *more]))


@pytest.fixture
def record_of(cls_cohort):
    inputs = inputs_of(cls_cohort, "cls", AnchorSource("random", 64, None))
    return lambda settings: run_record(settings, inputs, threads=1)


def test_the_record_is_json_and_holds_all_that_numbers_depend_on(record_of, tmp_path):
    record = record_of(settings_of(tmp_path, "--dropout", "0.2", "--ablate", "route"))
    assert record == json.loads(json.dumps(record))
    assert (record["model"], record["formulation"], record["run_name"]) == (
        "mico",
        "released",
        "mico_released_no_route",
    )
    assert (record["folds"], record["dim_in"], record["n_outputs"]) == ([0, 1], 8, 2)
    assert record["takes_anchors"] is True
    assert (record["settings"]["dropout"], record["settings"]["ablate"]) == (0.2, ["route"])
    assert (record["model_defaults"]["dropout"], record["model_defaults"]["ablate"]) == (0.05, None)
    assert record["splits"].keys() == {"fold0.csv", "fold1.csv"}
    assert record["features"].keys() == record["anchors"].keys() == {"fold0", "fold1"}


def test_a_model_without_forms(record_of, tmp_path):
    record = record_of(settings_of(tmp_path, "--model", "abmil"))
    assert (record["formulation"], record["run_name"]) == ("none", "abmil")
    assert record["model_defaults"] == {"embed_dim": 512, "dropout": 0.05}
    assert "formulation" not in record["settings"]
    assert record["takes_anchors"] is False


def test_parts_are_counted(cls_cohort):
    (inputs,) = inputs_of(cls_cohort, "cls", AnchorSource("random", 64, None), 0)
    counts = count_parts(inputs.fold)
    assert {part: counts[part]["cases"] for part in counts} == {
        part: len(inputs.fold.part(part)) for part in ("train", "val", "test")
    }


def test_a_changed_run_stops_or_starts_again(record_of, tmp_path):
    first = settings_of(tmp_path)
    claim_run(first, record_of(first))
    again = settings_of(tmp_path, "--resume", "--num_workers", "0")
    assert permitted(again, record_of(again)) == again
    changed = settings_of(tmp_path, "--resume", "--dropout", "0.2")
    with pytest.raises(UserError, match=r"dropout was 0\.05 and is 0\.2"):
        permitted(changed, record_of(changed))
    restarted = settings_of(tmp_path, "--resume", "--dropout", "0.2", "--on_change", "restart")
    allowed = permitted(restarted, record_of(restarted))
    assert (allowed.resume, allowed.overwrite) == (False, True)


def test_no_results_are_removed_while_the_tables_are_made(tmp_path, monkeypatch):
    """They are made under the lock under which another process would remove those of its folds (`claim`)."""
    held = []

    def look(run_dir: Path, *how: str, **more: bool) -> None:
        held.append(lock_path(run_dir / "run.json").exists())

    monkeypatch.setattr("utils.pipeline.record._write_results", look)
    write_results(tmp_path, "all", with_figures=False)
    assert held == [True]
    assert not list(tmp_path.iterdir())
