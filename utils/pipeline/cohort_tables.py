"""The prediction tables of a cohort: of each fold and of their ensemble, with the outcomes that are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from datasets.folds.cases import Case
from datasets.folds.survival_bins import assign_bins
from utils.errors import UserError
from utils.pipeline.ensemble import Ensemble, mean_edges
from utils.pipeline.prediction_table import known, prediction_table
from utils.runs.predict_dir import ENSEMBLE, fold_predictions
from utils.runs.predictions import (
    classification_table,
    output_columns,
    read_predictions,
    survival_table,
    write_predictions,
)
from utils.runs.tasks import SURVIVAL
from utils.statistics.ensemble import ensemble_table


def predicted_tables(
    ensemble: Ensemble, cases: Sequence[Case], logits: Mapping[int, Tensor]
) -> dict[int, pd.DataFrame]:
    """{fold: predictions} of the cases, from {fold: logits (n, C)}; the time bin of an outcome is that of the fold."""
    return {
        fold.index: prediction_table(
            ensemble.task, _binned(cases, fold.inner_edges), logits[fold.index], _names(ensemble)
        )
        for fold in ensemble.folds
    }


def relabelled_tables(ensemble: Ensemble, cases: Sequence[Case], folder: Path) -> dict[int, pd.DataFrame]:
    """{fold: predictions} that are there, with the outcomes of `cases`.

    Raises:
        UserError: the predictions are damaged, or of other cases: outcomes may change, cases not.
    """
    files = fold_predictions(folder)
    return {
        fold.index: _relabelled(
            read_predictions(files[fold.index], may_lack_outcomes=True),
            _binned(cases, fold.inner_edges),
            _names(ensemble),
            folder,
        )
        for fold in ensemble.folds
    }


def write_tables(ensemble: Ensemble, cases: Sequence[Case], tables: Mapping[int, pd.DataFrame], folder: Path) -> None:
    """Write the predictions of each fold and of the ensemble, each atomically."""
    for k, table in tables.items():
        write_predictions(folder / f"predictions_fold{k}.csv", table, may_lack_outcomes=True)
    mean, names = ensemble_table(tables), _names(ensemble)
    if ensemble.task == SURVIVAL.name:
        edges = mean_edges(ensemble.folds)
        binned = _binned(cases, None if edges is None else tuple(edges.tolist()))
        mean["bin"] = pd.array([case.bin for case in binned], dtype="Int64")  # unknown where a fold has no edges
    elif names is not None:
        mean["prediction_name"] = [names[number] for number in mean["prediction"]]
    write_predictions(folder / ENSEMBLE, mean, may_lack_outcomes=True)


def _relabelled(table: pd.DataFrame, cases: Sequence[Case], names: Sequence[str] | None, folder: Path) -> pd.DataFrame:
    row_of = {slide_ids: row for row, slide_ids in enumerate(table["slide_ids"])}
    joined = [";".join(case.slide_ids) for case in cases]
    other = sorted(set(joined) ^ set(row_of))
    if other:
        raise UserError(
            f"{folder} holds predictions of other cases (the first difference: slides {other[0]}): predict the cohort "
            "again with --overwrite"
        )
    old = table.iloc[[row_of[slide_ids] for slide_ids in joined]]
    case_ids, slide_ids_of = [case.case_id for case in cases], [case.slide_ids for case in cases]
    outputs = old[output_columns(table)].to_numpy(dtype=np.float64)
    if "risk" not in table.columns:
        return classification_table(case_ids, slide_ids_of, known(cases, "label"), outputs, names)
    return survival_table(
        case_ids,
        slide_ids_of,
        time=known(cases, "time"),
        event=1 - known(cases, "censored"),
        bin=known(cases, "bin"),
        risk=old["risk"].to_numpy(),
        hazard=outputs,
    )


def _names(ensemble: Ensemble) -> Sequence[str] | None:
    """The names of the classes, where they have names."""
    return ensemble.record.get("class_names") or None


def _binned(cases: Sequence[Case], inner_edges: Sequence[float] | None) -> list[Case]:
    """The cases with the time bins of their outcomes; without any where the edges are not known."""
    if inner_edges is None:
        return list(cases)
    edges = np.array([0.0, *inner_edges, np.inf])
    return [case if case.time is None else replace(case, bin=int(assign_bins([case.time], edges)[0])) for case in cases]
