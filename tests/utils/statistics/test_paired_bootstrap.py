from __future__ import annotations

from dataclasses import asdict
from itertools import product

import numpy as np
import pandas as pd
import pytest

from utils.errors import UserError
from utils.machine.seed import derive_seed
from utils.runs.predictions import classification_table, survival_table
from utils.statistics import paired_bootstrap
from utils.statistics.paired_bootstrap import PairedDifference, paired_difference
from utils.statistics.patients import by_patient
from utils.statistics.survival_stats import UndefinedMetricError, resample_counts
from utils.tables.summary import fold_metrics

Tables = dict[tuple[int, int], pd.DataFrame]


def _slides(fold: int, n_slides: int, slides_per_patient: int = 1) -> tuple[list[str], list[list[str]]]:
    patients = [f"F{fold}_P{index // slides_per_patient:03d}" for index in range(n_slides)]
    return patients, [[f"F{fold}_S{index:03d}"] for index in range(n_slides)]


def _classification(fold: int, label: list[int], positive: np.ndarray, slides_per_patient: int = 1) -> pd.DataFrame:
    prob = np.stack([1 - np.asarray(positive), positive], axis=1)
    return classification_table(*_slides(fold, len(label), slides_per_patient), np.array(label), prob)


def _survival(fold: int, time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> pd.DataFrame:
    n = len(time)
    return survival_table(*_slides(fold, n), time, event, np.zeros(n), risk, np.full((n, 4), 0.5))


def _models(metric: str, pairs: list[tuple[int, int]], n: int = 12) -> tuple[Tables, Tables]:
    """Two models of some skill; outcomes are a function of the fold, predictions of fold, seed and model."""
    models: tuple[Tables, Tables] = ({}, {})
    for seed, fold in pairs:
        known = np.random.default_rng(fold)
        label, time, event = known.integers(0, 2, n), known.integers(1, 9, n), known.random(n) < 0.2
        time[0], event[0] = 1, True
        for number, model in enumerate(models):
            rng = np.random.default_rng([seed, fold, number])
            if metric == "c_index":
                model[seed, fold] = _survival(fold, time, event, rng.integers(0, 12, n) - time)
            else:
                positive = np.clip(rng.integers(-5, 6, n) / 10 + 0.3 + 0.4 * label, 0, 1)
                model[seed, fold] = _classification(fold, label.tolist(), positive, slides_per_patient=1 + fold % 3)
    return models


def _slow(ours: Tables, other: Tables, metric: str, seed: int, n_resamples: int) -> PairedDifference:
    """The definition, one literal table after the other."""
    pairs = sorted(set(ours) & set(other))
    folds, seeds = sorted({fold for _, fold in pairs}), {run_seed for run_seed, _ in pairs}
    patients = {k: sorted(set(next(ours[p] for p in pairs if p[1] == k)["case_id"])) for k in folds}
    draws = {k: resample_counts(len(patients[k]), n_resamples, derive_seed(seed, "paired bootstrap", k)) for k in folds}

    def drawn(table: pd.DataFrame, fold: int, row: int | None) -> pd.DataFrame:
        if row is None:
            return table
        copies = dict(zip(patients[fold], draws[fold][row], strict=True))
        return pd.concat([table[table["case_id"] == patient] for patient in copies for _ in range(copies[patient])])

    def statistic(row: int | None) -> float | None:
        of_folds = []
        for fold in folds:
            of_seeds = []
            for pair in (pair for pair in pairs if pair[1] == fold):
                values = [
                    fold_metrics(drawn(model[pair], fold, row), seed=0, n_resamples=0)[metric]
                    for model in (ours, other)
                ]
                if None in values:
                    return None
                of_seeds.append(values[0] - values[1])
            of_folds.append(np.mean(of_seeds))
        return float(np.mean(of_folds))

    used = [value for value in (statistic(row) for row in range(n_resamples)) if value is not None]
    tails = [sum(value <= 1e-12 for value in used), sum(value >= -1e-12 for value in used)]
    low, high = np.percentile(used, (2.5, 97.5))
    return PairedDifference(
        difference=statistic(None), low=low, high=high, p=min(1.0, 2 * (1 + min(tails)) / (len(used) + 1)),
        n_cases=sum(map(len, patients.values())), n_folds=len(folds), n_seeds=len(seeds),
        n_resamples=len(used), n_skipped=n_resamples - len(used),
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_the_definition_one_literal_resample_after_the_other(metric: str):
    """Several seeds and folds, one of them missing for a seed; patients of one, two and three slides; skipped draws."""
    ours, other = _models(metric, [(1, 0), (1, 1), (1, 2), (5, 0), (5, 2)], n=6)
    other[9, 0] = other[1, 0]  # a seed that only one model has
    fast = paired_difference(ours, other, metric, seed=3, n_resamples=25)
    assert asdict(fast) == pytest.approx(asdict(_slow(ours, other, metric, seed=3, n_resamples=25)), abs=1e-12)
    assert (fast.n_folds, fast.n_seeds, fast.n_resamples + fast.n_skipped) == (3, 2, 25)
    assert (fast.n_skipped > 0) == (metric in ("c_index", "auc"))
    assert fast.n_cases == (18 if metric == "c_index" else 6 + 3 + 2)


def test_exact_enumeration_of_all_resamples(monkeypatch: pytest.MonkeyPatch):
    """Ours is right on all of 5 cases, the other wrong on one: d* is Binomial(5, 1/5) / 5 over the 5^5 draws."""
    draws = np.array([np.bincount(draw, minlength=5) for draw in product(range(5), repeat=5)])
    monkeypatch.setattr(paired_bootstrap, "resample_counts", lambda *_: draws)
    label = [0, 1, 0, 1, 0]
    ours = {(0, 0): _classification(0, label, np.array([0.1, 0.9, 0.1, 0.9, 0.1]))}
    other = {(0, 0): _classification(0, label, np.array([0.1, 0.9, 0.1, 0.9, 0.8]))}
    result = paired_difference(ours, other, "acc", seed=0, n_resamples=len(draws))
    assert result.difference == pytest.approx(1 / 5)
    # The wrong case is never drawn in 4^5 draws, and drawn more than twice in 181 = C(5,3) 4^2 + C(5,4) 4 + 1 (5.8 %),
    # more than three times in 21 (0.7 %).
    assert (result.low, result.high) == (0.0, pytest.approx(3 / 5))
    assert result.p == pytest.approx(2 * (1 + 4**5) / (5**5 + 1))
    assert (result.n_cases, result.n_folds, result.n_seeds, result.n_resamples) == (5, 1, 1, 3125)


def test_random_resamples_agree_with_the_binomial_law():
    """Ours is wrong on 2 and the other on 6 of 20 cases, all different: 20 d* has mean 4 and variance 8 - 16/20."""
    label = [0, 1] * 10
    right = np.where(np.array(label) == 1, 0.9, 0.1)
    one, two = right.copy(), right.copy()
    one[:2], two[2:8] = 1 - one[:2], 1 - two[2:8]
    ours, other = {(0, 0): _classification(0, label, one)}, {(0, 0): _classification(0, label, two)}
    result = paired_difference(ours, other, "acc", seed=1, n_resamples=20000)
    # Exact law of (copies of six) - (copies of two) over the 20 draws, each +1, -1 or 0.
    law = np.array([1.0])
    for _ in range(20):
        law = np.convolve(law, [0.1, 0.6, 0.3])  # -1, 0, +1
    values = np.arange(-20, 21)
    assert result.difference == pytest.approx(0.2)
    assert result.p == pytest.approx(2 * law[values <= 0].sum(), rel=0.1)
    cumulative = np.cumsum(law)
    expected = [values[np.searchsorted(cumulative, level)] / 20 for level in (0.025, 0.975)]
    assert [result.low, result.high] == pytest.approx(expected)


def test_a_patient_is_drawn_with_all_slides():
    """One patient with the wrong slides, one with the right: a resample has accuracy 0, 1/2 or 1, never a quarter."""
    ours = {(0, 0): _classification(0, [1, 1, 1, 1], np.array([0.9, 0.9, 0.1, 0.1]), slides_per_patient=2)}
    other = {(0, 0): _classification(0, [1, 1, 1, 1], np.full(4, 0.1), slides_per_patient=2)}
    result = paired_difference(ours, other, "acc", seed=0, n_resamples=400)
    assert (result.n_cases, result.difference, result.low, result.high) == (2, 0.5, 0.0, 1.0)
    never = np.mean(resample_counts(2, 400, derive_seed(0, "paired bootstrap", 0))[:, 0] == 0)
    assert 0.15 < never < 0.35
    assert result.p == pytest.approx(2 * (1 + 400 * never) / 401)


def test_a_model_that_is_always_better_has_the_smallest_p():
    time, event = np.arange(1.0, 41), np.ones(40)
    ours, other = {(0, 0): _survival(0, time, event, -time)}, {(0, 0): _survival(0, time, event, time)}
    result = paired_difference(ours, other, "c_index", seed=0, n_resamples=500)
    assert (result.difference, result.low, result.high, result.p) == (1.0, 1.0, 1.0, 2 / 501)


@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_equal_predictions_do_not_differ(metric: str):
    ours, _ = _models(metric, [(1, 0), (2, 0), (1, 1)])
    result = paired_difference(ours, {pair: table.copy() for pair, table in ours.items()}, metric, seed=0)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_differences_that_cancel_are_zero(metric: str):
    """The other model has ours' predictions with the seeds exchanged: (A-C) + (B-A) + (C-B) is 0, not 1e-17."""
    ours, _ = _models(metric, [(1, 0), (2, 0), (3, 0)])
    other = {(1, 0): ours[3, 0], (2, 0): ours[1, 0], (3, 0): ours[2, 0]}
    result = paired_difference(ours, other, metric, seed=0, n_resamples=200)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_swapping_the_models_swaps_the_signs(metric: str):
    ours, other = _models(metric, [(1, 0), (2, 0), (1, 1)])
    there = paired_difference(ours, other, metric, seed=4, n_resamples=300)
    back = paired_difference(other, ours, metric, seed=4, n_resamples=300)
    assert there.difference != 0
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))
    assert (back.p, back.n_resamples, back.n_skipped) == (there.p, there.n_resamples, there.n_skipped)


