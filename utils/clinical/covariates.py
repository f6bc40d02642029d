"""From texts to covariates: numbers per standard deviation, groups as dummies, and the cases that have all values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.errors import UserError
from utils.files.cell_text import number_of, printable
from utils.files.phrases import counted, quoted

FEWEST_CASES = 5  # of a group; smaller ones, and those without an event, are left out and named
_MOST_GROUPS = 20
_FEW_VALUES = 10  # of a column of numbers that may be names of groups


@dataclass(frozen=True)
class Covariate:
    """A column as the models see it.

    Attributes:
        name: of the column.
        is_number: whether its values are numbers; groups otherwise.
        levels: of groups, the one that others are compared with (the most frequent) first.
        mean, deviation: of numbers, over the cases of the models.
        columns: (n, q) of the design: of numbers `(x - mean) / deviation`, of groups a dummy for each other level.
    """

    name: str
    is_number: bool
    levels: tuple[str, ...]
    mean: float
    deviation: float
    columns: np.ndarray

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the q columns for a reader.

        >>> Covariate("age", True, (), 61.0, 10.4, np.zeros((3, 1))).terms
        ('age, per SD (10.4)',)
        >>> Covariate("stage", False, ("II", "I", "III"), 0.0, 1.0, np.zeros((3, 2))).terms
        ('stage I vs II', 'stage III vs II')
        """
        if self.is_number:
            return (f"{self.name}, per SD ({self.deviation:.3g})",)
        return tuple(f"{named(self.name, level)} vs {self.levels[0]}" for level in self.levels[1:])


@dataclass(frozen=True)
class Design:
    """The covariates of the cases that have all of them.

    Attributes:
        covariates: in the order of the options.
        kept: (n_all,) bool, the cases of the models.
        rare: {column: {level that was left out: (cases, events)}}.
        notes: how columns were read, each one sentence.
    """

    covariates: tuple[Covariate, ...]
    kept: np.ndarray
    rare: Mapping[str, Mapping[str, tuple[int, int]]]
    notes: tuple[str, ...]

    @property
    def columns(self) -> np.ndarray:
        """(n, p) of all covariates."""
        return np.concatenate([one.columns for one in self.covariates], axis=1)


def named(column: str, level: str) -> str:
    """A group with its column, unless it begins with that anyway.

    >>> named("sex", "female"), named("stage", "Stage II")
    ('sex female', 'Stage II')
    """
    return level if level.casefold().startswith(f"{column.casefold()} ") else f"{column} {level}".strip()


def design_of(
    texts: Mapping[str, np.ndarray], outcome: np.ndarray, categorical: Sequence[str], *, is_survival: bool
) -> Design:
    """The design of the columns `texts` {column: (n_all,) texts, empty without a value}.

    A column whose values are all numbers, more than two different ones, is one of numbers unless it is `categorical`.
    Groups of fewer than 5 cases, without a death, or with one class only have no estimate that is worth a line: their
    cases are left out of all models, and counted. For groups without a death, or of one class, the other coefficients
    are those that maximum likelihood comes to in the limit with them.

    Args:
        texts: of the columns.
        outcome: (n_all,) bool, deaths or positive cases.
        categorical: columns whose numbers are names of groups.
        is_survival: whether the outcome is a time; a group may then consist of deaths alone.

    Raises:
        UserError: a column without any value, of numbers among which are texts, of more than 20 groups, or with the
            same value for all cases; no case with all values.
    """
    read = {name: read_column(name, cells, name in categorical) for name, cells in texts.items()}
    kept = np.all([cells != "" for cells in texts.values()], axis=0)
    if not kept.any():
        raise UserError(f"no case has a value in all of the columns {', '.join(texts)}: leave one out")
    rare: dict[str, dict[str, tuple[int, int]]] = {}
    while found := _first_rare(read, kept, outcome, is_survival=is_survival):
        name, level, counts = found
        rare.setdefault(name, {})[level] = counts
        kept &= read[name] != level
    covariates = tuple(_covariate(name, values[kept]) for name, values in read.items())
    return Design(covariates, kept, rare, tuple(_notes(covariates, read, rare)))


