"""A command-line parser made from a settings dataclass, so that each default stands in one place."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from utils.command.limits import Limits
from utils.command.model_options import SharedOption

Settings = TypeVar("Settings")
# What an option is for: it decides results, names a place, affects only run time or what else is written, or belongs
# to explanations. Lists of options are derived from this (`names_of`).
ROLES = ("results", "place", "run", "explanation")
REQUIRED = dataclasses.MISSING
MODEL_OPTIONS = "model_options"  # the field that holds the options of the chosen model


def option(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] | None = None,
    role: str = "results",
    limits: Limits | None = None,
    nothing: Sequence[str] = ("none", "all"),
) -> Any:
    """A field with its command-line help; `REQUIRED` as default makes the option required.

    `utils.command.checks` compares values with `choices` and `limits`. `nothing` are the words that stand for None.

    Raises:
        ValueError: for a role that is none of `ROLES`.
    """
    if role not in ROLES:
        raise ValueError(f"got role '{role}', expected one of {', '.join(ROLES)}")
    return dataclasses.field(
        default=default,
        metadata={"help": help, "choices": choices, "role": role, "limits": limits, "nothing": nothing},
    )


def names_of(settings: type, *roles: str) -> tuple[str, ...]:
    """The options of a settings dataclass that have one of these roles, in their order."""
    return tuple(field.name for field in dataclasses.fields(settings) if field.metadata.get("role") in roles)


class DefaultsHelpFormatter(argparse.HelpFormatter):
    """Adds the default to the help of an option, where there is one to speak of."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # By identity: a default of 0 equals False, and is one to speak of.
        if action.help is None or any(action.default is nothing for nothing in (None, False, argparse.SUPPRESS)):
            return action.help
        return f"{action.help} (default: %(default)s)"


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, with exit code 2, and which takes no abbreviations.

    Args:
        prog: the name of the command.
        description: of the command, for `--help`.
        epilog: text below the options in `--help`.
        formatter_class: of `--help`; this one adds the defaults.
    """

    def __init__(
        self,
        prog: str,
        description: str,
        *,
        epilog: str | None = None,
        formatter_class: type[argparse.HelpFormatter] = DefaultsHelpFormatter,
    ) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            allow_abbrev=False,
            formatter_class=formatter_class,
        )

    def error(self, message: str) -> NoReturn:
        """Print the error without the usage of 30 options before it."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """A wrong choice in the words of settings that are made in Python."""
        if action.choices is not None and value not in action.choices:
            self.error(
                f"got {action.option_strings[-1]} {value}, expected one of {', '.join(map(str, action.choices))}"
            )


def build_parser(
    settings: type,
    prog: str,
    description: str,
    *,
    choices: Mapping[str, Sequence[str]] | None = None,
    model_options: Mapping[str, SharedOption] | None = None,
) -> argparse.ArgumentParser:
    """A parser with one option for each field of a settings dataclass.

    Args:
        settings: its fields are made by `option`; one called `model_options` stands for the options of the models.
        prog: the name of the command.
        description: of the command, for `--help`.
        choices: of fields whose choices the dataclass cannot know.
        model_options: the options of the models, added where that field stands; absent from the parsed arguments
            unless given.
    """
    parser = OneLineParser(prog, description)
    hints = typing.get_type_hints(settings)
    # Options of explanations come last: they belong to one stage.
    for field in sorted(dataclasses.fields(settings), key=lambda field: field.metadata.get("role") == "explanation"):
        if field.name == MODEL_OPTIONS:
            for shared in (model_options or {}).values():
                _add_model_option(parser, shared)
        else:
            _add_option(parser, field, hints[field.name], (choices or {}).get(field.name, field.metadata["choices"]))
    return parser


def add_options(parser: argparse.ArgumentParser, settings: type, **choices: Sequence[str]) -> None:
    """Add the options of a settings dataclass to a parser; `choices` are those of fields that it cannot know.

    Args:
        parser: of a command that has other options beside these.
        settings: its fields are made by `option`.
        **choices: as in `build_parser`.
    """
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        _add_option(parser, field, hints[field.name], choices.get(field.name, field.metadata["choices"]))


def resolve(settings: type[Settings], arguments: argparse.Namespace, **more: Any) -> Settings:
    """The settings that parsed arguments stand for, with `more` fields; their own checks raise `UserError`."""
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in vars(arguments).items()}
    return settings(**values, **more)


def _add_option(
    parser: argparse.ArgumentParser, field: dataclasses.Field[Any], hint: Any, choices: Sequence[str] | None
) -> None:
    arguments: dict[str, Any] = {"help": field.metadata["help"], "dest": field.name}
    kind, many, optional = _kind_of(hint)
    if kind is bool:
        arguments["action"] = "store_true"
    else:
        arguments["type"] = _optional_of(kind, field.metadata["nothing"]) if optional and kind is not Path else kind
        arguments["choices"] = choices
        arguments["metavar"] = None if choices else kind.__name__.upper()
        if many:
            arguments["nargs"] = "+"
        if field.default is REQUIRED:
            arguments["required"] = True
            arguments["default"] = argparse.SUPPRESS  # no "(default: None)" in the help
        else:
            arguments["default"] = field.default
    parser.add_argument(f"--{field.name}", **arguments)


def _add_model_option(parser: argparse.ArgumentParser, shared: SharedOption) -> None:
    # Its default depends on the model; an option that is not given is absent, so that a given one can be refused.
    arguments: dict[str, Any] = {"help": shared.help.replace("%", "%%"), "default": argparse.SUPPRESS}
    if shared.kind is bool:
        arguments["action"] = argparse.BooleanOptionalAction
    else:
        arguments["type"] = shared.kind
        arguments["choices"] = shared.choices
        arguments["metavar"] = None if shared.choices else shared.kind.__name__.upper()
        if shared.many:
            arguments["nargs"] = "+"
    parser.add_argument(f"--{shared.name}", **arguments)


def _kind_of(hint: Any) -> tuple[type, bool, bool]:
    """The scalar type of a field, whether it takes several values, and whether it may be None."""
    optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
    if optional:
        hint = next(item for item in typing.get_args(hint) if item is not type(None))
    many = typing.get_origin(hint) is tuple
    return (typing.get_args(hint)[0] if many else hint), many, optional


def _optional_of(kind: type, nothing: Sequence[str]) -> Any:
    def convert(text: str) -> Any:
        return None if text in nothing and kind is not str else kind(text)

    convert.__name__ = kind.__name__
    return convert