def test_resamples_are_seeded_and_the_order_of_rows_is_of_no_account():
    ours, other = _models("auc", [(1, 0), (2, 0), (1, 1)])
    result = paired_difference(ours, other, "auc", seed=4, n_resamples=300)
    assert paired_difference(ours, other, "auc", seed=4, n_resamples=300) == result
    assert paired_difference(ours, other, "auc", seed=5, n_resamples=300) != result
    shuffled = {pair: table.sample(frac=1, random_state=index) for index, (pair, table) in enumerate(other.items())}
    assert paired_difference(ours, shuffled, "auc", seed=4, n_resamples=300) == result


def test_folds_are_drawn_independently_of_each_other():
    """The same cases in two folds: with the same draw in both the interval of the mean would be that of one fold."""
    label, rng = [0, 1] * 30, np.random.default_rng(0)
    ours, other = (
        {(0, fold): _classification(fold, label, positive) for fold in (0, 1)} for positive in rng.random((2, 60))
    )
    one = paired_difference({(0, 0): ours[0, 0]}, other, "acc", seed=0, n_resamples=4000)
    both = paired_difference(ours, other, "acc", seed=0, n_resamples=4000)
    assert (one.n_folds, both.n_folds) == (1, 2)
    assert both.difference == pytest.approx(one.difference)
    assert (both.high - both.low) / (one.high - one.low) == pytest.approx(1 / np.sqrt(2), rel=0.1)


