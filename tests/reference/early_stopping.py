"""The released rule of early stopping, written a second time: a counter that only a strict improvement resets."""

from __future__ import annotations

from collections.abc import Sequence


def released_stop(scores: Sequence[float], patience: int, *, lowest: bool) -> tuple[int, int]:
    """The epoch that ends training and the first one of the best score, both from 1."""
    best, best_epoch, waited = scores[0], 1, 0
    for epoch, score in enumerate(scores[1:], start=2):
        if score < best if lowest else score > best:
            best, best_epoch, waited = score, epoch, 0
        else:
            waited += 1
            if waited == patience:
                return epoch, best_epoch
    return len(scores), best_epoch
