from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from sksurv.metrics import concordance_index_ipcw, cumulative_dynamic_auc, integrated_brier_score
from sksurv.util import Surv

from utils.statistics.censoring_metrics import (
    TrainingOutcomes,
    dynamic_auc,
    inner_bin_edges,
    integrated_brier,
    uno_concordance,
)
from utils.statistics.survival_stats import UndefinedMetricError, concordance

ALL_DIED = TrainingOutcomes(event=np.ones(4), time=np.array([1.0, 2, 3, 4]), bin=np.array([0, 0, 1, 1]))
# Censored at 2 and 4: of the three under observation at 2 one is lost, so G = 1 before 2, 2/3 from 2 and 0 from 4 on.
HALF_DIED = TrainingOutcomes(event=[1, 0, 1, 0], time=[1, 2, 3, 4], bin=[0, 0, 1, 1])


def _cohort(seed: int, *, n_test: int = 10) -> tuple[TrainingOutcomes, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Few distinct times and risks, every bin with two times; test times may lie beyond all training times."""
    rng = np.random.default_rng(seed)
    time = np.concatenate([[1, 2, 5, 6, 9, 10, 13, 14], rng.integers(1, 18, 6)]).astype(float)
    event = rng.random(14) < 0.6
    event[0] = True
    train = TrainingOutcomes(event, time, np.searchsorted([5, 9, 13], time, side="right"))
    test_time = rng.integers(1, 22, n_test).astype(float)
    return train, rng.random(n_test) < 0.5, test_time, rng.integers(0, 5, n_test) / 4, rng.random((n_test, 3))


def _g(train: TrainingOutcomes, at: float) -> float:
    """Kaplan-Meier curve of the censoring times: deaths leave before those who are censored at the same time."""
    value = 1.0
    for t in np.unique(train.time[~train.event]):
        if t <= at:
            lost = (~train.event & (train.time == t)).sum()
            value *= 1 - lost / ((train.time > t).sum() + lost)
    return value


def _slow_uno(train: TrainingOutcomes, event: np.ndarray, time: np.ndarray, risk: np.ndarray, tau: float) -> float:
    above, below = 0.0, 0.0
    for i in np.flatnonzero(event & (time < tau)):
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                below += _g(train, time[i]) ** -2
                above += _g(train, time[i]) ** -2 * (0.5 if risk[i] == risk[j] else float(risk[i] > risk[j]))
    return above / below


def _slow_auc(train: TrainingOutcomes, event: np.ndarray, time: np.ndarray, risk: np.ndarray, edges: list) -> float:
    total, survival, before = 0.0, 1.0, 0.0
    for edge in edges:
        new = survival
        for t in np.unique(time[event & (time <= edge) & (time > before)]):
            new *= 1 - (event & (time == t)).sum() / (time >= t).sum()
        above, below = 0.0, 0.0
        for i in np.flatnonzero(event & (time <= edge)):
            for j in np.flatnonzero(time > edge):
                below += 1 / _g(train, time[i])
                above += 1 / _g(train, time[i]) * (0.5 if risk[i] == risk[j] else float(risk[i] > risk[j]))
        if below:
            total += above / below * (survival - new)
        survival, before = new, edge
    return total / (1 - survival)


def _slow_ibs(train: TrainingOutcomes, event: np.ndarray, time: np.ndarray, survival: np.ndarray, edges: list) -> float:
    scores = []
    for column, edge in enumerate(edges):
        terms = []
        for i in range(len(time)):
            if time[i] > edge:
                terms.append((1 - survival[i, column]) ** 2 / _g(train, edge))
            else:
                terms.append(survival[i, column] ** 2 / _g(train, time[i]) if event[i] else 0.0)
        scores.append(np.mean(terms))
    spans = np.diff(edges)
    return float(sum(spans * (np.array(scores[1:]) + scores[:-1]) / 2) / (edges[-1] - edges[0]))


def _value(measure: Callable[[], float]) -> float | None:
    try:
        return measure()
    except UndefinedMetricError:
        return None


def _raw(measure: Callable[[], float]) -> float | None:
    """What scikit-survival says of outcomes as they are; None where it raises or returns NaN."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            value = float(measure())
        except ValueError:
            return None
    return value if np.isfinite(value) else None


def test_an_inner_edge_is_the_earliest_training_time_of_its_bin():
    train = TrainingOutcomes(event=[1, 0, 1, 0, 1, 1], time=[7, 3, 12, 9, 2, 30.5], bin=[1, 0, 2, 1, 0, 3])
    assert inner_bin_edges(train, 4).tolist() == [7.0, 12.0, 30.5]
    assert inner_bin_edges(ALL_DIED, 2).tolist() == [3.0]


@pytest.mark.parametrize(
    ("time", "bins", "n_bins", "reason"),
    [
        ([1, 2, 3], [0, 0, 0], 1, "one time bin has no inner edges"),
        ([1, 2, 3], [0, 0, 2], 4, "no training case in time bin 1, 3"),
        ([1, 2, 3], [1, 0, 1], 2, "the training times of bins 0 and 1 overlap"),
        ([1, 2, 2], [0, 0, 1], 2, "the training times of bins 0 and 1 overlap"),
        ([1, 2, 3, 3], [0, 1, 1, 2], 3, "the training times of bins 1 and 2 overlap"),
    ],
)
def test_bins_without_edges(time: list, bins: list, n_bins: int, reason: str):
    with pytest.raises(UndefinedMetricError, match=f"^{reason}$"):
        inner_bin_edges(TrainingOutcomes(np.ones(len(time)), time, bins), n_bins)


def test_uno_concordance_of_a_hand_worked_table():
    # Deaths A at 1 (weight 1) and B at 3 (weight (3/2)^2 = 9/4), censored C at 3.5 and D at 5; risks 2, 3, 1, 2.
    # A-B 0, A-C 1, A-D 1/2 (tied); B-C 1, B-D 1: (1.5 + 2 * 9/4) / (3 + 2 * 9/4) = 6 / 7.5.
    cohort = np.array([1, 1, 0, 0]), np.array([1, 3, 3.5, 5]), np.array([2.0, 3, 1, 2 + 5e-9])
    assert uno_concordance(*cohort, train=HALF_DIED, tau=3.8) == pytest.approx(0.8)
    # Deaths at tau or later are the first of no pair: A alone is left, 1.5 of 3.
    assert uno_concordance(*cohort, train=HALF_DIED, tau=3.0) == pytest.approx(0.5)
    # Without censoring among the training cases all weights are 1: Harrell's C.
    assert uno_concordance(*cohort, train=ALL_DIED, tau=3.8) == pytest.approx(concordance(*cohort)) == 0.7


def test_dynamic_auc_of_a_hand_worked_table_without_censoring():
    # Deaths at 1, 2, 3, 4 with risks 3, 1, 4, 2. By 2: cases 3, 1 against controls 4, 2: one pair of four. By 3: cases
    # 3, 1, 4 against 2: two of three. S falls by 1/2 up to 2, by 1/4 more up to 3: (1/4 * 1/2 + 2/3 * 1/4) / (3/4).
    cohort = np.ones(4), np.array([1.0, 2, 3, 4]), np.array([3.0, 1, 4, 2])
    assert dynamic_auc(*cohort, train=ALL_DIED, edges=np.array([2.0, 3])) == pytest.approx(7 / 18)
    assert dynamic_auc(*cohort, train=ALL_DIED, edges=np.array([3.0])) == pytest.approx(2 / 3)


def test_dynamic_auc_of_a_hand_worked_table_with_censoring():
    # Deaths at 1 (weight 1) and 2 (weight 1 / G(2) = 3/2) against the control at 3: the first is right, the second is
    # wrong.
    value = dynamic_auc(
        np.array([1, 1, 0]), np.array([1.0, 2, 3]), np.array([3.0, 1, 2]), train=HALF_DIED, edges=np.array([2.0])
    )
    assert value == pytest.approx(1 / (1 + 3 / 2))


def test_an_edge_before_the_first_death_has_no_weight():
    event, time, risk = np.array([0, 1, 1, 0]), np.array([1.0, 2, 3, 4]), np.array([0.0, 1, 4, 2])
    with_it = dynamic_auc(event, time, risk, train=ALL_DIED, edges=np.array([0.5, 1.5, 2, 3]))
    assert with_it == dynamic_auc(event, time, risk, train=ALL_DIED, edges=np.array([2.0, 3]))
    # By 2: risk 1 against 4 and 2, 0. By 3: 1 and 4 against 2, 1/2. S is 2/3 from 2, 1/3 from 3 on.
    assert with_it == pytest.approx((0 * 1 / 3 + 1 / 2 * 1 / 3) / (2 / 3))


def test_integrated_brier_of_a_hand_worked_table_without_censoring():
    # Deaths at 1, 2, 3, 4. At 1 the first is dead: (.5^2 + .2^2 + .1^2 + 0) / 4 = .075. At 3 three are dead:
    # (.2^2 + .4^2 + .5^2 + .4^2) / 4 = .1525. Between them the mean of both.
    survival = np.array([[0.5, 0.2], [0.8, 0.4], [0.9, 0.5], [1.0, 0.6]])
    value = integrated_brier(np.ones(4), np.array([1.0, 2, 3, 4]), survival, train=ALL_DIED, edges=np.array([1.0, 3]))
    assert value == pytest.approx((0.075 + 0.1525) / 2)


def test_integrated_brier_of_a_hand_worked_table_with_censoring():
    # Death at 1, censored at 1.5, death at 2, alive at 3. Where S = 1/2 each term is 1/4 times a weight: at 1 that
    # is 1 for all four; at 2 it is 1, 0 (censored before), 3/2 and 3/2. Both sums are 4: BS(1) = BS(2) = 1/4.
    event, time = np.array([1, 0, 1, 0]), np.array([1.0, 1.5, 2, 3])
    edges = np.array([1.0, 2])
    assert integrated_brier(event, time, np.full((4, 2), 0.5), train=HALF_DIED, edges=edges) == pytest.approx(0.25)
    # A certain model that is right everywhere but says that the case of 3 months dies before 2: 1 * 3/2 / 4 at 2.
    survival = np.array([[0.0, 0], [1, 1], [1, 0], [1, 0]])
    assert integrated_brier(event, time, survival, train=HALF_DIED, edges=edges) == pytest.approx((0 + 1.5 / 4) / 2)


@pytest.mark.parametrize("seed", range(40))
def test_all_three_equal_loops_written_from_their_equations(seed: int):
    train, event, time, risk, survival = _cohort(seed)
    edges = inner_bin_edges(train, 4)
    assert edges.tolist() == [5, 9, 13]
    tau = edges[-1]
    uno = _value(lambda: uno_concordance(event, time, risk, train=train, tau=tau))
    if uno is not None:
        assert uno == pytest.approx(_slow_uno(train, event, time, risk, tau), rel=1e-12)
    auc = _value(lambda: dynamic_auc(event, time, risk, train=train, edges=edges))
    assert (auc is None) == ((event & (time <= tau)).sum() == 0 or time.max() <= tau)
    if auc is not None:
        assert auc == pytest.approx(_slow_auc(train, event, time, risk, edges), rel=1e-12)
    ibs = _value(lambda: integrated_brier(event, time, survival, train=train, edges=edges))
    assert (ibs is None) == (not event.any() or time.max() <= tau or time.min() > edges[0])
    if ibs is not None:
        assert ibs == pytest.approx(_slow_ibs(train, event, time, survival, edges), rel=1e-12)


def test_scikit_survival_on_the_outcomes_as_they_are_says_the_same_wherever_it_has_a_value():
    same, more, undefined = dict.fromkeys("uab", 0), dict.fromkeys("uab", 0), dict.fromkeys("uab", 0)
    for seed in range(300):
        train, event, time, risk, survival = _cohort(seed, n_test=5 + seed % 4)
        edges = inner_bin_edges(train, 4)
        known, asked = Surv.from_arrays(train.event, train.time), Surv.from_arrays(event, time)
        arrays = {"event": event, "time": time, "train": train}
        pairs = {
            "u": (
                _value(lambda a=arrays, r=risk, e=edges: uno_concordance(risk=r, tau=e[-1], **a)),
                _raw(lambda k=known, t=asked, r=risk, e=edges: concordance_index_ipcw(k, t, r, tau=e[-1])[0]),
            ),
            "a": (
                _value(lambda a=arrays, r=risk, e=edges: dynamic_auc(risk=r, edges=e, **a)),
                _raw(lambda k=known, t=asked, r=risk, e=edges: cumulative_dynamic_auc(k, t, r, e)[1]),
            ),
            "b": (
                _value(lambda a=arrays, s=survival, e=edges: integrated_brier(survival=s, edges=e, **a)),
                _raw(lambda k=known, t=asked, s=survival, e=edges: integrated_brier_score(k, t, s, e)),
            ),
        }
        for name, (ours, raw) in pairs.items():
            if raw is not None:
                assert ours == pytest.approx(raw, rel=1e-12), (name, seed)
                same[name] += 1
            elif ours is None:
                undefined[name] += 1
            else:
                more[name] += 1
    assert min(*same.values(), *undefined.values()) > 10  # both happen, for each metric
    assert more["u"] == 0  # truncated by scikit-survival itself
    assert min(more["a"], more["b"]) > 10  # a test case followed for longer than all training cases


def test_a_death_beyond_the_training_follow_up_changes_nothing():
    risk, survival, edges = np.array([3.0, 1, 4, 2]), np.full((4, 2), 0.3), np.array([1.0, 3])
    values = []
    for longest in (3.5, 400.0):
        time, event = np.array([1, 2, 3.2, longest]), np.array([1, 0, 1, 1])
        auc = dynamic_auc(event, time, risk, train=HALF_DIED, edges=edges)
        values.append((auc, integrated_brier(event, time, survival, train=HALF_DIED, edges=edges)))
    assert values[0] == values[1]
    assert (
        _raw(lambda: cumulative_dynamic_auc(_surv(HALF_DIED), Surv.from_arrays(event == 1, time), risk, edges)[1])
        is None
    )


def _surv(train: TrainingOutcomes) -> np.ndarray:
    return Surv.from_arrays(train.event, train.time)


UNO, AUC, IBS = "uno", "auc", "ibs"


@pytest.mark.parametrize(
    ("event", "time", "edges", "train", "reasons"),
    [
        ([0, 0, 0], [1, 2, 4], [1, 3], ALL_DIED, dict.fromkeys((UNO, AUC, IBS), "no events")),
        (
            [1, 1, 0],
            [1, 2, 4],
            [1, 3],
            TrainingOutcomes([0, 0, 0], [1, 3, 5], [0, 1, 1]),
            dict.fromkeys((UNO, AUC, IBS), "no events among the training cases"),
        ),
        (
            [0, 0, 1],
            [1, 2, 4],
            [1, 3],
            ALL_DIED,
            {
                UNO: r"no death before the last inner bin edge \(3 months\)",
                AUC: r"no death up to the last inner bin edge \(3 months\)",
            },
        ),
        # A death at the last edge itself counts for the AUC and not for Uno's C.
        ([0, 1, 0], [1, 3, 4], [1, 3], ALL_DIED, {UNO: r"no death before the last inner bin edge \(3 months\)"}),
        (
            [0, 1, 1],
            [1, 2, 2],
            [1, 3],
            ALL_DIED,
            {UNO: r"no comparable pair before the last inner bin edge \(3 months\)"}
            | dict.fromkeys((AUC, IBS), r"the follow-up of the test cases \(up to 2 months\) does not go beyond"),
        ),
        (
            [1, 1, 0],
            [1, 2, 3],
            [1, 3],
            ALL_DIED,
            dict.fromkeys((AUC, IBS), r"the follow-up of the test cases \(up to 3 months\) does not go beyond"),
        ),
        (
            [1, 1, 0],
            [1, 2, 5],
            [1, 4],
            HALF_DIED,  # G(4) = 0
            dict.fromkeys((AUC, IBS), r"the follow-up of the training cases \(up to 4 months\) does not go beyond"),
        ),
        (
            [1, 1, 0],
            [2, 2.5, 5],
            [1, 3],
            ALL_DIED,
            {IBS: r"the first inner bin edge \(1 months\) is before the follow-up times of the test cases \(from 2 "},
        ),
        ([1, 1, 0], [1, 2, 5], [3], ALL_DIED, {IBS: "one inner bin edge spans no time"}),
    ],
)  # fmt: skip
def test_what_is_undefined_has_a_reason(event: list, time: list, edges: list, train: TrainingOutcomes, reasons: dict):
    cohort, points = (np.array(event), np.array(time)), np.array(edges, dtype=float)
    risk, survival = np.arange(len(event)), np.full((len(event), len(edges)), 0.5)
    measures = {
        UNO: lambda: uno_concordance(*cohort, risk, train=train, tau=points[-1]),
        AUC: lambda: dynamic_auc(*cohort, risk, train=train, edges=points),
        IBS: lambda: integrated_brier(*cohort, survival, train=train, edges=points),
    }
    for name, measure in measures.items():
        if name in reasons:
            with pytest.raises(UndefinedMetricError, match=f"^{reasons[name]}"):
                measure()
        else:
            assert 0 <= measure() <= 1


def test_nonsense_is_refused():
    cohort = np.array([1, 1, 0]), np.array([1.0, 2, 5])
    with pytest.raises(ValueError, match=r"risk: expected shape \(3,\)"):
        uno_concordance(*cohort, np.ones((3, 1)), train=ALL_DIED, tau=3.0)
    with pytest.raises(ValueError, match="risk: expected finite"):
        dynamic_auc(*cohort, np.array([1, 2, np.nan]), train=ALL_DIED, edges=np.array([3.0]))
    with pytest.raises(ValueError, match=r"survival: expected finite numbers of shape \(3, 2\), got \(3, 4\)"):
        integrated_brier(*cohort, np.ones((3, 4)), train=ALL_DIED, edges=np.array([1.0, 3]))
    with pytest.raises(ValueError, match="survival: expected finite"):
        integrated_brier(*cohort, np.full((3, 2), np.nan), train=ALL_DIED, edges=np.array([1.0, 3]))
    with pytest.raises(ValueError, match="time: expected finite"):
        TrainingOutcomes([1, 0], [1, np.nan], [0, 1])
    with pytest.raises(ValueError, match=r"bin: expected the shape of event, \(2,\), got \(3,\)"):
        TrainingOutcomes([1, 0], [1, 2], [0, 1, 1])
    for bins in ([0, 0.5], [0, -1], [0, np.nan]):
        with pytest.raises(ValueError, match="bin: expected integers, 0 or more"):
            TrainingOutcomes([1, 0], [1, 2], bins)
    with pytest.raises(ValueError, match="bin: expected integers from 0 to 0, got 1"):
        inner_bin_edges(ALL_DIED, 1)
