"""What an interrupted prediction of a cohort has computed, batch by batch: `partial.pt`, written and read here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from utils.errors import UserError
from utils.files.tensors import damage_told, load_tensors, save_tensors
from utils.runs.predict_dir import PARTIAL

SECONDS_BETWEEN = 30.0


class PartialLogits:
    """Logits (folds, B, C) of batches, by a key that names their slides and features; kept on disk while they are made.

    Args:
        folder: the file goes there.
        digest: of all that the logits depend on beside the slides; batches of another one are not used.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.path, self.digest = folder / PARTIAL, digest
        self.batches: dict[str, Tensor] = {}
        self._written = time.monotonic()

    def load(self) -> None:
        """Take over what an interrupted call has left.

        Raises:
            UserError: for a damaged file, or one of other models.
        """
        if not self.path.exists():
            return
        with damage_told(self.path, self._unreadable):
            if not self.path.is_file():
                raise ValueError("it is no regular file")
            content: Any = load_tensors(self.path)
        if not isinstance(content, Mapping) or content.get("digest") != self.digest:
            raise UserError(
                f"{self.path} is of other folds, weights or another precision: give the same options as before, or "
                "begin again with --overwrite"
            )
        batches = content.get("batches")
        if not isinstance(batches, dict) or not all(map(_are_logits, batches.values())):
            raise UserError(self._unreadable("it holds something else than logits"))
        self.batches = dict(batches)

    def add(self, key: str, logits: Tensor) -> None:
        """Keep the logits of a batch; every half minute all of them are written."""
        self.batches[key] = logits
        if time.monotonic() - self._written > SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write all batches, atomically; nothing where there is none."""
        if not self.batches:
            return
        save_tensors(self.path, {"digest": self.digest, "batches": self.batches})
        self._written = time.monotonic()

    def _unreadable(self, reason: str) -> str:
        return f"{self.path} cannot be read ({reason}): begin again with --overwrite"


def _are_logits(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 3 and value.is_floating_point() and bool(value.isfinite().all())
