"""Which patients and slides a model was trained on, as digests: it can be handed on without their names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence

import pandas as pd

from datasets.folds.cases import Case, patient_of

_DIGITS = 32  # of the digest: enough that two names do not share one by chance


def names_of(case: Case) -> set[str]:
    """All names of a case: its id, its slides, and the patients that barcodes among them name."""
    identifiers = {case.case_id, *case.slide_ids}
    return identifiers | {patient_of(identifier) for identifier in identifiers}


def digest_of_name(name: str) -> str:
    """A digest of a name, whatever its letter case.

    It keeps names out of what is passed on. Whoever knows the scheme of the names can still try them one by one.
    """
    return hashlib.sha256(name.upper().encode()).hexdigest()[:_DIGITS]


def digests_of_cases(cases: Iterable[Case]) -> frozenset[str]:
    """Digests of all names of the cases."""
    return frozenset(digest_of_name(name) for case in cases for name in names_of(case))


def cases_of_table(table: pd.DataFrame) -> list[Case]:
    """The cases of a prediction table, without their outcomes."""
    pairs = zip(table["case_id"], table["slide_ids"], strict=True)
    return [Case(case_id, tuple(slide_ids.split(";"))) for case_id, slide_ids in pairs]


def trained_on(cases: Sequence[Case], digests: frozenset[str]) -> list[str]:
    """The ids of the cases that share a name with those of the digests, in their order, each once.

    Of a slide whose patient is not known, the beginnings of its id count as names too: `P001` of `P001_A`.
    """
    shared = (case.case_id for case in cases if any(digest_of_name(name) in digests for name in _candidates(case)))
    return list(dict.fromkeys(shared))


def _candidates(case: Case) -> set[str]:
    names = names_of(case)
    if names == {case.case_id}:  # the slide stands for its patient
        names |= {case.case_id[: mark.start()] for mark in re.finditer(r"[^A-Za-z0-9]", case.case_id) if mark.start()}
    return names
