"""The version of what this code writes: it stands in every file that a later call reads back.

The rule for reading forwards: a file without a version is of before there were any; what an older file lacks has the
value that it had then (`utils.runs.protocol.completed`); what a file holds beside what is known is ignored; a file of
a later version is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from utils.errors import UserError

KEY = "format"
VERSION = 1  # raised whenever a file changes so that this code's earlier versions would misread it


def versioned(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file, with the version before it."""
    return {KEY: VERSION, **{name: value for name, value in content.items() if name != KEY}}


def check_version(content: Mapping[str, Any], path: Path) -> None:
    """Raise UserError for the content of a file of a later version, or with a version that is none."""
    version = content.get(KEY, 0)
    if isinstance(version, bool) or not isinstance(version, int) or version < 0:
        raise UserError(f"{path}: {KEY} is {str(version)[:40]!r}, expected a version from 0 to {VERSION}: restore it")
    if version > VERSION:
        raise UserError(
            f"{path} was written by a later version of this code (format {version}, known up to {VERSION}): "
            "update this checkout"
        )
