"""The figures of another cohort as PNG, from its prediction files alone."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from utils.figures.risk_group_curves import risk_group_figure
from utils.figures.roc_curves import roc_curves
from utils.figures.run_figures import save_figures
from utils.runs.class_words import ClassWords
from utils.runs.cohort_predictions import read_cohort_predictions
from utils.runs.predictions import output_columns
from utils.runs.run_record import model_in_words
from utils.runs.tasks import SURVIVAL, TASKS
from utils.statistics.cut_off import divided_with_p
from utils.statistics.survival_stats import UndefinedMetricError


def draw_validation_figures(folder: Path) -> dict[str, Figure]:
    """{file name: figure} of a cohort with outcomes.

    - classification: `roc.png`, of the ensemble and of each fold;
    - survival: `kaplan_meier.png`, of the ensemble's cases at or above the cut-off of the training cases and the
      others; not drawn where all are on one side.

    Raises:
        UserError: see `utils.runs.cohort_predictions.read_cohort_predictions`.
    """
    record, ensemble, folds = read_cohort_predictions(folder)
    run = record["run"]
    model = model_in_words(run["model"], run["formulation"], run.get("ablate") or ())
    title = f"{record['cohort']}: {model} of {run['dataset']}, {TASKS[record['task']].words}"
    if record["task"] != SURVIVAL.name:
        words = ClassWords.of(run, len(output_columns(ensemble)))
        heading = f"ROC of {record['cohort']}"
        return {"roc.png": roc_curves(folds, title, words, heading=heading, ensemble=ensemble)}
    cut_off = (record.get("cut_offs") or {}).get("ensemble")
    try:
        groups = divided_with_p(ensemble, cut_off)
    except UndefinedMetricError:  # the summary and the report say why
        return {}
    heading = "survival by the ensemble's risk, divided at the cut-off of the training cases"
    rule = f"high: risk >= {cut_off:.4g}, fixed in training"
    return {"kaplan_meier.png": risk_group_figure(groups, f"{title}\n{heading}", rule=rule)}


def write_validation_figures(folder: Path) -> list[Path]:
    """Write the figures into `folder/figures/`, each atomically; returns their paths.

    Raises:
        UserError: see `draw_validation_figures`; nothing is written then.
    """
    return save_figures(folder, draw_validation_figures(folder))
