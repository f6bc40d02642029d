"""The columns of a survival time and of how it ended: named by a user, or found by names that leave no doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from datasets.make_splits.id_columns import plain_name
from datasets.make_splits.label_table import LabelTable
from utils.errors import UserError

DAYS_PER_MONTH = 30.4375  # 365.25 / 12
TIME_UNITS = {"days": DAYS_PER_MONTH, "months": 1.0}  # how many of the unit are a month

_EVENT, _CENSORED, _WORDS = "1 = event", "1 = censored", "words of life and death"
# Names as `plain_name` writes them, in families whose times and statuses belong together. Other endpoints of the same
# tables (PFS, DFS, DSS) are for a user to name.
_FAMILIES: tuple[tuple[Sequence[str], Mapping[str, str]], ...] = (
    (
        ("survival_months", "survival_days", "survival_time"),
        {"censorship": _CENSORED, "censored": _CENSORED, "event": _EVENT, "vital_status": _WORDS},
    ),
    (
        ("os_months", "os_days", "os_time", "overall_survival_months", "overall_survival_days"),
        {"os_status": _EVENT, "os_event": _EVENT, "os": _EVENT, "overall_survival_status": _EVENT},
    ),
    (
        ("time", "time_months", "time_days"),
        {"event": _EVENT, "censorship": _CENSORED, "censored": _CENSORED},
    ),
)
# TCGA and the GDC: the days of one column for the dead, of another for the living.
_VITAL_STATUS = "vital_status"
_DEATH = ("days_to_death", "death_days_to")
_LAST_SEEN = ("days_to_last_follow_up", "days_to_last_followup", "last_contact_days_to")
_HOW = (
    "name them with --time_column and --event_column (1 = death observed) or --censor_column (1 = censored); known "
    "without are OS_MONTHS with OS_STATUS, survival_months with censorship, vital_status with days_to_death and "
    "days_to_last_follow_up, time with event"
)


@dataclass(frozen=True)
class OutcomeColumns:
    """Where a survival outcome stands in a table.

    Attributes:
        time: the survival or follow-up time.
        last_seen: the time of those who were alive when last seen, where it has a column of its own; `time` is then
            that of the dead.
        status: how follow-up ended.
        one_is_event: whether 1 means an event in `status`; a censored case otherwise.
        words_only: whether `status` must be words of life and death, since nobody said what 1 means there.
        unit: of the times, a key of `TIME_UNITS`.
        notes: what was found rather than named, each one sentence.
    """

    time: str
    status: str
    one_is_event: bool = True
    unit: str = ""
    last_seen: str | None = None
    words_only: bool = False
    notes: tuple[str, ...] = ()

    def columns(self) -> tuple[str, ...]:
        """Return the columns to read."""
        return (self.time, self.status, *([self.last_seen] if self.last_seen else []))

    def described(self) -> str:
        """Return in words which columns they are."""
        time = f"{self.time} (the dead) and {self.last_seen} (the living)" if self.last_seen else self.time
        meaning = _WORDS if self.words_only else _EVENT if self.one_is_event else _CENSORED
        return f"the survival time is in {time}, the status in {self.status} ({meaning})"


def find_outcome_columns(
    table: LabelTable,
    *,
    time_column: str | None = None,
    event_column: str | None = None,
    censor_column: str | None = None,
    time_unit: str | None = None,
) -> OutcomeColumns:
    """Return the columns that a user names, completed by those whose names leave no doubt.

    The unit is the one that a user gives, else the one in the name of the column.

    Raises:
        UserError: a named column is missing; none is found, or several might be meant; the unit is unknown.
    """
    status_column = event_column or censor_column
    table.require([name for name in (time_column, status_column) if name], "correct the option that names it")
    found = _candidates(table, time_column, status_column)
    if len(found) > 1:
        pairs = "; ".join(f"{one.time} with {one.status}" for one in found)
        raise UserError(
            f"{table.path} has several outcomes ({pairs}): choose with --time_column and --event_column (1 = death "
            "observed) or --censor_column (1 = censored)"
        )
    if not found:
        missing = "time" if status_column else "status" if time_column else "time and status"
        raise UserError(f"no column of {table.path} is known as the survival {missing} (found {table.found()}): {_HOW}")
    columns = found[0]
    if status_column:
        columns = replace(columns, one_is_event=censor_column is None, words_only=False)
    unit, notes = _unit_of(table, columns.time, time_unit)
    if not (time_column and status_column):
        notes.insert(0, f"{table.path.name}: {columns.described()}")
    return replace(columns, unit=unit, notes=tuple(notes))


def _candidates(table: LabelTable, time_column: str | None, status_column: str | None) -> list[OutcomeColumns]:
    """The outcomes that the columns might be, of those that a user names where they name some."""
    if time_column and status_column:
        return [OutcomeColumns(time_column, status_column)]
    known = {plain_name(name): name for name in reversed(table.header)}

    def fitting(outcomes: Iterable[OutcomeColumns]) -> list[OutcomeColumns]:
        return [
            outcome
            for outcome in outcomes
            if time_column in (None, outcome.time) and status_column in (None, outcome.status)
        ]

    found = fitting(outcome for family in _FAMILIES for outcome in _of_family(known, *family))
    # What a table derives from the columns of the GDC goes before these.
    found = found or fitting(_of_gdc(known))
    if found or not (time_column or status_column):
        return found
    found = fitting(_of_endpoint(known))
    if not found and status_column and "survival_months" in known:
        return [OutcomeColumns(known["survival_months"], status_column)]
    return found


def _of_endpoint(known: Mapping[str, str]) -> list[OutcomeColumns]:
    """Each X_MONTHS (or X_DAYS) with its X_STATUS, such as PFS_MONTHS with PFS_STATUS, as cBioPortal calls them."""
    pairs = [(name, f"{name.rsplit('_', 1)[0]}_status") for name in known if name.endswith(("_months", "_days"))]
    return [OutcomeColumns(known[time], known[status]) for time, status in pairs if status in known]


def _of_family(known: Mapping[str, str], times: Sequence[str], statuses: Mapping[str, str]) -> list[OutcomeColumns]:
    """The first time that is there (the same in another unit may follow), with each status, or that in words."""
    time = next((known[name] for name in times if name in known), None)
    if time is None:
        return []
    there = {name: meaning for name, meaning in statuses.items() if name in known}
    spoken = [name for name, meaning in there.items() if meaning != _WORDS] or list(there)
    return [
        OutcomeColumns(time, known[name], one_is_event=there[name] != _CENSORED, words_only=there[name] == _WORDS)
        for name in spoken
    ]


def _of_gdc(known: Mapping[str, str]) -> list[OutcomeColumns]:
    death, last_seen = (next((known[name] for name in names if name in known), None) for names in (_DEATH, _LAST_SEEN))
    if death is None or last_seen is None or _VITAL_STATUS not in known:
        return []
    return [OutcomeColumns(death, known[_VITAL_STATUS], last_seen=last_seen, words_only=True)]


def _unit_of(table: LabelTable, column: str, given: str | None) -> tuple[str, list[str]]:
    """The unit of a time, and what to say of it where its name says another or nobody else says it."""
    words = plain_name(column).split("_")
    named = next((unit for unit in TIME_UNITS if unit in words), None)
    if given is None and named is None:
        raise UserError(
            f"--time_unit is not given, and the name of column {column} of {table.path} does not say it: expected days "
            "or months"
        )
    unit, notes = given or named or "", []
    if named and unit != named:
        notes.append(f"--time_unit {given} was taken for column {column}, whose name speaks of {named}")
    elif given is None:
        notes.append(f"times are in {named}, as the name of column {column} says")
    if unit == "days":
        notes.append(f"times in days were divided by {DAYS_PER_MONTH} (365.25 / 12) to give months")
    return unit, notes