def test_equally_good_models_are_told_apart_as_rarely_as_the_level_says():
    rng, label = np.random.default_rng(2), np.arange(80) % 2
    p = []
    for _ in range(100):
        ours, other = (
            {(0, 0): _classification(0, label.tolist(), np.where(rng.random(80) < 0.7, label, 1 - label))}
            for _ in range(2)
        )
        p.append(paired_difference(ours, other, "acc", seed=0, n_resamples=99).p)
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.1
    assert 0.3 <= np.mean(np.array(p) <= 0.5) <= 0.6


def test_an_undefined_fold_is_named():
    good = {(0, 0): _classification(0, [0, 1], np.array([0.1, 0.9]))}
    bad = good | {(0, 3): _classification(3, [1, 1], np.array([0.1, 0.9]))}
    with pytest.raises(UndefinedMetricError, match=r"^auc is undefined in fold 3: only class 1 among the labels$"):
        paired_difference(bad, bad, "auc", seed=0)
    assert paired_difference(bad, good, "auc", seed=0).n_folds == 1
    nobody_died = {(2, 1): _survival(1, np.array([1.0, 2]), np.zeros(2), np.zeros(2))}
    with pytest.raises(UndefinedMetricError, match=r"^c_index is undefined in fold 1: no comparable pair$"):
        paired_difference(nobody_died, nobody_died, "c_index", seed=0)


def test_no_resample_that_defines_the_metric(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paired_bootstrap, "resample_counts", lambda *_: np.array([[2, 0], [0, 2]]))
    tables = {(0, 0): _classification(0, [0, 1], np.array([0.1, 0.9]))}
    with pytest.raises(UndefinedMetricError, match="auc is undefined in a fold of every bootstrap resample"):
        paired_difference(tables, tables, "auc", seed=0, n_resamples=2)


def test_models_without_a_common_seed_and_fold_are_refused():
    table = _classification(0, [0, 1], np.array([0.1, 0.9]))
    with pytest.raises(
        UserError, match=r"no seed and fold in common \(ours: seed 1 fold 0; other: seed 1 fold 2, seed 2"
    ):
        paired_difference({(1, 0): table}, {(2, 0): table, (1, 2): table}, "acc", seed=0)
    with pytest.raises(UserError, match=r"\(ours: nothing; other: nothing\)"):
        paired_difference({}, {}, "acc", seed=0)


