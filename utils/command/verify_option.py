"""The option `--verify` of every command that reads features."""

from __future__ import annotations

from typing import Any

from utils.command.arguments import option

CHANGED, FULL = VERIFY = ("changed", "full")


def verify_option() -> Any:
    """The field of a settings dataclass, `changed` by default."""
    return option(
        CHANGED,
        "which feature files are looked at again before work: those that changed since an earlier command looked, or "
        "(full) all of them",
        choices=VERIFY,
        role="run",
    )
