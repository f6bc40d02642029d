"""Synthetic cohorts with known tissue types, labels, survival times and true risk."""

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort

__all__ = ["Cohort", "CohortSettings", "make_cohort"]
