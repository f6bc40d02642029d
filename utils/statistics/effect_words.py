"""How two risk groups differ, in the words that stand at their survival curves."""

from __future__ import annotations

from collections.abc import Iterator

from utils.files.text_table import format_p, format_ratio, relation_to_p
from utils.statistics.risk_groups import SHARED_IN_SHORT, PooledHalves


def effect_words(pooled: PooledHalves) -> list[str]:
    """`hazard ratio 1.82 (95 % 1.20 to 2.77), stratified by fold` and `log-rank p = 0.010, stratified by fold`.

    Of one fold, or one cohort, nothing is stratified. What is undefined is said with its reason.
    """
    effect, stratified = pooled.effect, ", stratified by fold" * (len(pooled.folds) > 1)
    if effect.hazard_ratio is None or effect.low is None or effect.high is None:
        ratio = f"hazard ratio undefined ({effect.reasons['hazard_ratio']})"
    else:
        limits = f"95 % {format_ratio(effect.low)} to {format_ratio(effect.high)}"
        ratio = f"hazard ratio {format_ratio(effect.hazard_ratio)} ({limits}){stratified}"
    if effect.p is None:
        return [ratio, f"log-rank p undefined ({effect.reasons['p']})"]
    return [ratio, f"log-rank p {relation_to_p(effect.p)}{stratified}"]


def released_words(pooled: PooledHalves) -> str:
    """`released log-rank p, pooled and not stratified: 0.004`; empty where it is undefined, or of one fold."""
    if len(pooled.folds) < 2 or pooled.p is None:
        return ""
    return f"released log-rank p, pooled and not stratified: {format_p(pooled.p)}"


def pooled_caveat(pooled: PooledHalves) -> Iterator[str]:
    """Sentences: that the direction is wrong, the released p, and the caveat of several folds."""
    if pooled.effect.high is not None and pooled.effect.high < 1:
        yield "A hazard ratio below 1: the high-risk group lives longer, so that the risk may be turned around."
    if released := released_words(pooled):
        yield f"{released[0].upper()}{released[1:]}."
    if len(pooled.folds) > 1:
        yield f"{' '.join(SHARED_IN_SHORT.split())}."
