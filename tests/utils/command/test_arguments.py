from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from utils.command.arguments import (
    MODEL_OPTIONS,
    REQUIRED,
    ROLES,
    OneLineParser,
    build_parser,
    names_of,
    option,
    resolve,
)
from utils.command.clustering_settings import ClusteringSettings
from utils.command.model_options import SharedOption
from utils.command.settings import RunSettings

REQUIRED_ARGUMENTS: dict[type, list[str]] = {
    ClusteringSettings: ["--dataset_name", "D", "--input_dir", "in", "--output_dir", "out"],
    RunSettings: ["--task", "cls", "--dataset", "D", "--features_dir", "f", "--splits_dir", "s", "--anchors", "random"],
}
COMMANDS = list(REQUIRED_ARGUMENTS)


@dataclass(frozen=True, kw_only=True)
class Example:
    name: str = option(REQUIRED, "a text")
    size: int = option(3, "a number")
    rate: float = option(0.5, "a fraction")
    limit: int | None = option(None, "a number or none")
    kind: str | None = option(None, "one of two", choices=("a", "none"))
    folds: tuple[int, ...] | None = option(None, "several numbers")
    place: Path = option(Path("here"), "a path", role="place")
    places: tuple[Path, ...] = option((Path("x"),), "several paths", role="place")
    fast: bool = option(False, "a switch", role="run")


OF_MODELS = {
    shared.name: shared
    for shared in (
        SharedOption("width", int, "d, 50 % or more (default: 4)", {"a": 4, "b": 4}),
        SharedOption("form", str, "a form (a; default: x)", {"a": "x"}, choices=("x", "y")),
        SharedOption("parts", str, "several (b; default: none)", {"b": ()}, choices=("p", "q"), many=True),
        SharedOption("deep", bool, "a switch (b; default: True)", {"b": True}),
    )
}


def parse(settings: type, *arguments: str) -> Any:
    more = {MODEL_OPTIONS: {}} if settings is RunSettings else {}
    return resolve(settings, build_parser(settings, "prog", "Description.").parse_args(arguments), **more)


