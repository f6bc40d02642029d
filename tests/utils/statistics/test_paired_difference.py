from __future__ import annotations

from statistics import variance

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from utils.errors import UserError
from utils.runs.predictions import classification_table, survival_table
from utils.statistics.paired_difference import ONE_SEED, paired_difference
from utils.statistics.patients import by_patient
from utils.statistics.survival_stats import UndefinedMetricError
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


def _literal(metric: str, table: pd.DataFrame, without: str | None) -> float:
    """The metric of a table without a patient, computed on the rows that are left."""
    rest = table[table["case_id"] != without] if without is not None else table
    value = fold_metrics(rest, with_interval=False)[metric]
    return np.nan if value is None else value


def _slow(ours: Tables, other: Tables, metric: str) -> dict[str, float]:
    """The equations of `paired_difference`, loop by loop."""
    pairs = sorted(set(ours) & set(other))
    folds = sorted({fold for _, fold in pairs})
    n_folds, difference, between, shared, f_seeds = len(folds), 0.0, 0.0, 0.0, 0
    n_several, of_means = 0, 0.0
    of_patient: dict[str, float] = {}
    for fold in folds:
        seeds = [seed for seed, of_pair in pairs if of_pair == fold]
        patients = sorted(set(ours[seeds[0], fold]["case_id"]))
        n, u, m = len(patients), {}, {}
        for number, model in enumerate((ours, other)):
            for seed in seeds:
                table = model[seed, fold]
                m[number, seed] = _literal(metric, table, None)
                without = {p: _literal(metric, table, p) for p in patients}
                mean = sum(without.values()) / n
                for p in patients:
                    u[number, seed, p] = np.sqrt((n - 1) / n) * (mean - without[p])
        difference += sum(m[0, s] - m[1, s] for s in seeds) / len(seeds) / n_folds
        for p in patients:
            share = sum(u[0, s, p] - u[1, s, p] for s in seeds) / len(seeds) / n_folds
            of_patient[p] = of_patient.get(p, 0.0) + share
        for number in (0, 1):
            if len(seeds) > 1:
                between += variance([m[number, s] for s in seeds])
                shared += sum(variance([u[number, s, p] for s in seeds]) for p in patients)
        n_several += len(seeds) > 1
        of_means += 1 / len(seeds) / n_folds**2
        f_seeds += 2 * (len(seeds) - 1)
    alone = sum(share**2 for share in of_patient.values())
    between, shared = between / n_several * of_means, shared / n_several * of_means
    one = alone + (1 - 1 / n_folds) * max(0, alone - shared)
    two = max(0.0, between - shared)
    degrees = (one + two) ** 2 / (one**2 / (len(of_patient) - n_folds) + two**2 / max(f_seeds, 1))
    t = difference / np.sqrt(one + two)
    return {
        "difference": difference,
        "standard_error": np.sqrt(one + two),
        "degrees": degrees,
        "p": 2 * stats.t.cdf(-abs(t), degrees),
        "n_cases": len(of_patient),
    }


@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_the_equations_loop_by_loop(metric: str):
    """Several seeds and folds, a pair missing; patients of one, two and three slides."""
    ours, other = _models(metric, [(1, 0), (1, 1), (1, 2), (5, 0), (5, 1), (5, 2), (7, 0), (7, 2)], n=24)
    other[9, 0] = other[1, 0]  # a seed that only one model has
    fast, slow = paired_difference(ours, other, metric), _slow(ours, other, metric)
    assert {name: getattr(fast, name) for name in slow} == pytest.approx(slow, abs=1e-12)
    reach = stats.t.ppf(0.975, slow["degrees"]) * slow["standard_error"]
    assert (fast.low, fast.high) == pytest.approx((slow["difference"] - reach, slow["difference"] + reach))
    assert (fast.n_folds, fast.n_seeds, fast.n_pairs) == (3, 3, 8)
    assert fast.ours - fast.other == pytest.approx(fast.difference)
    assert (fast.reason, fast.left_out) == (None, {})
    for seed, difference in fast.by_seed.items():
        alone = paired_difference({key: table for key, table in ours.items() if key[0] == seed}, other, metric)
        assert alone.difference == pytest.approx(difference)


