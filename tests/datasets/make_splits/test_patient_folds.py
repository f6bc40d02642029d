from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.folds.cases import PARTS, Case, Fold
from datasets.make_splits.label_cases import LabelledCases
from datasets.make_splits.patient_folds import split_patients
from datasets.make_splits.patient_strata import survival_strata
from datasets.make_splits.settings import SplitSettings
from utils.errors import UserError

CLASSES = {"A": 0, "B": 1, "C": 2}
seeds = st.integers(0, 2**32 - 1)


def options(task: str, **changes: Any) -> SplitSettings:
    given = {"event_column": "status", "time_unit": "months"} if task == "surv" else {}
    return SplitSettings(**{"labels": Path("t.csv"), "output_dir": Path("o"), "task": task, **given, **changes})


@st.composite
def survival_cohorts(draw: st.DrawFn) -> LabelledCases:
    """Patients with 1 to 3 slides and distinct times; few or many events, none or many censored."""
    n_events, n_censored = draw(st.integers(16, 60)), draw(st.integers(0, 60))
    rng = np.random.default_rng(draw(seeds))
    n = n_events + n_censored
    times, died = rng.permutation(10 * n)[:n] / 7, rng.permutation(n) < n_events
    n_slides = rng.choice([1, 2, 3], n, p=[0.9, 0.07, 0.03])
    cases = tuple(
        Case(
            f"P{i:04d}",
            tuple(f"P{i:04d}-S{j}" for j in range(n_slides[i])),
            time=float(times[i]),
            censored=int(~died[i]),
        )
        for i in range(n)
    )
    return LabelledCases(cases, (), {})


@st.composite
def classification_cohorts(draw: st.DrawFn) -> LabelledCases:
    """Patients with 1 to 3 slides of one class each; the slides of patient `P...` tell the class by their number."""
    n_patients = [draw(st.integers(10, 50)) for _ in range(draw(st.integers(2, 3)))]
    rng = np.random.default_rng(draw(seeds))
    labels = rng.permutation(np.repeat(np.arange(len(n_patients)), n_patients))
    n_slides = rng.choice([1, 2, 3], len(labels), p=[0.9, 0.07, 0.03])
    cases = tuple(
        Case(f"P{i:04d}", (f"P{i:04d}-S{j}",), label=int(label))
        for i, label in enumerate(labels)
        for j in range(n_slides[i])
    )
    return LabelledCases(cases, (), dict(list(CLASSES.items())[: len(n_patients)]))


def patients(fold: Fold, part: str) -> set[str]:
    return {case.case_id for case in fold.part(part)}


def check_cover(folds: tuple[Fold, ...], labelled: LabelledCases) -> None:
    """Each fold holds every slide once, no patient in two parts; over the folds each patient is in test once."""
    everyone = sorted({case.case_id for case in labelled.cases})
    slides = sorted(slide_id for case in labelled.cases for slide_id in case.slide_ids)
    assert sorted(name for fold in folds for name in patients(fold, "test")) == everyone
    for fold in folds:
        assert sorted(fold.slides()) == slides
        assert sorted(name for part in PARTS for name in patients(fold, part)) == everyone
        assert all(fold.part(part) for part in PARTS)


def check_even(folds: tuple[Fold, ...], stratum_of: dict[str, int], n_folds: int) -> None:
    """Each stratum's share of test, and of validation, differs by one patient at most between the folds."""
    for part in ("test", "val"):
        counts = np.array(
            [
                np.bincount([stratum_of[name] for name in patients(fold, part)], minlength=1 + max(stratum_of.values()))
                for fold in folds
            ]
        )
        # With less than 2 n_folds in a stratum, validation is a larger part of what is not test in some folds.
        if part == "test" or np.bincount(list(stratum_of.values())).min() >= 2 * n_folds:
            assert np.ptp(counts, axis=0).max() <= 1


@settings(deadline=None, max_examples=40, derandomize=True)
@given(survival_cohorts(), st.integers(2, 5), seeds)
def test_survival_folds(labelled: LabelledCases, n_folds: int, seed: int):
    split = split_patients(labelled, options("surv", n_folds=n_folds, seed=seed))
    check_cover(split.folds, labelled)
    time = [case.time or 0.0 for case in labelled.cases]
    strata = survival_strata(time, [case.censored == 0 for case in labelled.cases], n_folds)
    check_even(
        split.folds,
        dict(zip((case.case_id for case in labelled.cases), strata.of_patient.tolist(), strict=True)),
        n_folds,
    )
    assert set(strata.notes) <= set(split.warnings)
    for fold, edges in zip(split.folds, split.edges, strict=True):
        assert (fold.n_outputs, len(edges)) == (4, 5)
        deaths = [case.time for case in fold.train if case.censored == 0]
        np.testing.assert_allclose(edges[1:4], np.quantile(deaths, [0.25, 0.5, 0.75]), rtol=1e-12)
        for case in (case for part in PARTS for case in fold.part(part)):
            assert edges[case.bin] <= case.time < edges[case.bin + 1]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(classification_cohorts(), st.integers(2, 5), seeds)
