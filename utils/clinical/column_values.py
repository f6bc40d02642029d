"""A column of a clinical table as numbers or as groups, and what is odd about its cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from utils.errors import UserError
from utils.files.cell_text import number_of, printable
from utils.files.phrases import counted

_MOST_GROUPS = 20
_FEW_GROUPS = 8  # more of them must have two cases each on average: dates and ids do not
_LARGEST = 1e100  # beyond, squares leave the range of float64
_FAR = 3.0  # standard deviations of the other values, from the nearest of which a code for "missing" stands apart


@dataclass(frozen=True)
class ColumnValues:
    """A column of n cases.

    Attributes:
        values: (n,) float64 with NaN, or texts (object) with `""`, where there is no value.
        notes: which spellings were read as one group, a sentence.
        warnings: numbers that may be codes for a missing value, each one sentence.
    """

    values: np.ndarray
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers; groups otherwise."""
        return self.values.dtype != object

    @property
    def known(self) -> np.ndarray:
        """(n,) bool, the cases that have a value."""
        return ~np.isnan(self.values) if self.is_number else self.values != ""


def read_columns(texts: Mapping[str, np.ndarray], categorical: Collection[str]) -> dict[str, ColumnValues]:
    """The columns `texts` {column: (n,) texts, empty without a value} as numbers or groups.

    A column whose values are all numbers, more than two different ones, is one of numbers unless it is `categorical`.
    Groups whose names differ in letter case only are one, under the most frequent of its spellings.

    Raises:
        UserError: a column without any value; of numbers among which is a text, or one that is not finite; of more than
            20 groups; or of more than 8 groups that have fewer than two cases on average.
    """
    return {name: _read_column(name, cells, name in categorical) for name, cells in texts.items()}


def _read_column(name: str, cells: np.ndarray, is_categorical: bool) -> ColumnValues:
    filled = [cell for cell in cells if cell != ""]
    if not filled:
        raise UserError(f"column {name} has a value for none of the {counted(len(cells), 'case')}: leave it out")
    numbers = [number_of(cell) for cell in filled]
    others = [cell for cell, number in zip(filled, numbers, strict=True) if number is None]
    infinite = [
        cell for cell, number in zip(filled, numbers, strict=True) if number is not None and not _usable(number)
    ]
    if infinite and len(infinite) + len(others) < len(filled):  # among words alone, inf is a word as well
        raise UserError(
            f"column {name} holds {printable(infinite[0])} among numbers: expected finite numbers; correct it, leave "
            "the cell blank, or name it with --missing"
        )
    others += infinite
    if not is_categorical and not others and len(set(numbers)) > 2:
        values = np.array([np.nan if cell == "" else float(cell) for cell in cells])
        return ColumnValues(values, warnings=_codes(name, values, filled))
    if not is_categorical and len(others) * 2 < len(filled) and len(set(filled)) > 2:
        raise UserError(
            f"column {name} holds {printable(others[0] if others else filled[0])} where "
            f"{len(filled) - len(others)} other cases have numbers: expected numbers or names of groups; correct it, "
            "leave the cell blank, name it with --missing, or read all as groups with --categorical"
        )
    spelt = [_group(cell) for cell in cells]
    spelling = _spellings(spelt)
    groups = np.array([spelling.get(group, group) for group in spelt], dtype=object)
    _check_number_of_groups(name, groups[groups != ""])
    said = ", ".join(f"{other!r} as {main!r}" for other, main in spelling.items())
    return ColumnValues(groups, (f"Column {name}: {said}, which differ in letter case only.",) if said else ())


def _usable(number: float) -> bool:
    return abs(number) < _LARGEST


def _group(cell: str) -> str:
    """The name of a group; `1.0` is `1`."""
    number = number_of(cell)
    return str(int(number)) if number is not None and _usable(number) and number == int(number) else cell


def _spellings(groups: list[str]) -> dict[str, str]:
    """{spelling: the most frequent one that differs from it in letter case only}, of those that are not it."""
    counts = Counter(groups)
    main: dict[str, str] = {}
    for group in sorted(counts, key=lambda group: (-counts[group], group)):
        main.setdefault(group.casefold(), group)
    return {group: main[group.casefold()] for group in sorted(counts) if main[group.casefold()] != group}


def _check_number_of_groups(name: str, groups: np.ndarray) -> None:
    n_groups = len(set(groups))
    if n_groups > _MOST_GROUPS or (n_groups > _FEW_GROUPS and n_groups * 2 > len(groups)):
        raise UserError(
            f"column {name} has {n_groups} different values, such as {printable(groups[0])}, for "
            f"{counted(len(groups), 'case')}: expected numbers, or at most {_MOST_GROUPS} groups of several cases "
            "each; leave it out, or name groups in a column of their own"
        )


def _codes(name: str, values: np.ndarray, filled: list[str]) -> tuple[str, ...]:
    """A warning for the lowest and the highest number if it looks like a code for "missing", such as -1 or 999.

    It is a whole number of several cases, and far from all others, or below 0 where no other is.
    """
    known = values[~np.isnan(values)]
    found = []
    for code in (known.min(), known.max()):
        others = known[known != code]
        n_cases, gap, deviation = len(known) - len(others), np.abs(others - code).min(), others.std()
        is_far = gap > _FAR * deviation or (gap > deviation and code < 0 <= others.min())
        if n_cases > 1 and code == int(code) and is_far:
            cell = Counter(cell for cell in filled if float(cell) == code).most_common(1)[0][0]
            found.append(
                f"Column {name} is {cell} for {n_cases} cases, far from all others ({others.min():g} to "
                f"{others.max():g}): if that means that the value is missing, add --missing {cell}."
            )
    return tuple(found)
