"""The text of a table: its encoding, what separates its columns, and its lines as lists of cells."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from utils.errors import UserError
from utils.files.csv_records import csv_records
from utils.files.phrases import agreeing, counted

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_MARKS = {  # byte order marks, the longer ones first
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SAMPLE, _FEW = 4096, 3  # bytes in which more than a few NULs tell UTF-16
_PIECE = 2**20
_N_SAMPLED_LINES = 5
_LONGEST_LINE, _MOST_COLUMNS = 2**25, 1_500_000  # the methylation of a patient in one line: 16 MB, 900,000 columns
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # in no text, but for Escape
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)  # Excel's


@dataclass(frozen=True)
class TableText:
    """The text of a table, and how it is read.

    Attributes:
        path: of the file.
        content: its bytes, unpacked.
        encoding: a codec of Python.
        separator: of columns, one character.
        n_skipped: lines before the header, which are not read.
        notes: what was assumed or skipped, each one sentence.
    """

    path: Path
    content: bytes
    encoding: str
    separator: str
    n_skipped: int
    notes: tuple[str, ...]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of each line that is not empty, and its cells, from the header on.

        Lines are read one by one, so that 20,000 columns need little more memory than the file. The number is that of
        the last line of a record whose quoted cells hold several.

        Raises:
            UserError: the text is not in the encoding, or no table, or a quotation mark is not closed.
        """
        with io.TextIOWrapper(io.BytesIO(self.content), self.encoding, newline="") as text:
            try:
                for _ in range(self.n_skipped):
                    next(text)
                for line, cells in csv_records(self._checked(text), separator=self.separator, n_above=self.n_skipped):
                    if any(map(str.strip, cells)):
                        yield line, cells
            except UnicodeError as error:
                raise UserError(
                    f"the label table {self.path} is not text in {self.encoding} ({error}): save it as CSV in UTF-8, "
                    "or name its encoding with --encoding"
                ) from error
            except csv.Error as error:
                raise UserError(
                    f"the label table {self.path} is no CSV text ({error}): correct it, or save it as CSV again"
                ) from error

    def _checked(self, lines: Iterable[str]) -> Iterator[str]:
        """The lines, none of which has more cells than a table has columns."""
        for line in lines:
            _check_columns(self.path, line.count(self.separator))
            yield line


def read_text(path: Path, content: bytes, separator: str | None = None, encoding: str | None = None) -> TableText:
    r"""Find out how the text of a table is to be read; `separator` and `encoding` are those that a user names.

    The encoding is UTF-8, or UTF-16 where its byte order mark or NULs show it, else Western European (cp1252 or
    Latin-1, as bytes allow), which a note says. The separator is the one of `,` `;` tab `|` that makes most columns of
    the header. Lines before the header that begin with `#` are skipped, as is Excel's line `sep=;`.

    Raises:
        UserError: bytes that are no text, a line longer than any of a table, or a `separator` or `encoding` that is
            none.
    """
    if separator is not None:
        separator = _named_separator(separator)
    _check_lines(path, content)
    notes = []
    if encoding is None:
        encoding, note = _encoding_of(path, content)
        notes += [note] if note else []
    else:
        _check_encoding(encoding)
    with io.TextIOWrapper(io.BytesIO(content), encoding, errors="replace", newline="") as text:
        n_comments, n_skipped, first, said = 0, 0, "", None
        for line in text:
            stripped = line.strip().lstrip("\ufeff")
            said = said or _SEPARATOR_LINE.fullmatch(stripped)
            if stripped.startswith("#"):
                n_comments += 1
            elif stripped and not _SEPARATOR_LINE.fullmatch(stripped):
                first = line
                break
            n_skipped += 1
        lines = [first, *islice(text, _N_SAMPLED_LINES)]
    for line in lines:
        _check_columns(path, max(line.count(mark) for mark in (separator or SEPARATORS)))
    if n_comments:
        notes.append(
            f"skipped the {counted(n_comments, 'line')} of {path.name} before its header that "
            f"{agreeing(n_comments, 'begins', 'begin')} with #"
        )
    if separator is None:
        separator = said.group(1) if said else _separator_of(lines)
        if separator != ",":
            name = SEPARATORS.get(separator, repr(separator))
            notes.append(f"the columns of {path.name} are separated by the {name}")
    return TableText(path, content, encoding, separator, n_skipped, tuple(notes))


