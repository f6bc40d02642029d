"""Percentile intervals of bootstrap resamples, which the intervals of `utils.statistics` are compared with."""

from __future__ import annotations

import numpy as np
import pandas as pd


def resampled(metric: str, table: pd.DataFrame, counts: np.ndarray) -> np.ndarray:
    """(B,) the metric of each resample, from the copies (B, n) of each case; NaN where it is undefined. No ties."""
    copies = counts.astype(np.float64)
    if metric == "c_index":
        time, risk, died = table["time"].to_numpy(), table["risk"].to_numpy(), table["event"].to_numpy() == 1
        return _pairs(copies, copies, died[:, None] & (time[:, None] < time), risk[:, None] > risk)
    label = table["label"].to_numpy()
    prob = table.filter(like="prob_").to_numpy()
    if metric == "auc":
        classes = [1] if prob.shape[1] == 2 else range(prob.shape[1])
        return np.mean([_auc(label == index, prob[:, index], copies) for index in classes], axis=0)
    predicted = prob.argmax(axis=1)
    if metric == "acc":
        return copies @ (predicted == label) / copies.sum(axis=1)
    of_class = [_f1(label == index, predicted == index, copies) for index in range(prob.shape[1])]
    return np.nanmean(of_class, axis=0)


def percentiles(metric: str, tables: list[pd.DataFrame], counts: np.ndarray) -> tuple[float, float]:
    """2.5 and 97.5 percentile of the mean over folds, `counts` (folds, B, n), over the resamples that define it."""
    values = np.mean([resampled(metric, *fold) for fold in zip(tables, counts, strict=True)], axis=0)
    used = values[~np.isnan(values)]
    low, high = np.percentile(used, (2.5, 97.5)) if len(used) else (np.nan, np.nan)
    return float(low), float(high)


def _auc(positive: np.ndarray, score: np.ndarray, copies: np.ndarray) -> np.ndarray:
    won = score[positive][:, None] > score[~positive]
    return _pairs(copies[:, positive], copies[:, ~positive], np.ones_like(won), won)


def _pairs(first: np.ndarray, second: np.ndarray, compared: np.ndarray, won: np.ndarray) -> np.ndarray:
    """Pairs that are won over pairs compared."""
    of_all, of_won = ((first @ pairs.astype(np.float64) * second).sum(axis=1) for pairs in (compared, compared & won))
    return np.divide(of_won, of_all, out=np.full(len(of_all), np.nan), where=of_all > 0)


def _f1(true: np.ndarray, predicted: np.ndarray, copies: np.ndarray) -> np.ndarray:
    named = copies @ (true.astype(np.float64) + predicted)
    return np.divide(2 * (copies @ (true & predicted)), named, out=np.full(len(named), np.nan), where=named > 0)
