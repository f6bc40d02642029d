"""The cases of a cohort that a trained run is applied to, from its feature files and its label table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from datasets.folds.cases import Case
from datasets.folds.fold_checks import first_ids
from datasets.folds.missing_slides import GIVE_THEM, missing_in_words
from datasets.folds.units import join_slides
from datasets.make_splits.labelled_cases import labelled_cases
from datasets.make_splits.slide_patients import found_patients, patient_rule, slides_as_patients
from datasets.slides.id_checks import check_slide_files
from utils.errors import UserError
from utils.files.phrases import counted, listed
from utils.pipeline.predict_settings import PredictSettings

NOT_COMPARED = (
    "patients of the training are recognised by the beginning of slide ids only, and labels that come later cannot "
    "join slides to patients"
)


@dataclass(frozen=True)
class Cohort:
    """The cases of a cohort.

    Attributes:
        cases: those with an outcome first, then those without.
        n_known: how many have one.
        table: how the label table was read, with its SHA-256, as JSON values; empty without one.
        notes: what was found and assumed, each one sentence.
        warnings: what a user should look at, each one sentence.
    """

    cases: tuple[Case, ...]
    n_known: int
    table: Mapping[str, Any]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def slide_ids(self) -> list[str]:
        """All slides, in the order of the cases."""
        return [slide_id for case in self.cases for slide_id in case.slide_ids]


def read_cohort(
    settings: PredictSettings, task: str, unit: str, slide_ids: Sequence[str], class_names: Sequence[str] | None
) -> Cohort:
    """The cases of the slides that have features, with the outcomes of the label table.

    Args:
        settings: the label table and how it is to be read.
        task: of the run.
        unit: what the run predicts: `slide`, `patient` or, in survival, `case`.
        slide_ids: slides that have a feature file.
        class_names: the classes that the run knows, in the order of their numbers.

    Raises:
        UserError: for a table that cannot be read or has other classes, labelled slides without features unless these
            are dropped, or a patient of two classes where patients are predicted.
    """
    check_slide_files(slide_ids, listed(settings.features_dir))
    if settings.labels is None:
        patients, told = _patients(settings, slide_ids, {}), _told_of_patients(settings, slide_ids)
        return Cohort(_unlabelled(patients, by_patient=unit != "slide"), 0, {}, told.notes, told.warnings)
    table = labelled_cases(settings, task, slide_ids=slide_ids, known_classes=class_names)
    known, dropped = _with_features(table.cases, slide_ids, settings)
    if unit == "patient":
        known = join_slides(known, settings.labels, class_names)
    labelled = {slide_id for case in known for slide_id in case.slide_ids}
    rest = [slide_id for slide_id in slide_ids if slide_id not in labelled]
    unknown = _unlabelled(_patients(settings, rest, table.patients), by_patient=unit != "slide")
    notes = (*table.notes, *_words_of_classes(settings, class_names), *dropped)
    told = _told_of_patients(settings, [slide_id for slide_id in rest if slide_id not in table.patients])
    warnings = (*table.warnings, *told.warnings)
    if unit != "slide":
        known_patients = {case.case_id for case in known}
        left = [case for case in unknown if case.case_id in known_patients]
        unknown = tuple(case for case in unknown if case.case_id not in known_patients)
        if left:
            n_slides = sum(len(case.slide_ids) for case in left)
            notes += (
                f"{counted(n_slides, 'slide')} of patients with an outcome are not among the labelled ones of the "
                f"table and were left out: {first_ids([slide_id for case in left for slide_id in case.slide_ids])}",
            )
    if unknown:
        word = "slide" if unit == "slide" else "patient"
        notes += (
            f"{counted(len(unknown), word)} without an outcome are predicted, but not evaluated: "
            f"{first_ids([case.slide_ids[0] if unit == 'slide' else case.case_id for case in unknown])}",
        )
    return Cohort((*known, *unknown), len(known), table.record, (*notes, *told.notes), warnings)


def without_outcome(case: Case) -> Case:
    """The case as a model sees it."""
    return replace(case, label=None, time=None, censored=None, bin=None)


def _with_features(
    cases: Sequence[Case], slide_ids: Collection[str], settings: PredictSettings
) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """The cases with those slides that have features, and a note about the others."""
    there = set(slide_ids)
    missing = [slide_id for case in cases for slide_id in case.slide_ids if slide_id not in there]
    if not missing:
        return tuple(cases), ()
    name = "" if settings.labels is None else settings.labels.name  # no path: summaries are passed on
    words = missing_in_words(missing, slide_ids, used=[slide_id for case in cases for slide_id in case.slide_ids])
    found = f"{counted(len(missing), 'labelled slide')} of {name} without a feature file ({words})"
    kept = (replace(case, slide_ids=tuple(s for s in case.slide_ids if s in there)) for case in cases)
    left = tuple(case for case in kept if case.slide_ids)
    if settings.on_missing == "error" or not left:
        raise UserError(f"{found}: {GIVE_THEM}, correct --features_dir, or pass --on_missing drop")
    return left, (f"{found}: left out",)


def _patients(settings: PredictSettings, slide_ids: Sequence[str], of_table: Mapping[str, str]) -> dict[str, str]:
    """{slide: patient} of slides without an outcome: as the label table has it, else by the pattern or barcode."""
    rule = patient_rule(settings.patient_pattern)
    return {slide_id: of_table.get(slide_id) or rule(slide_id) for slide_id in slide_ids}


class _Told(NamedTuple):
    """What to note, and what to warn of."""

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def _told_of_patients(settings: PredictSettings, slide_ids: Sequence[str]) -> _Told:
    """What is to be said of slides whose ids alone tell their patients."""
    if not slide_ids:
        return _Told()
    if settings.patient_pattern is None:
        doubt = slides_as_patients(slide_ids)
        return _Told() if doubt is None else _Told(warnings=(f"{doubt}; {NOT_COMPARED}",))
    option, rule = "--patient_pattern", patient_rule(settings.patient_pattern)
    found = found_patients([rule(slide_id) for slide_id in slide_ids], f"{option} '{settings.patient_pattern}'", option)
    return _Told((found.note,), () if found.warning is None else (found.warning,))


def _unlabelled(patients: Mapping[str, str], *, by_patient: bool) -> tuple[Case, ...]:
    """Cases without outcome: one per slide, or one per patient, in the order of their first slides."""
    if not by_patient:
        return tuple(Case(patient, (slide_id,)) for slide_id, patient in patients.items())
    slides: dict[str, tuple[str, ...]] = {}
    for slide_id, patient in patients.items():
        slides[patient] = (*slides.get(patient, ()), slide_id)
    return tuple(Case(patient, own) for patient, own in slides.items())


def _words_of_classes(settings: PredictSettings, class_names: Sequence[str] | None) -> tuple[str, ...]:
    """Which words of the table stand for which classes of the run, where they are others."""
    if settings.classes is None or class_names is None:
        return ()
    if set(settings.classes) <= set(class_names):
        return ("--classes names classes of the run, which keep the order that they have there",)
    pairs = ", ".join(f"{word!r} = {name!r}" for word, name in zip(settings.classes, class_names, strict=True))
    return (f"words of the label table for the classes of the run: {pairs}",)