def _check_lines(path: Path, content: bytes) -> None:
    """Refuse lines beyond any table's before they are decoded and cut into cells, of which each takes 60 bytes."""
    start = 0
    while len(content) - start > _LONGEST_LINE:
        end = start + _LONGEST_LINE
        start = 1 + max(content.rfind(b"\n", start, end), content.rfind(b"\r", start, end))
        if start == 0:
            raise UserError(
                f"the label table {path} has a line of more than {_LONGEST_LINE:,} bytes, which is no row of a table: "
                "give a table of the columns that are needed, or save it again"
            )


def _check_columns(path: Path, n_separators: int) -> None:
    if n_separators >= _MOST_COLUMNS:
        raise UserError(
            f"a line of the label table {path} has more than {_MOST_COLUMNS:,} cells, which is no row of a table: give "
            "a table of the columns that are needed"
        )


def _encoding_of(path: Path, content: bytes) -> tuple[str, str]:
    """The encoding that the bytes show, and what to say of it where that is a guess."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return encoding, "" if encoding == "utf-8-sig" else f"the encoding of {path.name} is {encoding.upper()}"
    even, odd = content[0:_SAMPLE:2].count(0), content[1:_SAMPLE:2].count(0)
    if max(even, odd) > _FEW and min(even, odd) * 8 < max(even, odd):  # those of ASCII characters are in one half
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        return encoding, f"the encoding of {path.name} is {encoding.upper()}, as its bytes show"
    control = _CONTROL.search(content)
    if control:
        raise UserError(
            f"the label table {path} is no text (byte {control.start()} is {control.group()!r}): give a .csv, .tsv or "
            ".xlsx file, or one of these in a .zip or .gz"
        )
    at = _first_not_utf8(content)
    if at is None:
        return "utf-8", ""
    encoding = "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", content) else "cp1252"
    word = (
        re.split(rb"[\s,;|\"]", content[max(0, at - 30) : at])[-1] + re.split(rb"[\s,;|\"]", content[at : at + 30])[0]
    )
    return encoding, (
        f"{path.name} is no UTF-8: {encoding} (Western European) was assumed, with {word.decode(encoding)!r} as the "
        f"first word that needs it (--encoding names another)"
    )


def _first_not_utf8(content: bytes) -> int | None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), _PIECE):
        piece = content[start : start + _PIECE]
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(piece, final=start + _PIECE >= len(content))
        except UnicodeDecodeError as error:
            return start - pending + error.start
    return None


def _check_encoding(encoding: str) -> None:
    try:
        "a".encode(encoding)
    except (LookupError, ValueError) as error:
        raise UserError(
            f"--encoding is {encoding!r}, which is unknown: expected a name such as utf-8, utf-16, cp1252 or latin-1"
        ) from error


def _named_separator(separator: str) -> str:
    """A separator as a user may write it: itself, a tab as in Python, or its name."""
    names = {name: character for character, name in SEPARATORS.items()} | {"\\t": "\t", "pipe": "|"}
    character = names.get(separator.lower(), separator)
    if len(character) != 1 or character in '"\r\n' or character.isalnum():
        raise UserError(
            f"--separator is {separator!r}: expected one character, or one of {', '.join(SEPARATORS.values())}"
        )
    return character


def _separator_of(lines: Sequence[str]) -> str:
    """The separator that suits all these lines, or gives most cells to the first, the header; under a title, to any."""

    def suits(separator: str) -> tuple[bool, int, int]:
        try:
            # A quoted cell may go on below the last line that is looked at.
            widths = [len(cells) for cells in csv.reader(lines, delimiter=separator) if cells]
        except csv.Error:  # a header of 20,000 genes that is one cell, longer than a cell may be
            widths = []
        if not widths:
            return False, 0, 0
        return len(set(widths)) == 1 and widths[0] > 1, widths[0], max(widths)

    return max(SEPARATORS, key=suits)