def test_seeds_that_vary_count():
    """Two trainings of a model that differ more than patients explain: the interval is wider than the patients'."""
    rng, label = np.random.default_rng(0), np.arange(400) % 2
    tables: Tables = {}
    for seed, strength in enumerate((0.5, 1.5, 2.5)):
        for fold in range(4):
            positive = 1 / (1 + np.exp(-(strength * (2 * label - 1) + rng.normal(size=400))))
            tables[seed, fold] = _classification(fold, label.tolist(), positive)
    others = {(seed, fold): tables[(seed + 1) % 3, fold] for seed, fold in tables}
    assert paired_difference(tables, others, "auc").difference == 0
    weak = {(seed, fold): tables[0, fold] for seed, fold in tables}
    varied, same = paired_difference(tables, weak, "auc"), paired_difference(weak, tables, "auc")
    assert varied.p == same.p
    by_seed = list(varied.by_seed.values())
    assert by_seed[0] == 0 < by_seed[1] < by_seed[2]
    one_seed = paired_difference({k: t for k, t in tables.items() if k[0] == 1}, weak, "auc")
    assert varied.standard_error > 2 * one_seed.standard_error


def test_one_seed_has_an_interval_and_no_p():
    ours, other = _models("auc", [(1, 0), (1, 1)], n=24)
    result = paired_difference(ours, other, "auc")
    assert (result.p, result.reason) == (None, ONE_SEED)
    assert result.low < result.difference < result.high
    # A fold of one seed takes the variance between seeds from the others.
    more, others = _models("auc", [(1, 0), (1, 1), (2, 0)], n=24)
    slow = _slow(more, others, "auc")
    assert paired_difference(more, others, "auc").p == pytest.approx(slow["p"])


def test_limits_by_hand():
    """Ours is right on all of 5 cases, the other wrong on one: 1/5; the variance of a share, p (1 - p) / (n - 1)."""
    label = [0, 1, 0, 1, 0]
    ours = {(0, 0): _classification(0, label, np.array([0.1, 0.9, 0.1, 0.9, 0.1]))}
    other = {(0, 0): _classification(0, label, np.array([0.1, 0.9, 0.1, 0.9, 0.8]))}
    result = paired_difference(ours, other, "acc")
    assert result.standard_error == pytest.approx(np.sqrt(0.2 * 0.8 / 4))  # one fold: no other one shares its training
    assert result.degrees == 4
    assert result.low == pytest.approx(0.2 - 2.7764451 * 0.2)
    assert result.high == pytest.approx(0.2 + 2.7764451 * 0.2)


def test_the_folds_enlarge_the_variance():
    """The same predictions in K folds of other patients: 1 / K of the variance of one, times 2 - 1 / K."""
    label, rng = [0, 1] * 30, np.random.default_rng(0)
    scores = rng.random((2, 60))
    errors = {}
    for n_folds in (1, 2, 4):
        ours, other = ({(0, fold): _classification(fold, label, score) for fold in range(n_folds)} for score in scores)
        errors[n_folds] = paired_difference(ours, other, "acc").standard_error
    assert errors[2] ** 2 / errors[1] ** 2 == pytest.approx(1.5 / 2)
    assert errors[4] ** 2 / errors[1] ** 2 == pytest.approx(1.75 / 4)


def test_a_patient_in_the_test_part_of_two_folds_counts_once():
    """Repeated random splits: the same cases in both folds say no more than one."""
    label, scores = [0, 1] * 30, np.random.default_rng(0).random((2, 60))
    one, twice = (
        [{(0, fold): _classification(0, label, score) for fold in range(n_folds)} for score in scores]
        for n_folds in (1, 2)
    )
    single, double = paired_difference(*one, "auc"), paired_difference(*twice, "auc")
    assert (single.n_cases, double.n_cases) == (60, 60)
    assert double.standard_error == pytest.approx(np.sqrt(1.5) * single.standard_error)


