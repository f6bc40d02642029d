"""Synthetic cohorts with known tissue types, labels, survival times and true risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort

__all__ = ["Cohort", "CohortSettings", "make_cohort"]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: the command answers signals before it imports torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from datasets.synthetic import cohort

    return getattr(cohort, name)
