"""`anchors.csv`: what each anchor of a fold is associated with, over the fold's test cases.

One row per anchor of the model; a patch belongs to the anchor that it is nearest to in feature space. A case is what a
prediction is about: a patient in survival, a slide or a patient in classification (`--unit`). On training cases the
association would be optimistic, as the model was fitted to them.

| column | |
|---|---|
| `anchor` | k, 0..K-1; anchors of different folds are fitted separately, their numbers have nothing in common |
| `n_patches`, `share` | patches of all test cases that are nearest to it, and their fraction of all patches |
| `n_cases` | cases with at least one such patch |
| `mean_attention` | attention of its patches over what they would have if the patches of a case shared alike |
| `log_hazard, log_hazard_low, log_hazard_high, p, p_holm` | survival: per standard deviation of the share |
| `auc_c, auc_c_low, auc_c_high, p_c, p_c_holm` | classification: for each class c, only class 1 where there are two |
| `note` | why an association has no value, or rests on a handful of cases |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from utils.errors import UserError
from utils.explain.advice import ADVICE
from utils.explain.anchor_shares import attention_matrix, share_matrix
from utils.files.csv_table import read_csv, write_csv
from utils.runs.predictions import output_columns, task_of
from utils.runs.tasks import SURVIVAL
from utils.statistics.delong import auc_interval
from utils.statistics.holm import holm
from utils.statistics.survival_stats import UndefinedMetricError
from utils.statistics.univariate_cox import univariate_cox

_COUNTS = ("anchor", "n_patches", "n_cases")
_REQUIRED = (*_COUNTS, "share", "mean_attention")
_SURVIVAL = ("log_hazard", "log_hazard_low", "log_hazard_high", "p", "p_holm")
FEW_CASES = 5  # fewer with a patch of an anchor are noted: one case alone then moves the association
_NOWHERE, _CONSTANT = "nearest to no patch", "the same share in all cases"


def anchor_statistics(shares: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The table of `anchors.csv` (see the module), with NaN where a number is undefined.

    - With `share_{i,k}` and `attention_{i,k}` of case i (`utils.explain.anchor_shares`), and the attention on all its
      patches `a_i = sum_k attention_{i,k}`: `mean_attention_k = sum_i attention_{i,k} / sum_i a_i share_{i,k}`. 1 is as
      much as the average patch of the same cases; the mean over anchors with these sums as weights is 1.
    - Survival: `utils.statistics.univariate_cox` of `(share_{i,k} - mean) / deviation` (over the test cases, divided by
    n). Above
      0: cases with more of the anchor die earlier.
    - Classification: `utils.statistics.delong` of the share, class c against the rest, by patient (`case_id`). Above
      0.5: cases of class c have more of the anchor.
    - `*_holm`: Holm's correction of the p values over the anchors (of each class on its own); anchors without a p value
      do not count.

    Args:
        shares: as of `utils.explain.anchor_shares`, one row for each row of the predictions.
        predictions: as of `utils.runs.predictions.read_predictions`, of the fold's test cases.

    Raises:
        UserError: slides that stand in one of the two only.
    """
    shares = _aligned(shares, predictions)
    share, attention = share_matrix(shares), attention_matrix(shares)  # (n, K)
    counts = np.round(share * shares["n_patches"].to_numpy()[:, None]).astype(np.int64)
    expected = (attention.sum(axis=1, keepdims=True) * share).sum(axis=0)
    relative = np.full(share.shape[1], np.nan)
    np.divide(attention.sum(axis=0), expected, out=relative, where=expected > 0)
    table = pd.DataFrame(
        {
            "anchor": np.arange(share.shape[1]),
            "n_patches": counts.sum(axis=0),
            "share": counts.sum(axis=0) / counts.sum(),
            "n_cases": (counts > 0).sum(axis=0),
            "mean_attention": relative,
        }
    )
    notes: list[list[str]] = [[] for _ in table.index]
    if task_of(predictions) == SURVIVAL:
        _add_hazards(table, notes, share, predictions)
    else:
        for positive in associated_classes(len(output_columns(predictions))):
            _add_aucs(table, notes, share, predictions, positive)
    for reasons, n_cases in zip(notes, table["n_cases"], strict=True):
        if 0 < n_cases < min(FEW_CASES, len(predictions)):
            reasons.append(f"in {n_cases} case{'s' * (n_cases != 1)} only")
    table["note"] = ["; ".join(reasons) for reasons in notes]
    return table


def associated_classes(n_classes: int) -> list[int]:
    """The classes whose association is computed: class 1 of two (that of class 0 mirrors it), otherwise all."""
    return [1] if n_classes == 2 else list(range(n_classes))