def refuse(settings: type, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Exit status 2 and one line on stderr, which is returned."""
    with pytest.raises(SystemExit) as raised:
        parse(settings, *arguments)
    assert raised.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("prog: error: ")
    assert captured.err.endswith("(see prog --help)\n")
    assert captured.err.count("\n") == 1
    return captured.err


def test_defaults_are_those_of_the_dataclass():
    assert parse(Example, "--name", "n") == Example(name="n")


def test_every_kind_of_value_arrives_as_its_type():
    line = "--name none --size 7 --rate 1e-3 --limit 5 --kind none --folds 0 2 --place p --places a b --fast"
    got = parse(Example, *line.split(" "))
    assert got == Example(
        name="none",
        size=7,
        rate=0.001,
        limit=5,
        kind="none",
        folds=(0, 2),
        place=Path("p"),
        places=(Path("a"), Path("b")),
        fast=True,
    )


def test_none_takes_back_an_optional_number():
    assert parse(Example, "--name", "n", "--limit", "none").limit is None
    assert parse(RunSettings, *REQUIRED_ARGUMENTS[RunSettings], "--max_patches", "none").max_patches is None
    assert parse(RunSettings, *REQUIRED_ARGUMENTS[RunSettings], "--max_patches", "9").max_patches == 9
    assert parse(RunSettings, *REQUIRED_ARGUMENTS[RunSettings], "--folds", "3", "1").folds == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--name", "n", "--unknown", "1"), "--unknown"),
        (("--name", "n", "stray"), "stray"),
        (("--name", "n", "--siz", "4"), "--siz"),  # no abbreviations
        (("--name", "n", "--size", "x"), "--size: invalid int value: 'x'"),
        (("--name", "n", "--size", "none"), "--size: invalid int value: 'none'"),
        (("--name", "n", "--limit", "1.5"), "--limit: invalid int value: '1.5'"),
        (("--name", "n", "--rate", "much"), "--rate: invalid float value: 'much'"),
        (("--name", "n", "--kind", "b"), "got --kind b, expected one of a, none"),
        (("--name", "n", "--folds"), "--folds"),
        (("--name", "n", "--fast", "yes"), "yes"),
        ((), "--name"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], named: str
):
    assert named in refuse(Example, capsys, *arguments)


@pytest.mark.parametrize("settings", COMMANDS)
@pytest.mark.parametrize("mistake", [["--unknown_option", "1"], ["--n_cluster", "8"]])
def test_the_commands_refuse_unknown_and_abbreviated_options(
    capsys: pytest.CaptureFixture[str], settings: type, mistake: list[str]
):
    assert mistake[0] in refuse(settings, capsys, *REQUIRED_ARGUMENTS[settings], *mistake)


def fields_of(settings: Any) -> dict[str, dataclasses.Field]:
    return {field.name: field for field in dataclasses.fields(settings) if field.name != MODEL_OPTIONS}


@pytest.mark.parametrize("settings", COMMANDS)
def test_every_field_is_an_option_with_its_default_help_and_choices(settings: Any):
    parser = build_parser(settings, "prog", "Description.")
    actions = {action.dest: action for action in parser._actions if action.dest != "help"}
    fields = fields_of(settings)
    explanation = [name for name, field in fields.items() if field.metadata["role"] == "explanation"]
    assert list(actions) == [name for name in fields if name not in explanation] + explanation
    for name, field in fields.items():
        action = actions[name]
        assert action.option_strings == [f"--{name}"]
        assert action.required == (field.default is dataclasses.MISSING)
        assert action.help == field.metadata["help"]
        assert action.choices == field.metadata["choices"]
        if not action.required:
            assert action.default == field.default
    defaults = parse(settings, *REQUIRED_ARGUMENTS[settings])
    for name, field in fields.items():
        if field.default is not dataclasses.MISSING:
            assert getattr(defaults, name) == field.default


@pytest.mark.parametrize("settings", COMMANDS)
def test_a_switch_is_off_unless_given(settings: Any):
    """A switch that is on by default could not be turned off."""
    for field in dataclasses.fields(settings):
        if isinstance(field.default, bool):
            assert field.default is False
            needed = ("--launcher", "slurm") if field.name == "dry_run" else ()
            given = parse(settings, *REQUIRED_ARGUMENTS[settings], f"--{field.name}", *needed)
            assert getattr(given, field.name) is True


@pytest.mark.parametrize("settings", COMMANDS)
def test_help_shows_every_option_and_its_default(settings: Any, capsys: pytest.CaptureFixture[str]):
    parser = build_parser(settings, "prog", "Description.")
    assert isinstance(parser, argparse.ArgumentParser)
    with pytest.raises(SystemExit) as raised:
        parser.parse_args(["--help"])
    assert raised.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in fields_of(settings):
        assert f"--{name}" in shown
    assert "(default: 64)" in shown
    assert "(default: None)" not in shown
    assert "(default: False)" not in shown


@dataclass(frozen=True, kw_only=True)
class Zeros:
    share: float = option(0.0, "a share")
    number: int = option(0, "a number")
    limit: int | None = option(None, "a limit")
    fast: bool = option(False, "a switch")


def test_a_default_of_zero_is_shown(capsys: pytest.CaptureFixture[str]):
    """0 equals False, the default of a switch, which is not shown."""
    with pytest.raises(SystemExit):
        parse(Zeros, "--help")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line.startswith("--")] == [
        "--share FLOAT a share (default: 0.0)",
        "--number INT a number (default: 0)",
        "--limit INT a limit",
        "--fast a switch",
    ]
    with pytest.raises(SystemExit):
        parse(RunSettings, "--help")
    help_of_alpha = "extra weight of uncensored cases in the survival loss, 0 to 1 (default: 0.0)"
    assert help_of_alpha in " ".join(capsys.readouterr().out.split())


def test_a_parser_with_an_epilog_of_its_own_layout(capsys: pytest.CaptureFixture[str]):
    raw = argparse.RawDescriptionHelpFormatter
    parser = OneLineParser("prog", "Description.", epilog="Fields:\n    a: one", formatter_class=raw)
    parser.add_argument("--size", type=int, default=3, help="default: 3")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    shown = capsys.readouterr().out
    assert shown.endswith("default: 3\n\nFields:\n    a: one\n")


def test_roles_say_what_options_are_for():
    assert names_of(Example, "place") == ("place", "places")
    assert names_of(Example, "run", "place") == ("place", "places", "fast")
    assert names_of(Example, "results") == ("name", "size", "rate", "limit", "kind", "folds")
    with pytest.raises(ValueError, match="got role 'speed', expected one of results, place, run, explanation"):
        option(1, "a number", role="speed")


@pytest.mark.parametrize("settings", COMMANDS)
def test_every_option_of_the_commands_has_a_role(settings: Any):
    assert set(names_of(settings, *ROLES)) == set(fields_of(settings))


def model_options_parser() -> argparse.ArgumentParser:
    return build_parser(RunSettings, "prog", "Description.", choices={"model": ("a", "b")}, model_options=OF_MODELS)


def test_options_of_models_are_absent_unless_given():
    arguments = REQUIRED_ARGUMENTS[RunSettings]
    assert not vars(model_options_parser().parse_args(arguments)).keys() & OF_MODELS.keys()
    given = ["--width", "8", "--form", "y", "--parts", "p", "q", "--no-deep"]
    parsed = vars(model_options_parser().parse_args([*arguments, *given]))
    assert {name: parsed[name] for name in OF_MODELS} == {"width": 8, "form": "y", "parts": ["p", "q"], "deep": False}


def test_options_of_models_stand_in_the_help_behind_the_model(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        model_options_parser().parse_args(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    places = [shown.rindex(f"--{name}") for name in ("model", *OF_MODELS, "n_clusters", "epochs")]
    assert places == sorted(places)
    assert "d, 50 % or more (default: 4)" in shown
    assert "a form (a; default: x)" in shown


@pytest.mark.parametrize(
    ("mistake", "named"),
    [
        (["--model", "c"], "got --model c, expected one of a, b"),
        (["--form", "z"], "got --form z, expected one of x, y"),
        (["--width", "wide"], "--width: invalid int value: 'wide'"),
    ],
)
def test_mistakes_in_options_of_models_are_one_line(capsys: pytest.CaptureFixture[str], mistake: list[str], named: str):
    with pytest.raises(SystemExit) as raised:
        model_options_parser().parse_args([*REQUIRED_ARGUMENTS[RunSettings], *mistake])
    assert raised.value.code == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
