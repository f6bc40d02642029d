"""The options of the clinical question, checked when they are made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from utils.command.arguments import option
from utils.command.checks import in_words
from utils.errors import UserError
from utils.files.plain_text import plain_text

_READ_IN_TABLES = ("covariates", "categorical", "subgroups", "missing", "case_column", "slide_column")


@dataclass(frozen=True, kw_only=True)
class ClinicalSettings:
    """Which table, and which of its columns; without `clinical` nothing is computed."""

    clinical: Path | None = option(
        None,
        "a table of clinical values of the test cases: .csv, .tsv, .txt or .xlsx, by itself or in a .zip or .gz",
        role="place",
    )
    covariates: tuple[str, ...] | None = option(
        None, "columns whose values the model is compared and combined with, such as age stage grade"
    )
    categorical: tuple[str, ...] | None = option(
        None, "columns of numbers that are names of groups, such as a grade of 1, 2 and 3"
    )
    subgroups: tuple[str, ...] | None = option(
        None, "columns by which the model is evaluated group by group; numbers are divided at their median"
    )
    case_column: str | None = option(
        None, "the column of the patient; default: found by its name, such as case_id or PATIENT_ID"
    )
    slide_column: str | None = option(
        None, "the column of the slide; default: found by its name, such as slide_id or filename"
    )
    missing: tuple[str, ...] | None = option(
        None, "more words that mean that a value is missing, beside NA, [Not Available], '-- and the like"
    )
    separator: str | None = option(
        None, "what separates the columns of the table: comma, semicolon, tab, or a character; default: found out"
    )
    encoding: str | None = option(None, "encoding of the table, such as utf-8 or cp1252; default: found out")
    sheet: str | None = option(None, "the sheet of a workbook; default: the first")

    def __post_init__(self) -> None:
        """Raise UserError for options that do not go together."""
        given = [one.name for one in fields(self) if getattr(self, one.name) is not None]
        if self.clinical is None:
            if given:
                raise UserError(f"got {in_words(given)} without --clinical: expected the clinical table with them")
            return
        if not self.covariates and not self.subgroups:
            raise UserError(
                "got --clinical without --covariates and --subgroups: name columns of the table, such as "
                "--covariates age stage"
            )
        for name in ("covariates", "subgroups", "categorical"):
            twice = [column for column, number in Counter(getattr(self, name) or ()).items() if number > 1]
            if twice:
                raise UserError(f"--{name} names {twice[0]} twice: expected each column once")
        unused = [name for name in self.categorical or () if name not in self.columns]
        if unused:
            raise UserError(
                f"--categorical names {unused[0]}, which is among neither --covariates nor --subgroups: name it there "
                "too, or leave it out"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values are needed, each once."""
        return tuple(dict.fromkeys((*(self.covariates or ()), *(self.subgroups or ()))))

    def in_plain_text(self) -> ClinicalSettings:
        """The settings with columns and words in the spelling that the cells of tables are read in."""
        plain: dict[str, Any] = {}
        for name in _READ_IN_TABLES:
            value = getattr(self, name)
            if value is not None:
                plain[name] = plain_text(value) if isinstance(value, str) else tuple(map(plain_text, value))
        return replace(self, **plain)
