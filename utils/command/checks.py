"""Checks of settings that both commands share; each error names the option."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from utils.command.arguments import names_of
from utils.errors import UserError

_LONGEST_NAME = 200


def changed(settings: Any, role: str) -> list[str]:
    """The options of a role that are not at their default."""
    defaults = {field.name: field.default for field in dataclasses.fields(settings)}
    return [name for name in names_of(type(settings), role) if getattr(settings, name) != defaults[name]]


def check_choices(settings: Any) -> None:
    """Validate the values of options that have choices; settings made in Python meet no parser.

    Raises:
        UserError: for another value.
    """
    for field in dataclasses.fields(settings):
        choices, value = field.metadata.get("choices"), getattr(settings, field.name)
        if choices is None or (value is None and field.default is None):
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if item not in choices:
                raise UserError(f"got --{field.name} {item}, expected one of {', '.join(choices)}")


def check_limits(settings: Any) -> None:
    """Validate the numbers of options that have limits.

    Raises:
        UserError: for a number beyond them, or NaN.
    """
    for field in dataclasses.fields(settings):
        limits, value = field.metadata.get("limits"), getattr(settings, field.name)
        if limits is None or value is None:
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if not limits.contain(item):
                raise UserError(f"got --{field.name} {item}, expected {limits.in_words()}")


def check_name(name: str, value: str) -> None:
    """Validate that an option can be the name of a file or folder.

    Raises:
        UserError: for a path, a hidden name, nothing, or a name that cannot stand in tables.
    """
    # What a terminal obeys, a spreadsheet takes for a formula, or no file system has room for.
    if not value.isprintable() or value.startswith(("=", "+", "@")) or len(value.encode()) > _LONGEST_NAME:
        raise UserError(
            f"got --{name} {value[:80]!r}, expected a name for files and tables: at most {_LONGEST_NAME} bytes, all "
            "printable, no '=', '+' or '@' in front"
        )
    if not value.strip() or value.startswith(".") or any(mark in value for mark in "/\\"):
        raise UserError(
            f"got --{name} '{value}', expected a name for a file: not empty, no '/' or '\\', no '.' in front"
        )


def in_words(names: Sequence[str]) -> str:
    """Options as on the command line.

    >>> in_words(["lr", "seed"])
    '--lr, --seed'
    """
    return ", ".join(f"--{name}" for name in names)
