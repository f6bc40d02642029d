"""The Markdown text of the results of another cohort: the table, footnotes, and what was found and assumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from utils.files.phrases import counted
from utils.files.text_table import format_p, markdown_table
from utils.runs.run_record import model_in_words
from utils.runs.tasks import CLASSIFICATION, METRIC_WORDS, SURVIVAL, TASKS
from utils.tables.averages import mean_text
from utils.tables.calibration_tables import CalibrationTable, Wording, calibration_tables
from utils.tables.calibration_text import table_text
from utils.tables.interval_text import INTERVAL_METHOD, interval_words, intervals_in_words
from utils.tables.risk_groups_text import hazard_ratio_text
from utils.tables.row_notes import RowNotes
from utils.tables.summary_text import DEVIATIONS, is_averaged

OF_COHORT = Wording(
    row="model",
    reference="the cohort itself",
    threshold="of a fold the one of the highest Youden's J (sensitivity + specificity - 1) of its validation cases in "
    "the training run, of the ensemble the mean of these",
)

METHOD = {
    "cls": "ensemble: mean of the class probabilities over the folds. Macro F1 over the classes among labels or "
    "predictions; AUC of class 1, or the mean of one class against the rest beyond two classes.",
    "surv": "ensemble: mean of the survival curves over the folds; its risk is minus the sum of the mean curve. "
    "Harrell's C (higher risk = earlier death); hazard ratio (Cox) and log-rank test of the cases at or above the "
    "cut-off against the rest; above 1 these cases die earlier, below 1 they live longer. "
    "The cut-off is the median risk of the training cases of each fold, and the mean of these for the ensemble. Uno's "
    "C, cumulative/dynamic AUC and integrated Brier score are weighted by the censoring of the cohort itself.",
}


def format_validation(summary: Mapping[str, Any]) -> str:
    """The text of summary.md, from the content of summary.json (see `utils.tables.validation.validate`)."""
    task = TASKS[summary["task"]]
    model = model_in_words(summary["model"], summary["formulation"], summary["ablate"] or [])
    unit = summary["unit"]
    notes = RowNotes()
    title = f"# {summary['cohort']}: external validation of {summary['dataset']}, {model}, {task.words}"
    blocks = [title, markdown_table(list(metric_rows(summary, notes))), *methods(summary), *notes.blocks()]
    if "by_patient" in summary:
        blocks += [markdown_table(patient_rows(summary["by_patient"])), *patient_methods(summary["by_patient"])]
    for table in calibration_of_cohort(summary):
        blocks += table_text(table)
    if summary["warnings"]:
        blocks.append("Warnings:\n\n" + "\n".join(f"- {text}" for text in summary["warnings"]))
    about = [f"run {summary['run_name']}, seed {summary['seed']}"]
    if summary["class_names"]:
        names = ", ".join(f"{index} = {name}" for index, name in enumerate(summary["class_names"]))
        about.append(f"classes: {names}")
    about.append(
        f"{counted(summary['n_known'], unit)} with an outcome of {counted(summary['n_cases'], unit)} predicted"
    )
    blocks.append("What was read:\n\n" + "\n".join(f"- {text}" for text in (*about, *summary["notes"])))
    return "\n\n".join(blocks) + "\n"


def metric_rows(summary: Mapping[str, Any], notes: RowNotes) -> Iterator[list[str]]:
    """Header, ensemble, each fold, and below several folds mean and deviations; footnotes are added to `notes`."""
    yield _header(summary)
    yield _row("ensemble", summary["ensemble"], summary, notes)
    yield from (_row(f"fold {row['fold']}", row, summary, notes) for row in summary["folds"])
    if len(summary["folds"]) > 1:
        yield from (_mean_row(summary), _sample_row(summary))


def methods(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the numbers of `metric_rows` are, a paragraph each."""
    deviations = f" {DEVIATIONS} The folds are of the same cases." if len(summary["folds"]) > 1 else ""
    yield METHOD[summary["task"]] + deviations
    row = summary["ensemble"]
    if summary["task"] == CLASSIFICATION.name:  # that of the AUC stands in the table
        yield intervals_in_words(
            "95 % intervals of the ensemble", {"acc": row["intervals"]["acc"], "f1": row["intervals"]["f1"]}
        )
    yield INTERVAL_METHOD[summary["task"]]
    if summary["task"] == SURVIVAL.name and row["cut_off"] is not None:
        yield (
            f"{row['n_high']} of {row['n_test']} cases have a risk at or above the cut-off of the training cases, "
            f"{row['cut_off']:.4g}; {row['deaths_high']} of {row['n_events']} deaths are among them."
        )


