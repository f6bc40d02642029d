"""What a command says on the terminal."""

from __future__ import annotations

import logging
import sys

from tqdm import tqdm


class ProgressBarHandler(logging.Handler):
    """Writes log lines to standard output, above a progress bar that may be drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        tqdm.write(self.format(record), file=sys.stdout)


def log_to_terminal() -> None:
    """Send log lines of level info and above to standard output, as plain text."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[ProgressBarHandler()], force=True)