def test_an_unknown_metric_or_the_other_task_is_refused():
    table = _classification(0, [0, 1], np.array([0.1, 0.9]))
    with pytest.raises(UserError, match="metric 'ibs' cannot be compared: expected one of auc, acc, f1, c_index"):
        paired_difference({(0, 0): table}, {(0, 0): table}, "ibs", seed=0)
    with pytest.raises(UserError, match="fold 0, seed 0, ours: predictions of task cls, expected surv"):
        paired_difference({(0, 0): table}, {(0, 0): table}, "c_index", seed=0)


BOTH = r" \(the first table is of ours with seed 0, the second of other with seed 0\); compare runs on the same splits"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": [0, 0, 1]}, "F0_S001 has label 1 and 0"),
        ({"case_id": ["F0_P000", "X", "F0_P002"]}, "F0_S001 has case_id F0_P001 and X"),
        ({"slide_ids": ["F0_S000", "new", "F0_S002"]}, r"F0_S001 is among the cases of the first table only \(2 cases"),
        ({"slide_ids": ["A", "F0_S001", "F0_S002"]}, r"A is among the cases of the second table only \(2 cases"),
    ],
)
def test_slides_or_labels_that_differ_are_named(change: dict, message: str):
    table = _classification(0, [0, 1, 1], np.array([0.1, 0.9, 0.2]))
    with pytest.raises(UserError, match=f"^fold 0: {message}.*{BOTH}"):
        paired_difference({(0, 0): table}, {(0, 0): table.assign(**change)}, "acc", seed=0)


def test_slides_and_patients_are_not_compared():
    slides = _classification(0, [1, 1, 0, 0], np.array([0.9, 0.8, 0.1, 0.2]), slides_per_patient=2)
    patients = by_patient(slides).table
    same = paired_difference({(0, 0): patients}, {(0, 0): patients}, "acc", seed=0)
    assert (same.difference, same.n_cases) == (0, 2)
    message = "a row is a slide in one table and a patient in the other, as their --unit says"
    with pytest.raises(UserError, match=f"^fold 0: {message}"):
        paired_difference({(0, 0): slides}, {(0, 0): patients}, "acc", seed=0)


def test_survival_outcomes_that_differ_are_named():
    table = _survival(0, np.array([1.0, 2, 3]), np.array([1, 1, 0]), np.zeros(3))
    for change, message in (({"time": [1, 2.5, 3]}, "time 2.0 and 2.5"), ({"event": [1, 0, 0]}, "event 1 and 0")):
        with pytest.raises(UserError, match=f"^fold 0: F0_P001 has {message}{BOTH}"):
            paired_difference({(0, 0): table}, {(0, 0): table.assign(**change)}, "c_index", seed=0)
    fewer = {(0, 0): table.iloc[:2]}
    with pytest.raises(UserError, match=r"F0_P002 is among the cases of the first table only \(1 cases"):
        paired_difference({(0, 0): table}, fewer, "c_index", seed=0)
    # Other slides of the same patients are no other cases.
    same = paired_difference({(0, 0): table}, {(0, 0): table.assign(slide_ids=list("abc"))}, "c_index", seed=0)
    assert same.difference == 0


def test_cases_that_differ_between_seeds_of_one_fold_are_named():
    first = _classification(0, [0, 1, 1], np.array([0.1, 0.9, 0.2]))
    later = first.assign(label=[0, 1, 0])
    with pytest.raises(
        UserError, match=r"F0_S002 has label 1 and 0 \(the first table is of ours with seed 0, the second of ours"
    ):
        paired_difference({(0, 0): first, (7, 0): later}, {(0, 0): first, (7, 0): later}, "acc", seed=0)


def test_numbers_of_classes_that_differ_and_rows_that_stand_twice_are_named():
    two = _classification(0, [0, 1], np.array([0.1, 0.9]))
    three = classification_table(*_slides(0, 2), np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]))
    with pytest.raises(UserError, match="fold 0: 2 classes and 3 classes"):
        paired_difference({(0, 0): two}, {(0, 0): three}, "auc", seed=0)
    twice = _survival(0, np.array([1.0, 2]), np.ones(2), np.zeros(2)).assign(case_id=["P", "P"])
    with pytest.raises(UserError, match="fold 0, seed 0, ours: P stands in two rows of the predictions, expected one"):
        paired_difference({(0, 0): twice}, {(0, 0): twice}, "c_index", seed=0)
