"""Runs that were begun under the default names of before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from utils.command.settings import RunSettings
from utils.errors import UserError
from utils.runs.earlier_name import where_it_began


def settings(results: Path, **changes: Any) -> RunSettings:
    places = {"features_dir": (Path("f"),), "splits_dir": Path("s"), "anchors": "random", "results_dir": results}
    made = {"task": "cls", "dataset": "D", "model": "abmil", "model_options": {}, "resume": True, **changes}
    return RunSettings(**places, **made)


def begun(results: Path, name: str, *, model: str = "abmil", seed: int = 2024) -> None:
    place = results / "cls" / "D" / name
    place.mkdir(parents=True)
    run = {"task": "cls", "dataset": "D", "model": model, "formulation": "none", "seed": seed}
    (place / "run.json").write_text(json.dumps(run))


@pytest.mark.parametrize("how", [{}, {"stage": "test", "resume": False}, {"stage": "explain", "resume": False}])
def test_a_run_goes_on_under_the_name_that_it_began_with(tmp_path: Path, caplog, how: dict):
    caplog.set_level("INFO")
    begun(tmp_path, "abmil_released")
    found = where_it_began(settings(tmp_path, **how))
    assert found.run_dir == tmp_path / "cls" / "D" / "abmil_released"
    assert caplog.messages == [
        f"{found.run_dir} was begun under the default name of an earlier version, and goes on there"
    ]


def test_the_seed_was_not_in_the_name(tmp_path: Path):
    mico = {"model": "mico", "model_options": {"formulation": "released", "ablate": ("route",)}}
    begun(tmp_path, "mico_released_no_route", model="mico", seed=7)
    assert where_it_began(settings(tmp_path, **mico, seed=7)).run_dir.name == "mico_released_no_route"
    assert where_it_began(settings(tmp_path, **mico, seed=8)).run_dir.name == "mico_released_no_route_seed8"


@pytest.mark.parametrize(
    "changes", [{"resume": False}, {"run_name": "mine"}, {"seed": 7}, {"model": "dsmil"}, {"results_dir": Path("none")}]
)
def test_other_calls_have_todays_name(tmp_path: Path, changes: dict):
    begun(tmp_path, "abmil_released")
    made = settings(**{"results": tmp_path, **changes} if "results_dir" not in changes else {"results": Path("none")})
    assert where_it_began(made) == made


def test_a_run_under_todays_name_comes_first(tmp_path: Path):
    begun(tmp_path, "abmil_released")
    begun(tmp_path, "abmil")
    assert where_it_began(settings(tmp_path)).run_dir.name == "abmil"


def test_a_damaged_record_is_said(tmp_path: Path):
    begun(tmp_path, "abmil_released")
    (tmp_path / "cls" / "D" / "abmil_released" / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"abmil_released/run\.json"):
        where_it_began(settings(tmp_path))