def test_a_model_that_is_always_better():
    time, event = np.arange(1.0, 41), np.ones(40)
    ours, other = {(0, 0): _survival(0, time, event, -time)}, {(0, 0): _survival(0, time, event, time)}
    result = paired_difference(ours, other, "c_index")
    assert (result.difference, result.low, result.p) == (1.0, None, None)
    assert result.reason == "no patient changes the difference, so that it has no variance"


@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_equal_predictions_do_not_differ(metric: str):
    ours, _ = _models(metric, [(1, 0), (2, 0), (1, 1)])
    result = paired_difference(ours, {pair: table.copy() for pair, table in ours.items()}, metric)
    assert (result.difference, result.low, result.high, result.p) == (0.0, None, None, None)
    assert result.reason == "both models have the same value in each fold and seed, whoever is left out"


@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_differences_that_cancel_are_zero(metric: str):
    """The other model has ours' predictions with the seeds exchanged: (A-C) + (B-A) + (C-B) is 0, not 1e-17."""
    ours, _ = _models(metric, [(1, 0), (2, 0), (3, 0)])
    other = {(1, 0): ours[3, 0], (2, 0): ours[1, 0], (3, 0): ours[2, 0]}
    result = paired_difference(ours, other, metric)
    assert result.difference == 0.0
    assert result.p in (None, 1.0)  # no patient changes it; seeds may


@pytest.mark.parametrize("metric", ["c_index", "acc", "f1", "auc"])
def test_swapping_the_models_swaps_the_signs(metric: str):
    ours, other = _models(metric, [(1, 0), (2, 0), (1, 1), (2, 1)], n=24)
    there, back = paired_difference(ours, other, metric), paired_difference(other, ours, metric)
    assert there.difference != 0
    assert (back.difference, back.low, back.high) == pytest.approx((-there.difference, -there.high, -there.low))
    assert back.p == pytest.approx(there.p)


def test_the_order_of_rows_is_of_no_account():
    ours, other = _models("auc", [(1, 0), (2, 0), (1, 1)])
    shuffled = {pair: table.sample(frac=1, random_state=index) for index, (pair, table) in enumerate(other.items())}
    assert paired_difference(ours, shuffled, "auc") == paired_difference(ours, other, "auc")


def test_equally_good_models_are_told_apart_as_rarely_as_the_level_says():
    """Two seeds of two folds of 40; `benchmarks.comparison_size` has the sizes of trained models."""
    rng, label = np.random.default_rng(2), np.arange(40) % 2
    p = []
    for _ in range(200):
        ours, other = (
            {
                (seed, fold): _classification(fold, label.tolist(), np.where(rng.random(40) < 0.7, label, 1 - label))
                for seed in (0, 1)
                for fold in (0, 1)
            }
            for _ in range(2)
        )
        p.append(paired_difference(ours, other, "acc").p)
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    assert 0.2 <= np.mean(np.array(p) <= 0.5) <= 0.6


def test_a_fold_that_hangs_on_one_patient_has_no_variance():
    tables = [
        {(seed, 0): _classification(0, [1, 0, 0, 0], np.array([0.5, 0.1, 0.9, score])) for seed in (0, 1)}
        for score in (0.2, 0.7)
    ]
    result = paired_difference(*tables, "auc")
    assert (result.difference, result.low, result.p) == (pytest.approx(1 / 3), None, None)
    assert result.reason == "the metric of a fold hangs on one patient, without whom it is undefined"


def test_an_undefined_fold_is_left_out_and_named():
    good = {(0, 0): _classification(0, [0, 1], np.array([0.1, 0.9]))}
    bad = good | {(0, 3): _classification(3, [1, 1], np.array([0.1, 0.9]))}
    result = paired_difference(bad, bad, "auc")
    assert (result.n_folds, result.n_cases, result.left_out) == (1, 2, {3: "only class 1 among the labels"})
    assert paired_difference(bad, good, "auc").left_out == {}
    nobody_died = {(2, 1): _survival(1, np.array([1.0, 2]), np.zeros(2), np.zeros(2))}
    with pytest.raises(UndefinedMetricError, match=r"^undefined in every fold \(no events\)$"):
        paired_difference(nobody_died, nobody_died, "c_index")


