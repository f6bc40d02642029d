"""Checkpoints: tensors and plain values only, so that `torch.load(weights_only=True)` opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.tensors import LOAD_ERRORS, first_line, load_tensors, save_tensors


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a dict of tensors and plain values, atomically; equal content gives equal bytes."""
    save_tensors(path, state)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU.

    Raises:
        UserError: for a file that is missing, cut off, or holds anything but a dict of tensors and plain
            values.
    """
    if not path.is_file():
        raise UserError(f"no checkpoint at {path}: train this fold first (--stage train)")
    try:
        state = load_tensors(path)
    except LOAD_ERRORS as error:
        raise UserError(
            f"{path} cannot be read as a checkpoint ({first_line(error)}): remove it and train this fold again"
        ) from error
    if not isinstance(state, dict):
        raise UserError(f"{path} holds {type(state).__name__}, expected a dict: remove it and train this fold again")
    return state
