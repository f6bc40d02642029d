"""The figures of a run as PNG, from its logs and prediction files alone.

`python -m utils.figures RUN_DIR ...` draws them again at any time; no model is loaded.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from utils.errors import UserError
from utils.figures.learning_curves import learning_curves
from utils.figures.plotting import save_png
from utils.figures.risk_group_curves import fold_risk_curves, pooled_risk_curves
from utils.figures.roc_curves import roc_curves
from utils.runs.class_words import ClassWords
from utils.runs.epoch_log import read_log
from utils.runs.predictions import output_columns, read_predictions, task_of
from utils.runs.run_dir import fold_files
from utils.runs.run_record import model_in_words, read_run
from utils.runs.tasks import CLASSIFICATION, SURVIVAL, TASKS


def draw_figures(run_dir: Path) -> dict[str, Figure]:
    """{file name: figure} of the run, from what is there.

    - `learning_curves.png`: of the folds that have a `log.csv`;
    - classification: `roc.png`, of the folds that have a `predictions_test.csv`;
    - survival: `kaplan_meier.png` (pooled over test folds) and `kaplan_meier_folds.png`.

    Raises:
        UserError: run.json, a log or a prediction file is missing or damaged, or there is nothing to draw.
    """
    run = read_run(run_dir)
    model = model_in_words(run["model"], run["formulation"], run["settings"].get("ablate") or ())
    task = TASKS[run["task"]]
    title = f"{run['dataset']}: {model}, {task.words}"
    logs = {fold: read_log(path) for fold, path in fold_files(run_dir, "log.csv").items()}
    logs = {fold: log for fold, log in logs.items() if len(log)}  # a fold stopped before its first epoch
    tables = {fold: read_predictions(path) for fold, path in fold_files(run_dir, "predictions_test.csv").items()}
    for fold, table in tables.items():
        if task_of(table) != task:
            raise UserError(
                f"{run_dir}/fold{fold}: holds predictions of task {task_of(table).name}, expected {task.name} as in "
                "run.json; keep the runs of the two tasks in folders of their own."
            )
    figures: dict[str, Figure] = {}
    if logs:
        figures["learning_curves.png"] = learning_curves(logs, task, title)
    if tables and task == CLASSIFICATION:
        words = ClassWords.of(run, len(output_columns(next(iter(tables.values())))))
        figures["roc.png"] = roc_curves(tables, title, words)
    if tables and task == SURVIVAL:
        figures["kaplan_meier.png"] = pooled_risk_curves(tables, title)
        figures["kaplan_meier_folds.png"] = fold_risk_curves(tables, title)
    if not figures:
        raise UserError(
            f"{run_dir}: nothing to draw, expected fold*/log.csv or fold*/predictions_test.csv; run main.py for it "
            "first."
        )
    return figures


def write_figures(run_dir: Path) -> list[Path]:
    """Write the figures of `draw_figures` into `run_dir/figures/`, each atomically; returns their paths.

    Raises:
        UserError: see `draw_figures`; nothing is written then.
    """
    return save_figures(run_dir, draw_figures(run_dir))


def save_figures(run_dir: Path, figures: dict[str, Figure]) -> list[Path]:
    """Write figures {file name: figure} into `run_dir/figures/`, each atomically; returns their paths."""
    paths = []
    for name, figure in figures.items():
        path = run_dir / "figures" / name
        save_png(figure, path)
        paths.append(path)
    return paths
