"""From texts to covariates: numbers per standard deviation, groups as dummies, and the cases that have all values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.clinical.column_values import ColumnValues
from utils.errors import UserError
from utils.files.cell_text import printable
from utils.files.phrases import counted, quoted

FEWEST_CASES = 5  # of a group; smaller ones, and those without an event, are left out and named
_FEW_VALUES = 10  # of a column of numbers that may be names of groups
_NAMED = 5  # groups in the sentence of an error


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


def design_of(columns: Mapping[str, ColumnValues], outcome: np.ndarray, *, is_survival: bool) -> Design:
    """The design of the columns {name: values of n_all cases}.

    Groups of fewer than 5 cases, without a death, or with one class only have no estimate that is worth a line: their
    cases are left out of all models, and counted. For groups without a death, or of one class, the other coefficients
    are those that maximum likelihood comes to in the limit with them.

    Args:
        columns: at least one, of n_all cases each.
        outcome: (n_all,) bool, deaths or positive cases.
        is_survival: whether the outcome is a time; a group may then consist of deaths alone.

    Raises:
        UserError: no case with all values; a column with fewer than two groups that have an estimate, or with the same
            value for all cases that are left.
    """
    read = {name: column.values for name, column in columns.items()}
    kept = np.all([column.known for column in columns.values()], axis=0)
    if not kept.any():
        raise UserError(f"no case has a value in all of the columns {', '.join(columns)}: leave one out")
    rare: dict[str, dict[str, tuple[int, int]]] = {}
    while found := _first_rare(read, kept, outcome, is_survival=is_survival):
        name, level, counts = found
        rare.setdefault(name, {})[level] = counts
        kept &= read[name] != level
    _check_groups_left(read, kept, rare)
    covariates = tuple(_covariate(name, values[kept]) for name, values in read.items())
    return Design(covariates, kept, rare, tuple(_notes(covariates, read, rare)))


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


def _check_groups_left(
    read: Mapping[str, np.ndarray], kept: np.ndarray, rare: Mapping[str, Mapping[str, tuple[int, int]]]
) -> None:
    """Raise UserError where a column has lost the groups that could be compared; of several, that of most cases."""
    bare = [name for name in rare if len(set(read[name][kept])) < 2]
    if bare:
        name = max(bare, key=lambda name: sum(n_cases for n_cases, _ in rare[name].values()))
        lost = [f"{printable(level)} ({_why_rare(*counts)})" for level, counts in rare[name].items()]
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        raise UserError(
            f"column {name} has fewer than two groups that can be compared, without {', '.join(lost[:_NAMED])}{more}: "
            f"expected groups of {FEWEST_CASES} cases or more in which outcomes differ, among the cases with a value "
            "in every column; merge groups in the table, or leave it out"
        )


def _why_rare(n_cases: int, n_events: int) -> str:
    few = n_cases < FEWEST_CASES
    return counted(n_cases, "case") if few else f"{n_events} of {counted(n_cases, 'case')} with the outcome"


def _covariate(name: str, values: np.ndarray) -> Covariate:
    if values.dtype != object:
        if not len(values) or np.ptp(values) == 0:  # a deviation of equal values may be above 0 by rounding
            raise _constant(name, f"{values[0]:g}" if len(values) else "no value", len(values))
        mean, deviation = float(values.mean()), float(values.std())
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
