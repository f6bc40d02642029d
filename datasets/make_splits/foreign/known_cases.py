"""The cases of a label table behind the ids that a split file names: slides or patients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from datasets.folds.cases import Case, patient_of
from datasets.folds.fold_checks import first_ids
from datasets.folds.near_ids import did_you_mean
from datasets.make_splits.label_cases import LabelledCases
from datasets.make_splits.plain_ids import id_in_cell
from utils.errors import UserError
from utils.files.phrases import counted


class LeftOut(NamedTuple):
    """The ids of splits that have no case: those whose label is missing, and those that the label table lacks."""

    unlabelled: list[str]
    unknown: list[str]


def left_out_notes(found: Iterable[LeftOut], place: Path) -> tuple[str, ...]:
    """Return what was left out of all folds of the splits in `place`, each id counted once, as sentences."""
    of_folds = list(found)
    unlabelled = list(dict.fromkeys(identifier for each in of_folds for identifier in each.unlabelled))
    unknown = list(dict.fromkeys(identifier for each in of_folds for identifier in each.unknown))
    reasons = [(unlabelled, "without a label"), (unknown, "that the label table does not have")]
    return tuple(
        f"left out {counted(len(ids), 'id')} of the splits in {place} {why}: {first_ids(ids)}"
        for ids, why in reasons
        if ids
    )


class KnownCases:
    """Finds cases by the ids of slides and patients, letter case, known endings and decimals of numbers aside.

    An id that names both a slide and a patient is the slide, or with `of_patients` (splits whose ids are patients) the
    patient with all slides.
    """

    def __init__(self, labelled: LabelledCases, *, of_patients: bool = False) -> None:
        self._of_patients = of_patients
        self._case_of = {slide: case for case in labelled.cases for slide in case.slide_ids}
        self._slide = {slide.casefold(): slide for slide in self._case_of}
        self._of_patient: dict[str, list[str]] = {}
        for slide, case in self._case_of.items():
            self._of_patient.setdefault(case.case_id.casefold(), []).append(slide)
        self._unlabelled = {
            name.casefold()
            for slide in labelled.dropped
            for name in (slide, patient_of(slide), labelled.patients.get(slide, slide))
        }

    def of(self, ids: Sequence[str], where: Path, *, on_missing: str) -> tuple[tuple[Case, ...], LeftOut]:
        """Return the cases of the slides, or of all slides of the patients, and the ids that have none.

        A survival case has those of its slides that are meant. Ids whose label is missing are left out.

        Args:
            ids: of one part of a fold.
            where: the file or folder that they stand in, for messages.
            on_missing: what to do about ids that the label table does not have: `error`, or `drop`.

        Raises:
            UserError: such an id, unless they are dropped.
        """
        cases: dict[str, Case] = {}
        left_out = LeftOut([], [])
        unknown = left_out.unknown
        for identifier in ids:
            name = id_in_cell(identifier).casefold()
            slides = self._slides(name)
            if not slides:
                (left_out.unlabelled if name in self._unlabelled else unknown).append(identifier)
            for slide in slides:
                self._add(cases, slide, where)
        if unknown and on_missing == "error":
            others = [*self._case_of, *{case.case_id for case in self._case_of.values()}]
            verb = "is" if len(unknown) == 1 else "are"
            raise UserError(
                f"{counted(len(unknown), 'id')} of {len(ids)} in {where} {verb} not in the label table "
                f"({first_ids(unknown)}{did_you_mean(unknown[0], others)}): give the table of these splits, or pass "
                "--on_missing drop to leave them out"
            )
        return tuple(cases.values()), left_out

    def _slides(self, name: str) -> list[str]:
        """The slides that an id in small letters names."""
        of_patient = self._of_patient.get(name, [])
        if name in self._slide and not (self._of_patients and of_patient):
            return [self._slide[name]]
        return of_patient

    def _add(self, cases: dict[str, Case], slide: str, where: Path) -> None:
        """Add a slide: in classification a case of its own, in survival one of its patient's."""
        case = self._case_of[slide]
        key = slide if case.label is not None else case.case_id
        there = cases.get(key)
        if there is not None and slide in there.slide_ids:
            raise UserError(f"slide {slide} is twice in one part of {where}: expected each slide once")
        slides = (slide,) if there is None else (*there.slide_ids, slide)
        cases[key] = replace(case, slide_ids=slides)
