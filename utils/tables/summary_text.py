"""The Markdown text of a run's summary: the table, footnotes for what is undefined or missing, and the sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from utils.files.phrases import counted
from utils.files.text_table import format_p, markdown_table
from utils.runs.run_record import model_in_words
from utils.runs.tasks import CLASSIFICATION, METRIC_WORDS, SURVIVAL, TASKS, Task
from utils.statistics.metric_intervals import MetricInterval
from utils.tables.averages import mean_text
from utils.tables.calibration_text import calibration_text
from utils.tables.concordance_text import concordance_within_folds
from utils.tables.fold_warnings import merged
from utils.tables.interval_text import INTERVAL_METHOD, interval_words, intervals_in_words, without_interval
from utils.tables.risk_groups_text import risk_group_blocks
from utils.tables.row_notes import RowNotes

_INTERVAL = {"c_index_low": "interval", "c_index_high": "interval"}  # both ends stand in one column
_COUNTS = ("n_events",)  # stand before the other metrics, beside the number of test cases
# A mean of interval ends or of p values is neither an interval nor a p value: summary.json has them, the text does not.
_NOT_AVERAGED = ("interval", "logrank_p")
_LIMITS = ("_low", "_high")
METHOD = {
    CLASSIFICATION.name: "Macro F1 over the classes among labels or predictions; AUC of class 1, or the mean of one "
    "class against the rest beyond two classes.",
    SURVIVAL.name: "Harrell's C (higher risk = earlier death; ties within 1e-8 count one half); log-rank test between "
    "the halves of the fold's test cases (high: risk >= median of the fold). Weighted by the censoring of the fold's "
    "training cases: Uno's C up to the last inner edge of the time bins; AUC(t), the cumulative/dynamic AUC averaged "
    "over the inner edges; and IBS, the integrated Brier score between them (lower is better).",
}
DEVIATIONS = (
    "mean ± std: over folds, population standard deviation (divided by the number of folds n); sample std: divided by "
    "n - 1."
)
BY_PATIENT_METHOD = (
    "The probabilities of a patient are the mean of those of the patient's test slides; each slide counts alike."
)
_N_NAMED = 5


def is_averaged(name: str) -> bool:
    """Whether a mean of a metric says something: that of interval ends or p values is no interval and no p value."""
    return name not in _NOT_AVERAGED and not name.endswith(_LIMITS)


def format_summary(summary: dict[str, Any]) -> str:
    """The text of summary.md, from the content of summary.json (see `utils.tables.summarise`)."""
    notes = RowNotes()
    rows = _rows(summary, notes)
    name = f", run {summary['run_name']}" if summary.get("run_name") else ""
    model = model_in_words(summary["model"], summary["formulation"], summary["ablate"])
    task = TASKS[summary["task"]]
    title = f"# {summary['dataset']}: {model}, {task.words}{name}"
    blocks = [title, markdown_table(rows)]
    names = summary.get("class_names")
    classes = f" Classes: {', '.join(f'{index} = {name}' for index, name in enumerate(names))}." if names else ""
    blocks.append(METHOD[task.name] + classes + f" {DEVIATIONS}")
    if within := concordance_within_folds(summary):
        blocks.append(within)
    blocks += _intervals(summary)
    blocks += notes.blocks()
    if "by_patient" in summary:
        blocks += _by_patient(summary)
    blocks += risk_group_blocks(summary)
    blocks += calibration_text(summary)
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


def _rows(summary: dict[str, Any], notes: RowNotes) -> list[list[str]]:
    """The table of the folds with their mean; footnotes are added to `notes`."""
    return [_header(summary), *_fold_rows(summary, notes), _mean_row(summary), _sample_row(summary)]


def _by_patient(summary: dict[str, Any]) -> Iterator[str]:
    """Heading, table and notes of the patients of a run that predicts slides."""
    notes = RowNotes()
    rows = _rows(summary | summary["by_patient"] | {"unit": "patient"}, notes)
    yield "## By patient (mean of the slides' probabilities)"
    yield markdown_table(rows)
    yield BY_PATIENT_METHOD
    yield from _intervals_of_means(summary["by_patient"])
    yield from notes.blocks()


def _intervals(summary: dict[str, Any]) -> Iterator[str]:
    """The intervals of the means that stand in no column, how all are made, and why a value has none."""
    if summary["task"] == CLASSIFICATION.name:
        yield from _intervals_of_means(summary)
    yield INTERVAL_METHOD[summary["task"]]
    measured = {metric: MetricInterval.of_json(content) for metric, content in summary.get("intervals", {}).items()}
    # Folds of survival have their footnotes.
    missing = list(without_interval(measured, with_folds=summary["task"] == CLASSIFICATION.name))
    if missing:
        yield "\n".join(f"- {text}" for text in missing)


def _intervals_of_means(summary: Mapping[str, Any]) -> Iterator[str]:
    means = {metric: content["mean"] for metric, content in summary.get("intervals", {}).items()}
    known = {metric: mean for metric, mean in means.items() if mean["low"] is not None}
    if known:
        what = "mean over folds" if len(summary["folds"]) > 1 else "fold"
        yield intervals_in_words(f"95 % intervals of the {what}", known)


def _columns(task: Task) -> list[str]:
    """The columns of the metrics of a task: their names, or `interval`."""
    names = [*(name for name in _COUNTS if name in task.metrics), *(_INTERVAL.get(name, name) for name in task.metrics)]
    return list(dict.fromkeys(names))


def _header(summary: dict[str, Any]) -> list[str]:
    words = METRIC_WORDS | {"interval": "95 % interval"}
    return ["fold", f"test {summary['unit']}s", *(words[name] for name in _columns(TASKS[summary["task"]]))]


def _fold_rows(summary: dict[str, Any], notes: RowNotes) -> Iterator[list[str]]:
    """Cells of each fold, missing ones included; a footnote per reason is added to `notes`."""
    task = TASKS[summary["task"]]
    columns, rows = _columns(task), {row["fold"]: row for row in summary["folds"]}
    for fold in sorted([*rows, *summary["missing_folds"]]):
        if fold not in rows:
            yield [str(fold), "missing", *[""] * len(columns)]
            continue
        row = rows[fold]
        size = str(row["n_test"])
        if row.get("left_out"):
            size += f" ({notes.number(_left_out_text(row['left_out']), f'fold {fold}')})"
        reasons = {name: reason for name, reason in row["reasons"].items() if name in task.metrics}
        marks = notes.undefined(reasons, f"fold {fold}")
        yield [str(fold), size, *[_cell(row, name, marks) for name in columns]]


def _left_out_text(patients: Sequence[str]) -> str:
    """That patients have no label, the first ones by name."""
    named = ", ".join([*patients[:_N_NAMED], *["..."] * (len(patients) > _N_NAMED)])
    has = "has slides of different labels and is" if len(patients) == 1 else "have slides of different labels and are"
    return f"{counted(len(patients), 'patient')} {has} left out: {named}"


def _cell(row: dict[str, Any], name: str, marks: dict[str, str]) -> str:
    if name == "interval":
        return marks.get("c_index_low", interval_words(row["c_index_low"], row["c_index_high"]))
    if row[name] is None:
        return marks.get(name, "–")
    if name == "n_events":
        return str(row[name])
    return format_p(row[name]) if name == "logrank_p" else f"{row[name]:.3f}"


def _mean_row(summary: dict[str, Any]) -> list[str]:
    cells = []
    for name in _columns(TASKS[summary["task"]]):
        if name == "interval":
            measured = summary.get("intervals", {}).get("c_index")  # a summary of before has none
            cells.append("" if measured is None else interval_words(measured["mean"]["low"], measured["mean"]["high"]))
            continue
        if not is_averaged(name):
            cells.append("")
            continue
        cells.append(mean_text(summary, name, _digits(name)))
    return ["mean ± std", of_present_folds(summary), *cells]


def of_present_folds(summary: Mapping[str, Any]) -> str:
    """Where folds are missing, how many are there, with their test cases; else empty."""
    folds, missing = summary["folds"], summary.get("missing_folds", ())
    if not missing:
        return ""
    return f"{sum(row['n_test'] for row in folds)} in {len(folds)} of {len(folds) + len(missing)} folds"


def _sample_row(summary: dict[str, Any]) -> list[str]:
    names = _columns(TASKS[summary["task"]])
    known = {name: summary["sample_std"].get(name) for name in names if is_averaged(name)}
    cells = ["" if known.get(name) is None else f"{known[name]:.{_digits(name)}f}" for name in names]
    return ["sample std", "", *cells]


def _digits(name: str) -> int:
    return 1 if name in _COUNTS else 3


def _sources(summary: dict[str, Any]) -> Iterator[str]:
    yield f"seed {summary['seed']}"
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