def classes_of(statistics: pd.DataFrame) -> list[int] | None:
    """The classes c that a table has `auc_c` of, in order; None for survival."""
    if "log_hazard" in statistics.columns:
        return None
    names = [str(name) for name in statistics.columns]
    return sorted(int(name[4:]) for name in names if name.startswith("auc_") and name[4:].isdigit())


def write_anchor_statistics(path: Path, statistics: pd.DataFrame) -> None:
    """Write `anchors.csv`, atomically; undefined numbers are empty cells."""
    write_csv(path, statistics)


def read_anchor_statistics(path: Path) -> pd.DataFrame:
    """Read `anchors.csv`; counts are int64, `note` text, the rest float64 with NaN where undefined.

    Raises:
        UserError: the file is missing, damaged, of neither task, lacks a column, or a count is no whole number.
    """
    cells = read_csv(path, advice=ADVICE, required=("note", *_REQUIRED))
    table = cells.frame(text=("note",))
    classes = classes_of(table)
    if classes is not None and not classes:
        raise cells.error("columns log_hazard (survival) and auc_1 (classification) are both missing")
    cells.require(_SURVIVAL if classes is None else [name for c in classes for name in auc_columns(c)])
    for name in _COUNTS:
        if not (table[name] == np.floor(table[name])).all():
            raise cells.error(f"column {name}: expected whole numbers")
    return table.astype(dict.fromkeys(_COUNTS, np.int64))


def auc_columns(positive: int) -> tuple[str, str, str, str, str]:
    """The columns of a class.

    >>> auc_columns(1)
    ('auc_1', 'auc_1_low', 'auc_1_high', 'p_1', 'p_1_holm')
    """
    return f"auc_{positive}", f"auc_{positive}_low", f"auc_{positive}_high", f"p_{positive}", f"p_{positive}_holm"


def _aligned(shares: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The shares in the order of the predictions."""
    for name, table, other in (("anchor shares", shares, predictions), ("predictions", predictions, shares)):
        alone = table.loc[~table["slide_ids"].isin(other["slide_ids"]), "slide_ids"]
        if len(alone):
            raise UserError(
                f"slides {alone.iloc[0]} are in the {name} only ({len(alone)} such rows), expected the same test cases "
                f"in anchor shares and predictions; {ADVICE}."
            )
    return shares.set_index("slide_ids", drop=False).loc[predictions["slide_ids"]]


def _add_hazards(table: pd.DataFrame, notes: list[list[str]], share: np.ndarray, predictions: pd.DataFrame) -> None:
    event, time = predictions["event"].to_numpy(), predictions["time"].to_numpy()
    values = np.full((4, share.shape[1]), np.nan)
    for k, of_cases in enumerate(share.T):
        try:
            _require_variation(of_cases)
            effect = univariate_cox(event, time, (of_cases - of_cases.mean()) / of_cases.std())
        except UndefinedMetricError as error:
            notes[k].append(str(error))
        else:
            values[:, k] = effect.log_hazard, effect.low, effect.high, effect.p
    _add_columns(table, _SURVIVAL, values)


def _add_aucs(
    table: pd.DataFrame, notes: list[list[str]], share: np.ndarray, predictions: pd.DataFrame, positive: int
) -> None:
    label, patient = predictions["label"].to_numpy(), predictions["case_id"].to_numpy()
    values = np.full((4, share.shape[1]), np.nan)
    for k, of_cases in enumerate(share.T):
        try:
            _require_variation(of_cases)
            result = auc_interval(label == positive, of_cases, patient)
        except UndefinedMetricError as error:
            _note(notes[k], str(error), positive)
        else:
            limits = (result.low, result.high, result.p)
            values[:, k] = result.auc, *(np.nan if value is None else value for value in limits)
            if result.reason is not None:
                _note(notes[k], result.reason, positive)
    _add_columns(table, auc_columns(positive), values)


def _note(reasons: list[str], reason: str, positive: int) -> None:
    """Say of which class a reason is, unless it is of the anchor."""
    text = reason if reason in (_NOWHERE, _CONSTANT) else f"class {positive}: {reason}"
    if text not in reasons:
        reasons.append(text)


def _require_variation(of_cases: np.ndarray) -> None:
    if not of_cases.any():
        raise UndefinedMetricError(_NOWHERE)
    if np.ptp(of_cases) == 0:
        raise UndefinedMetricError(_CONSTANT)


def _add_columns(table: pd.DataFrame, names: tuple[str, ...], values: np.ndarray) -> None:
    """Estimate, limits and p (4, K) under these names, and p corrected over the anchors under the last one."""
    for name, column in zip(names[:4], values, strict=True):
        table[name] = column
    corrected = holm([None if np.isnan(p) else float(p) for p in values[3]])
    table[names[4]] = [np.nan if p is None else p for p in corrected]
