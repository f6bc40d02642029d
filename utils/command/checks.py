"""Checks of settings that both commands share; each error names the option."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from utils.command.arguments import names_of
from utils.errors import UserError


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


def at_least(settings: Any, lowest: int, *names: str) -> None:
    """Validate that options, where they have a value, are `lowest` or more.

    Raises:
        UserError: for a smaller number, or NaN.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value >= lowest:
            raise UserError(f"got --{name} {value}, expected {lowest} or more")


def check_name(name: str, value: str) -> None:
    """Validate that an option can be the name of a file or folder.

    Raises:
        UserError: for a path, a hidden name, or nothing.
    """
    if not value.strip() or value.startswith(".") or any(mark in value for mark in "/\\"):
        raise UserError(f"got --{name} '{value}', expected a name for a file: not empty, no '/', no '.' in front")


def in_words(names: Sequence[str]) -> str:
    """Options as on the command line.

    >>> in_words(["lr", "seed"])
    '--lr, --seed'
    """
    return ", ".join(f"--{name}" for name in names)