def patient_rows(patients: Mapping[str, Any]) -> list[list[str]]:
    """Header and the ensemble by patient, from `by_patient` of the summary."""
    main, *others = CLASSIFICATION.shown
    interval = patients["intervals"][main]
    values = {name: "–" if patients[name] is None else f"{patients[name]:.3f}" for name in CLASSIFICATION.shown}
    shown = interval_words(interval["low"], interval["high"])
    return [
        ["by patient", "patients", METRIC_WORDS[main], "95 % interval", *(METRIC_WORDS[name] for name in others)],
        ["ensemble", str(patients["n_test"]), values[main], shown, *(values[name] for name in others)],
    ]


def patient_methods(patients: Mapping[str, Any]) -> Iterator[str]:
    """What the numbers of `patient_rows` are, and who is left out."""
    yield "By patient: mean of the probabilities of a patient's slides."
    if patients["left_out"]:
        yield f"Patients whose slides have different labels are left out: {', '.join(patients['left_out'])}."


def _columns(summary: Mapping[str, Any]) -> list[str]:
    names = [name for name in TASKS[summary["task"]].metrics if name not in ("c_index_low", "c_index_high")]
    main = TASKS[summary["task"]].metric
    counts = [name for name in names if name == "n_events"]
    others = [name for name in names if name not in (main, "n_events")]
    ratio = ["hazard_ratio"] if summary["task"] == SURVIVAL.name else []
    return [*counts, main, "interval", *ratio, *others]


def _header(summary: Mapping[str, Any]) -> list[str]:
    words = METRIC_WORDS | {"interval": "95 % interval", "hazard_ratio": "hazard ratio (95 % interval)"}
    return ["model", f"{summary['unit']}s", *(words[name] for name in _columns(summary))]


def _row(name: str, row: Mapping[str, Any], summary: Mapping[str, Any], notes: RowNotes) -> list[str]:
    task = TASKS[summary["task"]]
    shown, main = (*task.metrics, "hazard_ratio"), task.metric  # the others have tables of their own
    reasons = {metric: reason for metric, reason in row["reasons"].items() if metric in shown}
    marks = notes.undefined(reasons, name)
    interval = row.get("intervals", {}).get(main)
    if interval is not None and interval["reason"] is not None and not {main, f"{main}_low"} & reasons.keys():
        number = notes.number(f"no 95 % interval of the {METRIC_WORDS[main]}: {interval['reason']}", name)
        marks[f"{main}_low"] = f"– ({number})"
    return [name, str(row["n_test"]), *(_cell(row, metric, main, marks) for metric in _columns(summary))]


def _cell(row: Mapping[str, Any], name: str, main: str, marks: Mapping[str, str]) -> str:
    if name == "interval":
        limits = {"low": row.get("c_index_low"), "high": row.get("c_index_high")}
        interval = row.get("intervals", {}).get(main, limits)
        if interval["low"] is None:
            return marks.get(f"{main}_low", "")
        return interval_words(interval["low"], interval["high"])
    if row[name] is None:
        return marks.get(name, "–")
    if name == "n_events":
        return str(row[name])
    if name == "hazard_ratio":
        return hazard_ratio_text(row)
    return format_p(row[name]) if name == "logrank_p" else f"{row[name]:.3f}"


def _mean_row(summary: Mapping[str, Any]) -> list[str]:
    return ["mean ± std of the folds", "", *(_mean_cell(summary, name) for name in _columns(summary))]


def _mean_cell(summary: Mapping[str, Any], name: str) -> str:
    if name in ("n_events", "hazard_ratio") or not is_averaged(name):
        return ""
    return mean_text(summary, name)


def _sample_row(summary: Mapping[str, Any]) -> list[str]:
    known = {name: value for name, value in summary["sample_std"].items() if name != "n_events" and is_averaged(name)}
    cells = ["" if known.get(name) is None else f"{known[name]:.3f}" for name in _columns(summary)]
    return ["sample std of the folds", "", *cells]


def calibration_of_cohort(summary: Mapping[str, Any]) -> Iterator[CalibrationTable]:
    """Calibration and threshold of the ensemble and of each fold (see `utils.tables.calibration_tables`)."""
    rows = [("ensemble", summary["ensemble"]), *((f"fold {row['fold']}", row) for row in summary["folds"])]
    return calibration_tables(summary["task"], rows, summary, OF_COHORT)
