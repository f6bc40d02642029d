"""What each anchor of a fold is associated with, as files: tables, figures and a text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from utils.explain.anchor_figures import anchor_overview, mixing_figure
from utils.explain.anchor_shares import n_anchors_of, write_anchor_shares
from utils.explain.anchor_statistics import anchor_statistics, write_anchor_statistics
from utils.explain.anchor_text import anchor_text
from utils.explain.reducer_mixing import REDUCER_MIXING, check_mixing, write_mixing
from utils.figures.plotting import save_png
from utils.files.atomic import write_text
from utils.runs.class_words import ClassWords

_MIXING_FILES = (REDUCER_MIXING, "reducer_mixing.png")


def write_anchor_explanation(
    place: Path,
    shares: pd.DataFrame,
    predictions: pd.DataFrame,
    mixing: Mapping[str, Any] | None,
    title: str,
    words: ClassWords | None = None,
) -> list[Path]:
    """Write `anchor_shares.csv, anchors.csv, anchors.png, anchors.md, reducer_mixing.json, reducer_mixing.png`.

    Each is written atomically. The order of `shares` is free.

    Args:
        place: `RUN_DIR/fold{k}/explain`.
        shares: of all test cases of the fold, as of `utils.explain.anchor_shares`.
        predictions: of the same test cases, as of `utils.runs.predictions.read_predictions`.
        mixing: `{"stages": [matrix (K_l / 2, K_l), ...], "overall": matrix (K / 2^L, K)}`; None for a model without
            reducers, which has neither of the last two files (those of an earlier run are removed).
        title: data set, model and fold, for figures and text.
        words: names of the classes.

    Returns:
        The files written.

    Raises:
        UserError: the test cases of shares and predictions differ; nothing is written then.
        ValueError: shares or matrices that are not as above; nothing is written then.
    """
    statistics = anchor_statistics(shares, predictions)
    if mixing is not None:
        check_mixing(mixing, n_anchors_of(shares))
    paths = [place / name for name in ("anchor_shares.csv", "anchors.csv", "anchors.png", "anchors.md")]
    write_anchor_shares(paths[0], shares)
    write_anchor_statistics(paths[1], statistics)
    save_png(anchor_overview(statistics, title, words), paths[2])
    write_text(paths[3], anchor_text(statistics, predictions, title, words))
    of_mixing = [place / name for name in _MIXING_FILES]
    if mixing is None:
        for path in of_mixing:
            path.unlink(missing_ok=True)
        return paths
    write_mixing(of_mixing[0], mixing)
    save_png(mixing_figure(mixing, title), of_mixing[1])
    return paths + of_mixing
