"""Survival metrics that are corrected for censoring: Uno's C, cumulative/dynamic AUC, integrated Brier score.

A death that is seen at time t stands for 1 / G(t) deaths, where G is the probability to be uncensored at t: the
Kaplan-Meier estimate of the censoring times of the fold's training cases. Computed by `sksurv`, Uno's C but for G by
`utils.statistics.concordant_pairs`.

The time points are the inner edges e_1 < ... < e_{C-1} of the C time bins, and tau = e_{C-1} is the last of them. Split
files give the bin of each case but not the edges, so e_j is the earliest training time in bin j: intervals are closed
on the left, and no training time lies between that and the true edge.

None of the three looks beyond tau, but scikit-survival asks for G at every test time, and G ends with the training
follow-up: one test case who was followed for longer than all training cases would leave a fold without a value. So
test times beyond tau are moved to just after tau, which changes no value that scikit-survival has without it.

Conventions as in `utils.statistics.survival_stats`: `event` 1 = death observed, `time` in months, higher `risk` =
earlier death.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from sksurv.metrics import cumulative_dynamic_auc, integrated_brier_score
from sksurv.nonparametric import CensoringDistributionEstimator
from sksurv.util import Surv

from utils.statistics.concordant_pairs import concordant_pairs
from utils.statistics.survival_stats import TIED_RISK, UndefinedMetricError, check_risk, check_survival


@dataclass(frozen=True)
class TrainingOutcomes:
    """What the training cases of a fold tell about censoring and time points.

    Attributes:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        bin: (n,) time interval, 0..C-1.

    Raises:
        ValueError: arrays of another shape than (n,), no case, or a value that is not as above.
    """

    event: np.ndarray
    time: np.ndarray
    bin: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame) -> TrainingOutcomes:
        """Those of a table with the columns `event, time, bin` (`utils.runs.training_outcomes`)."""
        return cls(*(table[name].to_numpy() for name in ("event", "time", "bin")))

    def __post_init__(self) -> None:
        event, time = check_survival(self.event, self.time)
        bins = np.asarray(self.bin, dtype=np.float64)
        if bins.shape != event.shape:
            raise ValueError(f"bin: expected the shape of event, {event.shape}, got {bins.shape}")
        if not (np.isfinite(bins) & (bins >= 0) & (bins == np.floor(bins))).all():
            raise ValueError("bin: expected integers, 0 or more")
        for name, values in (("event", event), ("time", time), ("bin", bins.astype(np.int64))):
            object.__setattr__(self, name, values)


def inner_bin_edges(train: TrainingOutcomes, n_bins: int) -> np.ndarray:
    """`e_j = min {time_i : bin_i = j}`, months, for j = 1 .. n_bins - 1; ascending, (n_bins - 1,).

    Raises:
        UndefinedMetricError: one bin only, a bin without a training case, or bins that are not ordered in time: a case
            of bin j is not earlier than every case of bin j + 1.
        ValueError: a training case in a bin beyond the last.
    """
    if train.bin.max() >= n_bins:
        raise ValueError(f"bin: expected integers from 0 to {n_bins - 1}, got {train.bin.max()}")
    if n_bins == 1:
        raise UndefinedMetricError("one time bin has no inner edges")
    times = [train.time[train.bin == index] for index in range(n_bins)]
    empty = [str(index) for index, inside in enumerate(times) if len(inside) == 0]
    if empty:
        raise UndefinedMetricError(f"no training case in time bin {', '.join(empty)}")
    for index, (before, after) in enumerate(pairwise(times)):
        if before.max() >= after.min():
            raise UndefinedMetricError(f"the training times of bins {index} and {index + 1} overlap")
    return np.array([inside.min() for inside in times[1:]])


def uno_concordance(
    event: np.ndarray, time: np.ndarray, risk: np.ndarray, *, train: TrainingOutcomes, tau: float
) -> float:
    """Uno's C truncated at tau: Harrell's C with the weight `1 / G(time_i)^2` on each pair in which i died before tau.

    With d_ij = 1 for the comparable pairs of `utils.statistics.survival_stats.concordance` whose first death is before
    tau, `C = sum_ij d_ij G(time_i)^-2 (1[risk_i > risk_j] + 1/2 1[risk_i = risk_j]) / sum_ij d_ij G(time_i)^-2`; risks
    within 1e-8 are tied. Unlike Harrell's C it does not estimate something that depends on the censoring.

    Raises:
        UndefinedMetricError: no death or no comparable pair before tau, or no death among the training cases.
        ValueError: see `check_survival` and `check_risk`.

    References:
        Uno, Cai, Pencina, D'Agostino, Wei: On the C-statistics for evaluating overall adequacy of risk prediction
        procedures with censored survival data. Statistics in Medicine 30(10), 1105-1117, 2011. Equal to
        `sksurv.metrics.concordance_index_ipcw`, whose time grows with the cases squared.
    """
    event, time = check_survival(event, time)
    risk = check_risk(risk, len(event))
    _require_deaths(event, train)
    early = event & (time < tau)
    if not early.any():
        raise UndefinedMetricError(f"no death before the last inner bin edge ({tau:g} months)")
    first = time[early].min()
    if not ((time > first) | ((time == first) & ~event)).any():
        raise UndefinedMetricError(f"no comparable pair before the last inner bin edge ({tau:g} months)")
    pairs = concordant_pairs(event, time, risk, tied_within=TIED_RISK)
    censoring = CensoringDistributionEstimator().fit(Surv.from_arrays(train.event, train.time))
    # 1 / G, and 0 of censored cases.
    weight = censoring.predict_ipcw(Surv.from_arrays(event[time < tau], time[time < tau])) ** 2
    won, outlived = pairs.outlived_won[time < tau], pairs.outlived[time < tau]
    return float((weight * won).sum() / (weight * outlived).sum())


def dynamic_auc(
    event: np.ndarray, time: np.ndarray, risk: np.ndarray, *, train: TrainingOutcomes, edges: np.ndarray
) -> float:
    """Mean over the inner bin edges of the AUC that tells those who died by then from those who live on.

    `AUC(t) = sum_ij a_i b_j (1[risk_i > risk_j] + 1/2 1[risk_i = risk_j]) / (sum_i a_i sum_j b_j)` with
    `a_i = event_i 1[time_i <= t] / G(time_i)` and `b_j = 1[time_j > t]`; risks within 1e-8 are tied. The mean is
    `sum_j AUC(e_j) (S(e_{j-1}) - S(e_j)) / (1 - S(e_{C-1}))` with the test cases' Kaplan-Meier curve S and
    S(e_0) = 1. An edge before the first death of the test cases has weight 0 there and no AUC: it is left out.

    Raises:
        UndefinedMetricError: no death up to the last edge, nobody under observation after it (among the test or the
            training cases), or no death among the training cases. A last edge without an AUC is not left out: the
            mean would be one over a shorter time than that of the other folds.
        ValueError: see `check_survival` and `check_risk`.

    References:
        Lambert, Chevret: Summary measure of discrimination in survival models based on cumulative/dynamic
        time-dependent ROC curves. Statistical Methods in Medical Research 25(5), 2088-2102, 2016.
    """
    event, time = check_survival(event, time)
    risk = check_risk(risk, len(event))
    _require_deaths(event, train)
    _require_follow_up(time, train, edges[-1])
    first_death = time[event].min()
    if first_death > edges[-1]:
        raise UndefinedMetricError(f"no death up to the last inner bin edge ({edges[-1]:g} months)")
    edges = edges[edges >= first_death]
    known, asked = Surv.from_arrays(train.event, train.time), _moved_to_just_after(event, time, edges[-1])
    with _numpy_may_call_trapz_deprecated():
        return float(cumulative_dynamic_auc(known, asked, risk, edges, tied_tol=TIED_RISK)[1])


def integrated_brier(
    event: np.ndarray, time: np.ndarray, survival: np.ndarray, *, train: TrainingOutcomes, edges: np.ndarray
) -> float:
    """Brier score of the predicted survival, averaged over the time from the first to the last inner bin edge.

    `BS(t) = 1/n sum_i event_i 1[time_i <= t] S_i(t)^2 / G(time_i) + 1[time_i > t] (1 - S_i(t))^2 / G(t)`; the average
    is the trapezoidal rule over e_1 .. e_{C-1} divided by e_{C-1} - e_1. Lower is better; 0.25 is that of S = 1/2.

    Args:
        event: (n,) 1 = death observed, 0 = censored.
        time: (n,) months.
        survival: (n, C-1) S_i(e_j), the predicted probability that case i lives longer than e_j months.
        train: outcomes of the training cases.
        edges: (C-1,) months, ascending.

    Raises:
        UndefinedMetricError: fewer than two edges, an edge outside the follow-up of the test cases (leaving it out
            would average over another time than in the other folds), nobody under observation after the last edge
            among the training cases, or no death among the test or the training cases.
        ValueError: `survival` of another shape or not finite; see `check_survival`.

    References:
        Graf, Schmoor, Sauerbrei, Schumacher: Assessment and comparison of prognostic classification schemes for
        survival data. Statistics in Medicine 18(17-18), 2529-2545, 1999.
    """
    event, time = check_survival(event, time)
    survival = np.asarray(survival, dtype=np.float64)
    if survival.shape != (len(event), len(edges)) or not np.isfinite(survival).all():
        raise ValueError(f"survival: expected finite numbers of shape {(len(event), len(edges))}, got {survival.shape}")
    if len(edges) < 2:
        raise UndefinedMetricError("one inner bin edge spans no time")
    _require_deaths(event, train)
    _require_follow_up(time, train, edges[-1])
    if edges[0] < time.min():
        raise UndefinedMetricError(
            f"the first inner bin edge ({edges[0]:g} months) is before the follow-up times of the test cases (from "
            f"{time.min():g} months on)"
        )
    known, asked = Surv.from_arrays(train.event, train.time), _moved_to_just_after(event, time, edges[-1])
    with _numpy_may_call_trapz_deprecated():
        return float(integrated_brier_score(known, asked, survival, edges))


def _moved_to_just_after(event: np.ndarray, time: np.ndarray, tau: float) -> np.ndarray:
    """The outcomes as scikit-survival takes them, with every time beyond tau moved to the next number after tau."""
    return Surv.from_arrays(event, np.minimum(time, np.nextafter(tau, np.inf)))


def _require_deaths(event: np.ndarray, train: TrainingOutcomes) -> None:
    if not event.any():
        raise UndefinedMetricError("no events")
    if not train.event.any():
        raise UndefinedMetricError("no events among the training cases")


def _require_follow_up(time: np.ndarray, train: TrainingOutcomes, tau: float) -> None:
    """Somebody is under observation after tau: there are controls, and G(tau) is above 0 (G is 0 at its end only)."""
    for whose, longest in (("test", time.max()), ("training", train.time.max())):
        if longest <= tau:
            raise UndefinedMetricError(
                f"the follow-up of the {whose} cases (up to {longest:g} months) does not go beyond the last inner bin "
                f"edge ({tau:g} months)"
            )


@contextmanager
def _numpy_may_call_trapz_deprecated() -> Iterator[None]:
    """Scikit-survival 0.25.0 calls `np.trapz`, which numpy 2 deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`trapz` is deprecated", category=DeprecationWarning)
        yield
