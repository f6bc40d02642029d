"""A command-line parser made from a settings dataclass, so that each default stands in one place."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

Settings = TypeVar("Settings")


def option(default: Any, help: str, *, choices: Sequence[str] | None = None) -> Any:
    """A field with its command-line help; `dataclasses.MISSING` as default makes the option required."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


REQUIRED = dataclasses.MISSING


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, with exit status 2, and which takes no abbreviations."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Print the error without the usage of 30 options before it."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def build_parser(settings: type[Settings], prog: str, description: str) -> argparse.ArgumentParser:
    """A parser with one option for each field of a settings dataclass."""
    parser = OneLineParser(prog, description)
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]
        arguments: dict[str, Any] = {"help": field.metadata["help"], "dest": field.name}
        kind, many, optional = _kind_of(hints[field.name])
        if kind is bool:
            arguments["action"] = "store_true"
        else:
            arguments["type"] = _optional_of(kind) if optional and kind is not Path else kind
            arguments["choices"] = field.metadata["choices"]
            arguments["metavar"] = None if field.metadata["choices"] else kind.__name__.upper()
            if many:
                arguments["nargs"] = "+"
            if field.default is REQUIRED:
                arguments["required"] = True
                arguments["default"] = argparse.SUPPRESS  # no "(default: None)" in the help
            else:
                arguments["default"] = field.default
        parser.add_argument(f"--{field.name}", **arguments)
    return parser


def resolve(settings: type[Settings], arguments: argparse.Namespace) -> Settings:
    """The settings that parsed arguments stand for; their own checks raise `UserError`."""
    values: dict[str, Any] = vars(arguments)
    return settings(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _kind_of(hint: Any) -> tuple[type, bool, bool]:
    """The scalar type of a field, whether it takes several values, and whether it may be None."""
    optional = typing.get_origin(hint) in (types.UnionType, typing.Union)
    if optional:
        hint = next(item for item in typing.get_args(hint) if item is not type(None))
    many = typing.get_origin(hint) is tuple
    return (typing.get_args(hint)[0] if many else hint), many, optional


def _optional_of(kind: type) -> Any:
    def convert(text: str) -> Any:
        return None if text in ("none", "all") and kind is not str else kind(text)

    convert.__name__ = kind.__name__
    return convert