def test_classification_folds(labelled: LabelledCases, n_folds: int, seed: int):
    split = split_patients(labelled, options("cls", n_folds=n_folds, seed=seed))
    check_cover(split.folds, labelled)
    check_even(split.folds, {case.case_id: case.label for case in labelled.cases}, n_folds)
    assert (split.edges, split.warnings) == ((), ())
    for fold in split.folds:
        assert fold.n_outputs == len(labelled.classes)
        assert {case.label for case in fold.train} == set(labelled.classes.values())


@settings(deadline=None, max_examples=25, derandomize=True)
@given(survival_cohorts(), st.integers(8, 20), st.integers(3, 4), seeds)
def test_site_preserving_folds(labelled: LabelledCases, n_sites: int, n_folds: int, seed: int):
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.arange(len(labelled.cases)) % n_sites)
    cases = tuple(
        Case(f"TCGA-{site + 10}-{i:04d}", case.slide_ids, time=case.time, censored=case.censored)
        for i, (site, case) in enumerate(zip(sites, labelled.cases, strict=True))
    )
    labelled = LabelledCases(cases, (), {})
    split = split_patients(labelled, options("surv", n_folds=n_folds, seed=seed, site_preserving=True, n_bins=2))
    check_cover(split.folds, labelled)
    tested = [name[5:7] for fold in split.folds for name in {p[:7] for p in patients(fold, "test")}]
    assert len(tested) == len(set(tested)) == min(n_sites, len(cases))
    for fold in split.folds:
        here = [{name[5:7] for name in patients(fold, part)} for part in PARTS]
        assert sum(map(len, here)) == len(set.union(*here))


def test_slides_of_a_patient_with_two_classes_stay_together():
    rows = [(f"P{i:02d}", label) for i in range(12) for label in (0, 0)] + [(f"Q{i:02d}", 1) for i in range(12)]
    cases = tuple(Case(name, (f"{name}-{j}",), label=label) for j, (name, label) in enumerate([*rows, ("P00", 1)]))
    split = split_patients(LabelledCases(cases, (), {"A": 0, "B": 1}), options("cls"))
    assert split.warnings == (
        "patients with slides of two classes or more: 1, stratified by the class of most of their slides",
    )
    check_cover(split.folds, LabelledCases(cases, (), {}))


def test_too_few_events_for_the_time_bins_names_the_fold():
    cases = tuple(Case(f"P{i}", (f"s{i}",), time=float(i < 6) + i // 6, censored=int(i >= 6)) for i in range(40))
    with pytest.raises(UserError, match=r"fold0\.csv cannot have time bins: the \d event times .*too tied for 4 bins"):
        split_patients(LabelledCases(cases, (), {}), options("surv"))


def test_a_class_that_whole_sites_keep_out_of_train_is_refused():
    # All patients of class B are of one site, which is in test in one fold.
    cases = tuple(
        Case(f"TCGA-{'BB' if label else 10 + i % 8}-{i:04d}", (f"s{i}",), label=label)
        for i, label in enumerate([0] * 40 + [1] * 8)
    )
    with pytest.raises(
        UserError, match=r"cannot be split like this \(no training case of .* has label 1.*site_preserving"
    ):
        split_patients(LabelledCases(cases, (), {"A": 0, "B": 1}), options("cls", site_preserving=True))


def test_a_barcode_under_two_cases_is_refused_before_it_can_leak():
    cases = tuple(Case(f"P{i}", (f"TCGA-AA-{i // 2:04d}-{i}",), label=i % 2) for i in range(40))
    with pytest.raises(UserError, match=r"cannot be split like this \(patients are in two parts of"):
        split_patients(LabelledCases(cases, (), {"A": 0, "B": 1}), options("cls"))


def test_site_preserving_needs_barcodes():
    cases = tuple(Case(f"P{i}", (f"s{i}",), label=i % 2) for i in range(40))
    with pytest.raises(UserError, match="the case id P0 is no TCGA barcode"):
        split_patients(LabelledCases(cases, (), {"A": 0, "B": 1}), options("cls", site_preserving=True))


def test_the_seed_decides():
    cases = tuple(Case(f"P{i}", (f"s{i}",), label=i % 2) for i in range(40))
    first, again, other = (
        split_patients(LabelledCases(cases, (), {"A": 0, "B": 1}), options("cls", seed=seed)).folds
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_one_patient_is_no_cohort():
    cases = tuple(Case("HB", (f"HB{i}",), label=i % 2) for i in range(8))
    with pytest.raises(UserError, match=r"^8 slides of one patient only, 'HB': expected several .*--patient_pattern"):
        split_patients(LabelledCases(cases, classes={"A": 0, "B": 1}), options("cls"))
