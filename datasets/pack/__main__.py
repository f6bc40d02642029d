"""The command `python -m datasets.pack`: features of a cohort -> one file on a local disk that all processes map."""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m datasets.pack")

import argparse
import logging
import sys
from collections.abc import Sequence

from datasets.pack.settings import PackSettings
from utils.command.arguments import build_parser, resolve
from utils.command.console import log_to_terminal
from utils.files.phrases import counted, size_in_words
from utils.machine.process import exit_code

PROG = "python -m datasets.pack"
_log = logging.getLogger("datasets.pack")


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    description = (
        "Pack the features of a cohort, unchanged, into one file on a local disk. The folder of the pack takes the "
        "place of the directories of features in every command; all processes of a machine share its pages in memory. "
        "An interrupted call goes on when the command is called again."
    )
    return build_parser(PackSettings, PROG, description)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one sentence on stderr."""
    arguments = get_args_parser().parse_args(argv)
    log_to_terminal()

    def work() -> None:
        from datasets.pack.pack_cohort import pack_cohort  # slow to import: only after the options were checked

        pack = pack_cohort(resolve(PackSettings, arguments))
        n_slides, size = counted(len(pack.slides), "slide"), size_in_words(pack.n_bytes)
        _log.info("packed %s, %s: give --features_dir %s", n_slides, size, pack.folder)

    return exit_code(work, PROG, goes_on="the same command goes on")


if __name__ == "__main__":
    sys.exit(main())
