"""The risk halves of a run in its summary: hazard ratio and log-rank p of each fold, and stratified by fold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from utils.statistics.group_effect import HAZARD_RATIO, GroupEffect
from utils.statistics.risk_groups import PooledHalves, pooled_halves


def risk_group_summary(tables: Mapping[int, pd.DataFrame], pooled: PooledHalves) -> dict[str, Any]:
    """How the halves (high: risk >= median of the fold) differ in survival.

    Args:
        tables: {fold: its survival predictions}.
        pooled: `utils.statistics.risk_groups.pooled_halves` of them.

    Returns:
        `folds`: a row per fold with `fold`, `n_high`, `n_low`, `deaths_high`, `deaths_low`, and of the high half
        against the low half `hazard_ratio`, `hazard_ratio_low`, `hazard_ratio_high` (95 % limits), `logrank_p` and
        `reasons` {one of these: why it is None};
        `stratified`: the same of all folds that have halves, stratified by fold (`utils.statistics.group_effect`).
    """
    folds = [{"fold": fold} | _row(pooled_halves({fold: table})) for fold, table in tables.items()]
    return {"folds": folds, "stratified": _row(pooled)}


def _row(halves: PooledHalves) -> dict[str, Any]:
    event, high = halves.groups.event, halves.groups.high
    reasons = dict(halves.effect.reasons)
    if not halves.folds and len(halves.left_out) == 1:
        reasons = dict.fromkeys(reasons, *halves.left_out.values())
    return {
        "n_high": int(np.sum(high)),
        "n_low": int(np.sum(~high)),
        "deaths_high": int(np.sum(event[high])),
        "deaths_low": int(np.sum(event[~high])),
        **effect_values(halves.effect, reasons),
    }


def effect_values(effect: GroupEffect, reasons: Mapping[str, str]) -> dict[str, Any]:
    """The values of an effect under the names of a summary, with the reasons for those that are None."""
    named = {"hazard_ratio": "hazard_ratio", "p": "logrank_p"}
    return {
        **dict(zip(HAZARD_RATIO, (effect.hazard_ratio, effect.low, effect.high), strict=True)),
        "logrank_p": effect.p,
        "reasons": {named[name]: reason for name, reason in reasons.items()},
    }
