"""The Markdown text of a run's summary: the table, footnotes for what is undefined or missing, and the sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from utils.files.phrases import counted
from utils.files.text_table import format_p, markdown_table
from utils.runs.run_record import model_in_words
from utils.runs.tasks import CLASSIFICATION, METRIC_WORDS, SURVIVAL, TASKS, Task
from utils.statistics.metrics import N_RESAMPLES
from utils.tables.fold_warnings import merged
from utils.tables.risk_groups_text import POOLED_METHOD, pooled_notes, pooled_p_text, risk_group_blocks

_INTERVAL = {"c_index_low": "interval", "c_index_high": "interval"}  # both ends stand in one column
_COUNTS = ("n_events",)  # stand before the other metrics, beside the number of test cases
# A mean of interval ends or of p values is neither an interval nor a p value: summary.json has them, the text does not.
NOT_AVERAGED = ("interval", "c_index_low", "c_index_high", "logrank_p")
_METHOD = {
    CLASSIFICATION.name: "Macro F1 over the classes among labels or predictions; AUC of class 1, or the mean of one "
    "class against the rest beyond two classes.",
    SURVIVAL.name: "Harrell's C (higher risk = earlier death; ties within 1e-8 count one half) with the 2.5 and 97.5 "
    f"percentile of {N_RESAMPLES} bootstrap resamples of the fold's test cases; log-rank test between the halves of "
    "these cases (high: risk >= median of the fold). Weighted by the censoring of the fold's training cases: Uno's C "
    "up to the last inner edge of the time bins, the cumulative/dynamic AUC averaged over the inner edges, and the "
    "integrated Brier score between them (lower is better).",
}
BY_PATIENT_METHOD = (
    "The probabilities of a patient are the mean of those of the patient's test slides; each slide counts alike."
)
_N_NAMED = 5


def format_summary(summary: dict[str, Any]) -> str:
    """The text of summary.md, from the content of summary.json (see `utils.tables.summarise`)."""
    notes: list[str] = []
    rows = _rows(summary, notes)
    if "pooled" in summary:
        rows.append(_pooled_row(summary, notes))
    name = f", run {summary['run_name']}" if summary.get("run_name") else ""
    model = model_in_words(summary["model"], summary["formulation"], summary["ablate"])
    task = TASKS[summary["task"]]
    title = f"# {summary['dataset']}: {model}, {task.words}{name}"
    blocks = [title, markdown_table(rows)]
    names = summary.get("class_names")
    classes = f" Classes: {', '.join(f'{index} = {name}' for index, name in enumerate(names))}." if names else ""
    blocks.append(_METHOD[task.name] + classes + " mean ± std: over folds, population standard deviation.")
    if "pooled" in summary:
        blocks.append(POOLED_METHOD)
    if notes:
        blocks.append("\n".join(notes))
    if "by_patient" in summary:
        blocks += _by_patient(summary)
    blocks += risk_group_blocks(summary)
    of_folds = merged({row["fold"]: row.get("warnings", ()) for row in summary["folds"]})
    warnings = [f"- {' '.join(str(text).split())}" for text in (*summary["warnings"], *of_folds)]
    warnings += [f"- fold {fold} is missing: it has no predictions_test.csv yet" for fold in summary["missing_folds"]]
    if summary.get("below_chance"):
        warnings.insert(0, f"- {summary['below_chance']}")
    if summary.get("folds_left_out"):
        warnings.append(f"- {summary['folds_left_out']}")
    if warnings:
        blocks.append("Warnings:\n\n" + "\n".join(warnings))
    blocks.append("Where the numbers come from:\n\n" + "\n".join(f"- {line}" for line in _sources(summary)))
    return "\n\n".join(blocks) + "\n"


def _rows(summary: dict[str, Any], notes: list[str]) -> list[list[str]]:
    """The table of the folds with their mean; footnotes are added to `notes`."""
    return [_header(summary), *_fold_rows(summary, notes), _mean_row(summary)]


def _by_patient(summary: dict[str, Any]) -> Iterator[str]:
    """Heading, table and notes of the patients of a run that predicts slides."""
    notes: list[str] = []
    rows = _rows(summary | summary["by_patient"] | {"unit": "patient"}, notes)
    yield "## By patient (mean of the slides' probabilities)"
    yield markdown_table(rows)
    yield BY_PATIENT_METHOD
    if notes:
        yield "\n".join(notes)


def _columns(task: Task) -> list[str]:
    """The columns of the metrics of a task: their names, or `interval`."""
    names = [*(name for name in _COUNTS if name in task.metrics), *(_INTERVAL.get(name, name) for name in task.metrics)]
    return list(dict.fromkeys(names))


def _header(summary: dict[str, Any]) -> list[str]:
    words = METRIC_WORDS | {"interval": "95 % interval"}
    return ["fold", f"test {summary['unit']}s", *(words[name] for name in _columns(TASKS[summary["task"]]))]


def _fold_rows(summary: dict[str, Any], notes: list[str]) -> Iterator[list[str]]:
    """Cells of each fold, missing ones included; a footnote per reason is added to `notes`."""
    columns = _columns(TASKS[summary["task"]])
    rows = {row["fold"]: row for row in summary["folds"]}
    for fold in sorted([*rows, *summary["missing_folds"]]):
        if fold not in rows:
            yield [str(fold), "missing", *[""] * len(columns)]
            continue
        row = rows[fold]
        size = str(row["n_test"])
        if row.get("left_out"):
            notes.append(f"- ({len(notes) + 1}) fold {fold}: {_left_out_text(row['left_out'])}")
            size += f" ({len(notes)})"
        marks: dict[str, str] = {}
        for reason in dict.fromkeys(row["reasons"].values()):
            undefined = [name for name in row["reasons"] if row["reasons"][name] == reason]
            notes.append(f"- ({len(notes) + 1}) fold {fold}, {', '.join(undefined)} undefined: {reason}")
            marks |= dict.fromkeys(undefined, f"– ({len(notes)})")
        skipped = row.get("n_resamples_skipped")
        interval_mark = ""
        if skipped:
            notes.append(
                f"- ({len(notes) + 1}) fold {fold}: {skipped} resamples without a comparable pair were skipped"
            )
            interval_mark = f" ({len(notes)})"
        marks["interval"] = marks.get("c_index_low", interval_mark)
        yield [str(fold), size, *[_cell(row, name, marks) for name in columns]]


def _left_out_text(patients: Sequence[str]) -> str:
    """That patients have no label, the first ones by name."""
    named = ", ".join([*patients[:_N_NAMED], *["..."] * (len(patients) > _N_NAMED)])
    has = "has slides of different labels and is" if len(patients) == 1 else "have slides of different labels and are"
    return f"{counted(len(patients), 'patient')} {has} left out: {named}"


def _cell(row: dict[str, Any], name: str, marks: dict[str, str]) -> str:
    if name == "interval":
        if row["c_index_low"] is None:
            return marks["interval"]
        return f"{row['c_index_low']:.3f} to {row['c_index_high']:.3f}{marks['interval']}"
    if row[name] is None:
        return marks.get(name, "–")
    if name == "n_events":
        return str(row[name])
    return format_p(row[name]) if name == "logrank_p" else f"{row[name]:.3f}"


def _mean_row(summary: dict[str, Any]) -> list[str]:
    cells = []
    for name in _columns(TASKS[summary["task"]]):
        if name in NOT_AVERAGED:
            cells.append("")
            continue
        if summary["mean"][name] is None:
            cells.append("–")
            continue
        digits = 1 if name == "n_events" else 3
        defined, present = summary["n_defined"][name], len(summary["folds"])
        # One fold has no deviation: ± 0.000 would read as a result that never varies.
        deviation = f" ± {summary['std'][name]:.{digits}f}" if defined > 1 else ""
        text = f"{summary['mean'][name]:.{digits}f}{deviation}"
        cells.append(text if defined == present else f"{text} ({defined} of {present} folds)")
    return ["mean ± std", "", *cells]


def _pooled_row(summary: dict[str, Any], notes: list[str]) -> list[str]:
    """The log-rank p over all folds, with its cases and deaths; what it lacks is added to `notes`."""
    pooled = summary["pooled"]
    shown = pooled_p_text(pooled)
    for text in pooled_notes(pooled):
        notes.append(f"- ({len(notes) + 1}) {text}")
        shown += f" ({len(notes)})"
    cells = {"n_events": str(pooled["deaths_high"] + pooled["deaths_low"]), "logrank_p": shown}
    columns = _columns(TASKS[summary["task"]])
    return ["pooled", str(pooled["n_cases"]), *(cells.get(name, "") for name in columns)]


def _sources(summary: dict[str, Any]) -> Iterator[str]:
    bootstrap = " (bootstrap included)" if summary["task"] == SURVIVAL.name else ""
    yield f"seed {summary['seed']}{bootstrap}"
    for row in summary["folds"]:
        split = f"split file sha256 {row['split_sha256']}" if row["split_sha256"] else "split file digest not recorded"
        yield f"fold {row['fold']}: {row['predictions']}; {split}"
    anchors = summary["anchors"]
    if isinstance(anchors, dict):
        for key, value in anchors.items():
            if value is None:  # random initialisation has no file
                continue
            text = ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, dict) else value
            yield f"anchors, {key}: {text}"
    elif anchors is not None:
        yield f"anchors: {anchors}"
