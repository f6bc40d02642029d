"""What a task is: classification or survival, with the names of all that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from utils.errors import UserError

# The printed name of each metric, the same wherever a reader meets it.
METRIC_WORDS = {
    "acc": "ACC",
    "balanced_acc": "balanced ACC",
    "f1": "macro F1",
    "auc": "AUC",
    "c_index": "C-index",
    "logrank_p": "log-rank p",
    "n_events": "deaths",
    "c_index_ipcw": "Uno's C",
    "td_auc": "AUC(t)",
    "ibs": "IBS",
    "ibs_reference": "IBS of Kaplan-Meier",
    "ibs_skill": "IBS skill",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
    "brier": "Brier score",
    "brier_reference": "Brier score of the class shares",
    "brier_skill": "Brier skill",
    "ece": "ECE",
    "ece_expected": "ECE if calibrated",
    "auprc": "AUPRC",
    "auprc_reference": "AUPRC by chance",
    "threshold": "threshold",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "ppv": "PPV",
    "npv": "NPV",
}
CORRECTED_FOR_CENSORING = ("c_index_ipcw", "td_auc", "ibs")
LOWER_IS_BETTER = ("ibs", "brier", "ece")
# What a metric is compared with, the same for every model: none of them is the best.
REFERENCES = ("ibs_reference", "brier_reference", "ece_expected", "auprc_reference")
AT_THRESHOLD = ("sensitivity", "specificity", "ppv", "npv")
AUTO = "auto"


def _with_limits(name: str) -> tuple[str, str, str]:
    """A metric and its 95 % limits."""
    return name, f"{name}_low", f"{name}_high"


@dataclass(frozen=True)
class Task:
    """A task, as every stage after the folds sees it.

    Attributes:
        name: `cls` or `surv`, as on the command line and in files.
        words: its name for a reader.
        unit: what one prediction is about: a case in survival, and in classification a slide (a patient may have
            several) unless a run says otherwise (`utils.runs.run_record.unit_of`).
        metrics: the metrics of a test fold, in the order of the tables; `METRIC_WORDS` has their printed names.
        calibration: further metrics of a test fold, which stand in tables of their own (calibration, threshold): each
            with what it is compared with (`_reference`, `_expected`) and its 95 % limits (`_low`, `_high`).
        shown: those of `metrics` that a report shows for each fold, the main one first.
        compared: the metrics by which models are compared, the main one first.
        logged: the metrics of the validation cases in `log.csv`, each as a column `val_{name}`.
        monitors: the columns of `log.csv` that may select the epoch (`--monitor`); the first one is the released score.
        curve: the metric that learning curves show beside the losses.
        output: the prefix of the columns of a prediction file that hold the model's outputs, `prob_0 ...`.
        known: the columns of a prediction file between the identifiers and the outputs.
        row_id: the column of a prediction file that names a row.
        outcome: the columns of a prediction file that hold what is true of a row, whatever the model.
        fold_files: the files of `fold{k}/` that make a fold finished.
    """

    name: str
    words: str
    unit: str
    metrics: tuple[str, ...]
    calibration: tuple[str, ...]
    shown: tuple[str, ...]
    compared: tuple[str, ...]
    logged: tuple[str, ...]
    monitors: tuple[str, ...]
    curve: str
    output: str
    known: tuple[str, ...]
    row_id: str
    outcome: tuple[str, ...]
    fold_files: tuple[str, ...]

    @property
    def metric(self) -> str:
        """The main metric."""
        return self.compared[0]

    @property
    def measured(self) -> tuple[str, ...]:
        """All metrics of a test fold."""
        return self.metrics + self.calibration

    def monitor(self, asked: str) -> str:
        """The column of `log.csv` that `--monitor` asks for; `auto` is the released score.

        Raises:
            UserError: for a column that this task does not have.
        """
        if asked != AUTO and asked not in self.monitors:
            raise UserError(f"got --monitor {asked} with --task {self.name}, expected {', '.join(MONITORS[self.name])}")
        return self.monitors[0] if asked == AUTO else asked


CLASSIFICATION = Task(
    name="cls",
    words="classification",
    unit="slide",
    metrics=("acc", "balanced_acc", "f1", "auc"),
    calibration=(
        "auprc",
        "auprc_reference",
        "brier",
        "brier_reference",
        "brier_skill",
        "ece",
        "ece_expected",
        *_with_limits("calibration_slope"),
        *_with_limits("calibration_intercept"),
        "threshold",
        *(column for name in AT_THRESHOLD for column in _with_limits(name)),
    ),
    shown=("auc", "acc", "balanced_acc", "f1"),
    compared=("auc", "acc", "f1"),
    logged=("acc", "f1", "auc"),
    monitors=("val_f1", "val_auc", "val_loss"),
    curve="f1",
    output="prob",
    known=("label", "prediction"),
    row_id="slide_ids",
    outcome=("label",),
    fold_files=("metrics.json", "predictions_val.csv", "predictions_test.csv"),
)
SURVIVAL = Task(
    name="surv",
    words="survival",
    unit="case",
    metrics=("c_index", "c_index_low", "c_index_high", "logrank_p", "n_events", *CORRECTED_FOR_CENSORING),
    calibration=("ibs_reference", "ibs_skill", *_with_limits("calibration_slope")),
    shown=("c_index", *CORRECTED_FOR_CENSORING),
    compared=("c_index",),
    logged=("c_index",),
    monitors=("val_loss", "val_c_index"),
    curve="c_index",
    output="hazard",
    known=("time", "event", "bin", "risk"),
    row_id="case_id",
    outcome=("time", "event"),
    fold_files=("metrics.json", "predictions_val.csv", "predictions_test.csv", "outcomes_train.csv"),
)
TASKS = {task.name: task for task in (CLASSIFICATION, SURVIVAL)}
MONITORS = {task.name: (AUTO, *sorted(task.monitors)) for task in TASKS.values()}
TASKS_OF_THE_PAPER = (SURVIVAL, CLASSIFICATION)  # in the order of its tables
