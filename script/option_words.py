"""The words of a variable that holds options, for a shell script: `python -m script.option_words NAME TEXT`.

Each word is written to standard output and ended by a zero byte, as `mapfile -d ''` reads them.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("option_words")

import os
import shlex
import sys
from collections.abc import Sequence

from utils.errors import UserError
from utils.machine.process import exit_code


def words_of(text: str) -> list[str]:
    r"""The words that blanks separate; blanks within quotes belong to a word. Nothing is expanded, and `\` is itself.

    Raises:
        ValueError: for a quote that is not closed.

    >>> words_of("--label_column subtype --classes ductal 'mucinous; other'")
    ['--label_column', 'subtype', '--classes', 'ductal', 'mucinous; other']
    """
    reader = shlex.shlex(text, posix=True)
    reader.whitespace_split, reader.commenters, reader.escape = True, "", ""
    return list(reader)


def main(argv: Sequence[str]) -> int:
    """Write the words of `argv`, the name of the variable and its text; the exit code is 0, or 2 after one sentence."""
    name, text = argv

    def work() -> None:
        try:
            words = words_of(text)
        except ValueError as error:
            raise UserError(f"got {name}={text}, expected each quote to be closed") from error
        # As the shell gave them: standard output may have another encoding than the command line.
        sys.stdout.buffer.write(b"".join(os.fsencode(word) + b"\0" for word in words))

    return exit_code(work, "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
