"""Checkpoints: tensors and plain values only, so that `torch.load(weights_only=True)` opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.format_version import check_version, versioned
from utils.files.tensors import damage_told, load_tensors, save_tensors


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a dict of tensors and plain values, atomically; equal content gives equal bytes."""
    save_tensors(path, versioned(state))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU.

    Raises:
        UserError: for a file that is missing, cut off, or holds anything but a dict of tensors and plain
            values.
    """
    if not path.is_file():
        raise UserError(f"no checkpoint at {path}: train this fold first (--stage train)")
    with damage_told(path, lambda reason: _unreadable(path, reason)):
        state = load_tensors(path)
    if not isinstance(state, dict):
        raise UserError(f"{path} holds {type(state).__name__}, expected a dict: remove it and train this fold again")
    check_version(state, path)
    return state


def _unreadable(path: Path, reason: str) -> str:
    return f"{path} cannot be read as a checkpoint ({reason}): remove it and train this fold again"
