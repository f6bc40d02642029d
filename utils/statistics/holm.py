"""Holm's correction of p values for the number of comparisons."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted p values, in the order of `p`: `q_(i) = max_{j <= i} min(1, (m - j + 1) p_(j))`, p sorted ascending.

    m is the number of p values. Rejecting where `q <= alpha` keeps the probability of any false rejection at alpha or
    below, however the comparisons depend on each other. None (a comparison that was not made) stays None and does not
    count in m.

    Raises:
        ValueError: a p value outside 0..1.

    References:
        Holm: A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6(2), 65-70,
        1979.

    >>> holm([0.03, None, 0.01, 0.5])
    [0.06, None, 0.03, 0.5]
    """
    known = [(value, index) for index, value in enumerate(p) if value is not None]
    for value, index in known:
        if not 0 <= value <= 1:
            raise ValueError(f"p value {index}: expected a number from 0 to 1, got {value}")
    adjusted: list[float | None] = [None] * len(p)
    largest = 0.0
    for rank, (value, index) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, (len(known) - rank) * value))
        adjusted[index] = largest
    return adjusted
