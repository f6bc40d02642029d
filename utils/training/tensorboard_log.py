"""The rows of `log.csv` as TensorBoard scalars of the same names (`--tensorboard`)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from utils.errors import UserError, cannot_write
from utils.runs.epoch_log import read_log


def require_tensorboard() -> None:
    """Check that the package tensorboard, which is optional, is installed.

    Raises:
        UserError: with how to install it.
    """
    if find_spec("tensorboard") is None:
        raise UserError(
            "--tensorboard needs the package tensorboard, which is not installed: run bash script/setup.sh "
            "--with-extras, or leave the option out"
        )


class TensorBoardLog:
    """Writes each epoch of a fold to an event file in a folder.

    An epoch that is trained again after an interruption takes the place of what was written of it, and of all epochs
    after it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None

    def __call__(self, row: Mapping[str, float | None]) -> None:
        """Write a row of the log at the step of its epoch; values that are undefined are left out.

        Raises:
            MachineError: the folder cannot be written.
        """
        epoch = int(row["epoch"] or 0)
        with self._told():
            if self._writer is None:
                from torch.utils.tensorboard import SummaryWriter  # optional, and slow to import

                self._writer = SummaryWriter(str(self.folder), purge_step=epoch)
            for name, value in row.items():
                if name != "epoch" and value is not None:
                    self._writer.add_scalar(name, value, epoch)
            self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        if self._writer is not None:
            with self._told():
                self._writer.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self.folder, error) from error


def write_whole_log(log: Path, folder: Path) -> None:
    """Write all rows of a `log.csv` to an event file, for a fold that was trained without; an old folder stays.

    Raises:
        UserError: the log is unreadable (see `utils.runs.epoch_log.read_log`).
    """
    if folder.exists():
        return
    with closing(TensorBoardLog(folder)) as tensorboard:
        for row in read_log(log).to_dict("records"):
            tensorboard({str(name): None if math.isnan(value) else value for name, value in row.items()})
