"""Options with one home: what main.py offers is what the classes of the models take."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from models import MODELS, model_class, options_of
from models.options import ModelOption
from utils.command.arguments import build_parser
from utils.command.settings import RunSettings, as_plain
from utils.errors import UserError
from utils.pipeline import model_options as module
from utils.pipeline.model_options import model_options, run_settings, takes_anchors

ROOT = Path(__file__).parents[3]
REQUIRED = ["--task", "cls", "--dataset", "D", "--features_dir", "f", "--splits_dir", "s", "--anchors", "random"]
# What the interface promises, with the defaults of the released protocol.
PROMISED = {
    "formulation": "released",
    "n_stages": 3,
    "embed_dim": 512,
    "dropout": 0.05,
    "similarity": "l2",
    "assignment": "soft",
    "ablate": (),
    "graph": "coords",
    "recompute_above": 50_000,
    "instance_weight": 0.3,
}


def settings_of(*arguments: str) -> RunSettings:
    parser = build_parser(RunSettings, "main.py", "", model_options=model_options())
    return run_settings(parser.parse_args([*REQUIRED, *arguments]))


@pytest.mark.parametrize("model", MODELS)
def test_options_read_from_the_source_are_those_of_the_class(model: str):
    parameters = inspect.signature(model_class(model)).parameters.values()
    expected = {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}
    assert {name: option.default for name, option in options_of(model).items()} == expected
    assert {p.name for p in parameters} == {"dim_in", "n_outputs", *expected}


def test_the_options_of_the_interface_are_there_with_their_defaults():
    shared = model_options()
    assert {name: set(shared[name].defaults.values()) for name in PROMISED} == {
        name: {default} for name, default in PROMISED.items()
    }
    assert "n_anchors" not in shared  # it is --n_clusters


@pytest.mark.parametrize("model", MODELS)
def test_the_settings_hold_all_options_of_the_model_and_no_others(model: str):
    settings = settings_of("--model", model)
    expected = {name: option.default for name, option in options_of(model).items() if name != "n_anchors"}
    assert settings.model_options == expected
    assert as_plain(settings).keys() >= expected.keys()


def test_given_options_arrive():
    settings = settings_of("--ablate", "route", "reducer", "--dropout", "0.2", "--seed", "7")
    assert settings.model_options["ablate"] == ("route", "reducer")
    assert (settings.model_options["dropout"], settings.seed) == (0.2, 7)
    assert settings.run_dir.name == "mico_released_no_route_no_reducer_seed7"
    with pytest.raises(UserError, match="got --graph with --model abmil, expected it with patchgcn or deepgraphconv"):
        settings_of("--model", "abmil", "--graph", "features")


def test_the_models_of_an_option_stand_in_its_help_where_not_all_take_it():
    shared = model_options()
    assert shared["graph"].help.endswith("(patchgcn, deepgraphconv; default: coords)")
    assert shared["dropout"].help.endswith("(default: 0.05)")
    assert shared["ablate"].help.endswith("(mico; default: none)")


def test_which_models_take_anchors():
    assert [model for model in MODELS if takes_anchors(model)] == ["mico"]


@pytest.fixture
def registry(monkeypatch):
    """A registry of two models whose options a test chooses."""

    def register(**options: list[ModelOption]) -> None:
        known = {name: f"models.{name}.Class" for name in options}
        monkeypatch.setattr(module, "MODELS", known)
        monkeypatch.setattr(module, "options_of", lambda name: {option.name: option for option in options[name]})

    return register


def test_models_may_have_defaults_of_their_own(registry):
    registry(a=[ModelOption("rate", float, 0.1, "A rate.")], b=[ModelOption("rate", float, 0.3, "A rate.")])
    assert model_options()["rate"].defaults == {"a": 0.1, "b": 0.3}
    assert model_options()["rate"].help.endswith("(default: 0.1 for a, 0.3 for b)")


@pytest.mark.parametrize(
    "other",
    [
        ModelOption("size", float, 1.0, "A size."),
        ModelOption("size", int, 1, "A size.", many=True),
        ModelOption("size", int, 1, "A size.", choices=("1", "2")),
    ],
)
def test_one_name_has_one_type_and_one_set_of_choices(registry, other: ModelOption):
    registry(a=[ModelOption("size", int, 1, "A size.")], b=[other])
    with pytest.raises(TypeError, match=r"models\.a\.Class and models\.b\.Class differ in the type or choices of size"):
        model_options()


def test_a_model_cannot_take_the_name_of_another_option(registry):
    registry(a=[ModelOption("seed", int, 1, "A seed.")])
    with pytest.raises(TypeError, match=r"models\.a\.Class: its argument seed is an option of main\.py itself"):
        model_options()


def test_no_model_is_imported_for_its_options():
    code = "import sys; from utils.pipeline.model_options import model_options as m; m(); print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