def test_models_without_a_common_seed_and_fold_are_refused():
    table = _classification(0, [0, 1], np.array([0.1, 0.9]))
    with pytest.raises(
        UserError, match=r"no seed and fold in common \(ours: seed 1 fold 0; other: seed 1 fold 2, seed 2"
    ):
        paired_difference({(1, 0): table}, {(2, 0): table, (1, 2): table}, "acc")
    with pytest.raises(UserError, match=r"\(ours: nothing; other: nothing\)"):
        paired_difference({}, {}, "acc")


def test_an_unknown_metric_or_the_other_task_is_refused():
    table = _classification(0, [0, 1], np.array([0.1, 0.9]))
    with pytest.raises(UserError, match="metric 'ibs' cannot be compared: expected one of auc, acc, f1, c_index"):
        paired_difference({(0, 0): table}, {(0, 0): table}, "ibs")
    with pytest.raises(UserError, match="fold 0, seed 0, ours: predictions of task cls, expected surv"):
        paired_difference({(0, 0): table}, {(0, 0): table}, "c_index")


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
        paired_difference({(0, 0): table}, {(0, 0): table.assign(**change)}, "acc")


def test_slides_and_patients_are_not_compared():
    slides = _classification(0, [1, 1, 0, 0], np.array([0.9, 0.8, 0.1, 0.2]), slides_per_patient=2)
    patients = by_patient(slides).table
    same = paired_difference({(0, 0): patients}, {(0, 0): patients}, "acc")
    assert (same.difference, same.n_cases) == (0, 2)
    message = "a row is a slide in one table and a patient in the other, as their --unit says"
    with pytest.raises(UserError, match=f"^fold 0: {message}"):
        paired_difference({(0, 0): slides}, {(0, 0): patients}, "acc")


def test_survival_outcomes_that_differ_are_named():
    table = _survival(0, np.array([1.0, 2, 3]), np.array([1, 1, 0]), np.zeros(3))
    for change, message in (({"time": [1, 2.5, 3]}, "time 2.0 and 2.5"), ({"event": [1, 0, 0]}, "event 1 and 0")):
        with pytest.raises(UserError, match=f"^fold 0: F0_P001 has {message}{BOTH}"):
            paired_difference({(0, 0): table}, {(0, 0): table.assign(**change)}, "c_index")
    fewer = {(0, 0): table.iloc[:2]}
    with pytest.raises(UserError, match=r"F0_P002 is among the cases of the first table only \(1 cases"):
        paired_difference({(0, 0): table}, fewer, "c_index")
    # Other slides of the same patients are no other cases.
    same = paired_difference({(0, 0): table}, {(0, 0): table.assign(slide_ids=list("abc"))}, "c_index")
    assert same.difference == 0


def test_cases_that_differ_between_seeds_of_one_fold_are_named():
    first = _classification(0, [0, 1, 1], np.array([0.1, 0.9, 0.2]))
    later = first.assign(label=[0, 1, 0])
    with pytest.raises(
        UserError, match=r"F0_S002 has label 1 and 0 \(the first table is of ours with seed 0, the second of ours"
    ):
        paired_difference({(0, 0): first, (7, 0): later}, {(0, 0): first, (7, 0): later}, "acc")


def test_numbers_of_classes_that_differ_and_rows_that_stand_twice_are_named():
    two = _classification(0, [0, 1], np.array([0.1, 0.9]))
    three = classification_table(*_slides(0, 2), np.array([0, 1]), np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]))
    with pytest.raises(UserError, match="fold 0: 2 classes and 3 classes"):
        paired_difference({(0, 0): two}, {(0, 0): three}, "auc")
    twice = _survival(0, np.array([1.0, 2]), np.ones(2), np.zeros(2)).assign(case_id=["P", "P"])
    with pytest.raises(UserError, match="fold 0, seed 0, ours: P stands in two rows of the predictions, expected one"):
        paired_difference({(0, 0): twice}, {(0, 0): twice}, "c_index")
