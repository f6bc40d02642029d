"""Counting the comparable and the concordant pairs of survival cases, in O(n log n) time and O(n) memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class ConcordantPairs:
    """Pairs of a death and another case, counted at either of the two; each array is (n,) of the cases.

    Which pairs are comparable says `utils.statistics.survival_stats.concordance`. A pair is won where the death has the
    higher risk, and half of it where the risks are tied.

    Attributes:
        outlived, outlived_won: pairs in which the case is the death, and those of them that are won; 0 without a death.
        outliving, outliving_won: pairs in which the case is the one that outlives, and those that the death wins.
    """

    outlived: np.ndarray
    outlived_won: np.ndarray
    outliving: np.ndarray
    outliving_won: np.ndarray

    @property
    def concordance(self) -> float:
        """Harrell's C; NaN without a comparable pair."""
        pairs = self.outlived.sum()
        return float(self.outlived_won.sum() / pairs) if pairs else float("nan")


def concordant_pairs(event: np.ndarray, time: np.ndarray, risk: np.ndarray, *, tied_within: float) -> ConcordantPairs:
    """Count the pairs; risks that differ by at most `tied_within` are tied.

    In the order of time, deaths before censored cases of the same time, the cases that a death is compared with are
    those from some place on, and the deaths that a case outlives are the first ones up to some place. Among the cases
    sorted by risk, those below a case, and those tied with it, end at some place too. So each number is a count of the
    first cases of one order that are among the first of the other (`count_below`).

    Counts are integers and halves, so they equal those of a loop over all pairs exactly. Those of the last few cohorts
    are held: the C-index of a fold, its interval, Uno's C and the C-index of all folds are of the same pairs.

    Args:
        event: (n,) bool, True: death observed.
        time: (n,) months.
        risk: (n,) finite.
        tied_within: not negative.

    Deaths at 1 and 2 months, a case censored at 2: the first death is compared with both others, the second with the
    censored case alone.

    >>> pairs = concordant_pairs(np.array([True, True, False]), np.array([1, 2, 2]), np.array([2, 3, 2]), tied_within=0)
    >>> pairs.outlived.tolist(), pairs.outlived_won.tolist()
    ([2, 1, 0], [0.5, 1.0, 0.0])
    """
    arrays = (event.astype(np.bool_), time.astype(np.float64), risk.astype(np.float64))
    return _counted(*(array.tobytes() for array in arrays), tied_within)


@lru_cache(maxsize=16)
def _counted(event_bytes: bytes, time_bytes: bytes, risk_bytes: bytes, tied_within: float) -> ConcordantPairs:
    """`concordant_pairs` of the contents of the arrays; what it returns cannot be written to."""
    event = np.frombuffer(event_bytes, dtype=np.bool_)
    time, risk = (np.frombuffer(content, dtype=np.float64) for content in (time_bytes, risk_bytes))
    n = len(event)
    by_time, by_risk = np.lexsort((~event, time)), np.argsort(risk, kind="stable")
    ordered = risk[by_risk]
    place = np.empty(n, dtype=np.int64)  # of each case among all, by risk
    place[by_risk] = np.arange(n)
    lower_end, tied_end = _band(ordered, risk, tied_within)  # the cases before these are below; below or tied
    sorted_time, n_deaths = time[by_time], np.append(0, np.cumsum(event[by_time]))
    first, last = (np.searchsorted(sorted_time, time, side=side) for side in ("left", "right"))
    censored_from = first + n_deaths[last] - n_deaths[first]  # in order of time: the first one censored then

    start = censored_from[event]
    outlived, outlived_won = np.zeros(n, dtype=np.int64), np.zeros(n)
    outlived[event] = n - start
    below = [end[event] - count_below(place[by_time], start, end[event]) for end in (lower_end, tied_end)]
    outlived_won[event] = (below[0] + below[1]) / 2

    outliving = n_deaths[np.where(event, first, censored_from)]
    deaths = place[by_time[event[by_time]]]
    above = [outliving - count_below(deaths, outliving, end) for end in (lower_end, tied_end)]
    counts = (outlived, outlived_won, outliving, (above[0] + above[1]) / 2)
    for count in counts:
        count.flags.writeable = False
    return ConcordantPairs(*counts)


def count_below(values: np.ndarray, n_first: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """(q,) how many of the first `n_first` values are below `bound`, for q questions.

    A wavelet matrix: bit by bit from the highest, values are divided stably into those with 0 and those with 1, and a
    question follows the bits of its bound with the stretch of values that share them. Where the bound has a 1, the
    values of the stretch with a 0 are below it. O((m + q) log max).

    Args:
        values: (m,) integers from 0.
        n_first: (q,) from 0 to m.
        bound: (q,) integers from 0.

    References:
        Claude, Navarro, Ordonez: The wavelet matrix. Information Systems 47, 15-32, 2015.

    >>> count_below(np.array([3, 0, 2, 1]), np.array([3, 4]), np.array([3, 2])).tolist()
    [2, 2]
    """
    highest = max(int(values.max(initial=0)), int(bound.max(initial=0)))
    found: np.ndarray = np.zeros(len(bound), dtype=np.int64)
    start: np.ndarray = np.zeros(len(bound), dtype=np.int64)
    end = n_first
    for bit in reversed(range(highest.bit_length())):
        has_1 = (values >> bit & 1).astype(bool)
        zeros = np.append(0, np.cumsum(~has_1))  # (m + 1,): among the values before each
        start_0, end_0, takes_1 = zeros[start], zeros[end], (bound >> bit & 1).astype(bool)
        found += np.where(takes_1, end_0 - start_0, 0)
        start = np.where(takes_1, zeros[-1] + start - start_0, start_0)
        end = np.where(takes_1, zeros[-1] + end - end_0, end_0)
        values = np.concatenate([values[~has_1], values[has_1]])
    return found


def _band(ordered: np.ndarray, risk: np.ndarray, tied_within: float) -> tuple[np.ndarray, np.ndarray]:
    """(n,) how many of the risks in ascending order are below each risk by more than a tie, and with those tied.

    Bisection on the very difference that a loop would form: a search for `risk - tied_within` rounds elsewhere.
    """
    ends = []
    for is_tied in (True, False):
        low: np.ndarray = np.zeros(len(risk), dtype=np.int64)
        high: np.ndarray = np.full(len(risk), len(risk))
        for _ in range(len(risk).bit_length()):
            middle = (low + high) // 2
            other = ordered[np.minimum(middle, len(risk) - 1)]
            passed = risk - other <= tied_within if is_tied else other - risk > tied_within
            passed |= low == high
            low, high = np.where(passed, low, middle + 1), np.where(passed, np.minimum(high, middle), high)
        ends.append(low)
    return ends[0], ends[1]
