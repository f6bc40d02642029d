"""The order of runs by a metric of their validation cases, and how far the first is to be trusted.

A row is one of the `runs` of tuning.json (see `utils.tables.tuning.compare_runs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from utils.runs.tasks import LOWER_IS_BETTER
from utils.tables.tuning_text import LOSS


def rank(row: dict[str, Any], by: str) -> tuple[bool, int, float, str]:
    """Runs with all folds first, of them those that define the metric in more folds, then the best; last by name."""
    return bool(row["missing_folds"]), -row["n_defined"][by], _cost(row["mean"][by], by), row["run_name"]


def _cost(value: float | None, by: str) -> float:
    """Lower is better; means that differ by rounding are the same."""
    if value is None:
        return 0.0
    return round(value if by in (LOSS, *LOWER_IS_BETTER) else -value, 9)


def near(rows: Sequence[dict[str, Any]], by: str) -> list[str]:
    """The other runs whose mean, over as many folds, is within one standard deviation of the best, the first row."""
    best = rows[0]
    if best["mean"][by] is None or best["missing_folds"]:
        return []
    others = [row for row in rows[1:] if not row["missing_folds"] and row["n_defined"][by] == best["n_defined"][by]]
    return [row["run_name"] for row in others if abs(row["mean"][by] - best["mean"][by]) <= best["std"][by]]


def at_the_edge(rows: Sequence[dict[str, Any]], options: Sequence[str]) -> dict[str, tuple[Any, str]]:
    """The numbers of the best run beyond which none was tried, where three or more were."""
    found = {}
    for name in options:
        values = [row["options"][name] for row in rows]
        tried = sorted({value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)})
        if len(tried) > 2 and values[0] in (tried[0], tried[-1]):
            found[name] = (values[0], "smallest" if values[0] == tried[0] else "largest")
    return found
