"""Tables that were read from files, held as long as the files stay as they are."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path

import pandas as pd

MOST_ROWS = 500_000  # held at once: about 150 MB of predictions
_SETTLED = 50_000_000  # ns: a file that was changed later may change again within one tick of the clock


class HeldTables:
    """Reads each file once: the summary, the figures and the report of a run all start from the same predictions.

    A file is known by its path, place on the disk, size and times, so that one that is written again is read again. Of
    many tables the latest are held, up to `most_rows` rows together.
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._held: OrderedDict[Hashable, pd.DataFrame] = OrderedDict()

    def table(self, path: Path, read: Callable[[], pd.DataFrame], *more: Hashable) -> pd.DataFrame:
        """What `read` returns for the file, or a copy of what it returned before; `more` tells ways to read apart.

        Raises:
            UserError: what `read` raises; nothing is held then.
        """
        key = _state(path, *more)
        if key is None:
            return read()
        table = self._held.get(key)
        if table is None:
            table = read()
            self._held[key] = table
            while len(self._held) and sum(map(len, self._held.values())) > self._most_rows:
                self._held.popitem(last=False)
        return table.copy()


def _state(path: Path, *more: Hashable) -> Hashable | None:
    """What a file is known by; None where it cannot be told apart from one that is written at once after it."""
    try:
        found = path.stat()
    except OSError:
        return None
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < _SETTLED:
        return None
    return path.absolute(), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, more