def read_column(name: str, cells: np.ndarray, is_categorical: bool) -> np.ndarray:
    """The values of a column (n,): float64 with NaN, or texts with `""` where there is none.

    Raises:
        UserError: see `design_of`.
    """
    filled = [cell for cell in cells if cell != ""]
    if not filled:
        raise UserError(f"column {name} has a value for none of the {counted(len(cells), 'case')}: leave it out")
    numbers = [number_of(cell) for cell in filled]
    others = [cell for cell, number in zip(filled, numbers, strict=True) if number is None or not np.isfinite(number)]
    if not is_categorical and not others and len(set(numbers)) > 2:
        return np.array([np.nan if cell == "" else float(cell) for cell in cells])
    if not is_categorical and len(others) * 2 < len(filled) and len(set(filled)) > 2:
        raise UserError(
            f"column {name} holds {printable(others[0] if others else filled[0])} where "
            f"{len(filled) - len(others)} other cases have numbers: expected numbers or names of groups; correct it, "
            "leave the cell blank, name it with --missing, or read all as groups with --categorical"
        )
    groups = np.array([_group(cell) for cell in cells], dtype=object)
    n_groups = len(set(groups[groups != ""]))
    if n_groups > _MOST_GROUPS:
        raise UserError(
            f"column {name} has {n_groups} different values, such as {printable(filled[0])}: expected numbers, or at "
            f"most {_MOST_GROUPS} groups; leave it out, or name groups in a column of their own"
        )
    return groups


def _group(cell: str) -> str:
    """The name of a group; `1.0` is `1`."""
    number = number_of(cell)
    return str(int(number)) if number is not None and number == int(number) else cell


def _first_rare(
    read: Mapping[str, np.ndarray], kept: np.ndarray, outcome: np.ndarray, *, is_survival: bool
) -> tuple[str, str, tuple[int, int]] | None:
    """A group that is too small among the cases that are left, with its cases and events."""
    for name, values in read.items():
        if values.dtype != object:
            continue
        for level in sorted(set(values[kept])):
            own = kept & (values == level)
            n_cases, n_events = int(own.sum()), int(outcome[own].sum())
            one_sided = n_events == 0 or (n_events == n_cases and not is_survival)
            if n_cases < FEWEST_CASES or one_sided:
                return name, level, (n_cases, n_events)
    return None


def _covariate(name: str, values: np.ndarray) -> Covariate:
    if values.dtype != object:
        deviation = float(values.std())
        if not deviation > 0:
            raise _constant(name, f"{values[0]:g}" if len(values) else "no value", len(values))
        mean = float(values.mean())
        return Covariate(name, True, (), mean, deviation, ((values - mean) / deviation)[:, None])
    counts = Counter(values.tolist())
    if len(counts) < 2:
        raise _constant(name, next(iter(counts), "no value"), len(values))
    reference = min(counts, key=lambda level: (-counts[level], level))
    levels = (reference, *sorted(set(counts) - {reference}))
    return Covariate(name, False, levels, 0.0, 1.0, (values[:, None] == np.array(levels[1:])).astype(np.float64))


def _constant(name: str, value: str, n_cases: int) -> UserError:
    return UserError(
        f"column {name} is {printable(value)} for all {counted(n_cases, 'case')} that the models can use (with a value "
        f"in every column, in groups of {FEWEST_CASES} or more in which outcomes differ): expected different values; "
        "leave it out"
    )


def _notes(
    covariates: Sequence[Covariate], read: Mapping[str, np.ndarray], rare: Mapping[str, Mapping[str, tuple[int, int]]]
) -> Iterator[str]:
    for one in covariates:
        if one.is_number:
            values = read[one.name]
            may_be_groups = len(set(values[~np.isnan(values)])) <= _FEW_VALUES
            hint = f" (--categorical {one.name} reads them as groups)" if may_be_groups else ""
            yield f"Column {one.name}: numbers, mean {one.mean:.3g}, SD {one.deviation:.3g}{hint}."
        else:
            yield f"Column {one.name}: groups {', '.join(quoted(one.levels))}, each compared with {one.levels[0]!r}."
    for name, levels in rare.items():
        for level, (n_cases, n_events) in levels.items():
            few = n_cases < FEWEST_CASES
            why = f"fewer than {FEWEST_CASES}" if few else f"{n_events} of {n_cases} with the outcome, so no estimate"
            yield (
                f"Left out of the models: {counted(n_cases, 'case')} of {name} {level!r} ({why}). Merge groups in the "
                "table to keep them."
            )


def as_record(covariate: Covariate) -> dict[str, Any]:
    """A covariate as JSON values; `terms` are the names of its lines in a model."""
    record: dict[str, Any] = {"name": covariate.name, "terms": list(covariate.terms)}
    if covariate.is_number:
        return record | {"kind": "number", "mean": covariate.mean, "deviation": covariate.deviation}
    counts = [int(column.sum()) for column in covariate.columns.T]
    sizes = [len(covariate.columns) - sum(counts), *counts]
    levels = dict(zip(covariate.levels, sizes, strict=True))
    return record | {"kind": "group", "reference": covariate.levels[0], "levels": levels}
