"""Numbered footnotes below a table of words: rows of which the same is to be said share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from utils.files.phrases import listed, numbered
from utils.runs.tasks import METRIC_WORDS

_FOLD = "fold "


class RowNotes:
    """The footnotes of a table, numbered from 1 in the order in which they are first asked for."""

    def __init__(self) -> None:
        self._rows: dict[str, list[str]] = {}

    def number(self, text: str, row: str = "") -> int:
        """The number of the note `text`, which holds for `row` too (`fold 0`; empty: for no row in particular)."""
        rows = self._rows.setdefault(text, [])
        if row and row not in rows:
            rows.append(row)
        return list(self._rows).index(text) + 1

    def undefined(self, reasons: Mapping[str, str], row: str) -> dict[str, str]:
        """Notes that metrics of a row are undefined: {metric: its mark `– (1)`} of {metric: the reason}."""
        marks: dict[str, str] = {}
        for reason in dict.fromkeys(reasons.values()):
            metrics = [metric for metric in reasons if reasons[metric] == reason]
            number = self.number(f"{_in_words(metrics)} undefined: {reason}", row)
            marks |= dict.fromkeys(metrics, f"– ({number})")
        return marks

    def lines(self) -> list[str]:
        """The notes: `(1) folds 0, 1 and 2: C-index and log-rank p undefined: no events`."""
        return [
            f"({number}) {_rows_in_words(rows)}: {text}" if rows else f"({number}) {text}"
            for number, (text, rows) in enumerate(self._rows.items(), start=1)
        ]

    def blocks(self) -> Iterator[str]:
        """The notes as one list in Markdown; nothing where there are none."""
        if lines := self.lines():
            yield "\n".join(f"- {line}" for line in lines)


def _in_words(metrics: Iterable[str]) -> str:
    """The printed names of metrics; the limits of one are its interval.

    >>> _in_words(["c_index", "c_index_low", "c_index_high", "logrank_p"])
    'C-index, 95 % interval and log-rank p'
    """
    limits = ("_low", "_high")
    return listed(dict.fromkeys("95 % interval" if name.endswith(limits) else METRIC_WORDS[name] for name in metrics))


def _rows_in_words(rows: Iterable[str]) -> str:
    """The rows that share a note, folds together.

    >>> _rows_in_words(["fold 0", "fold 1", "fold 4"]), _rows_in_words(["fold 2", "ensemble"])
    ('folds 0, 1 and 4', 'fold 2, ensemble')
    """
    folds = [int(row.removeprefix(_FOLD)) for row in rows if row.startswith(_FOLD)]
    others = [row for row in rows if not row.startswith(_FOLD)]
    return ", ".join([*([numbered("fold", folds)] if folds else []), *others])
