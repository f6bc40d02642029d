"""The tables of the paper as rows of entries: what each says, its value for the choice of the best, its CSV line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from utils.files.phrases import listed
from utils.paper.cells import Cell, cell_note, cell_of, cell_text, mean_over_cohorts, undefined_text
from utils.paper.planned_results import PlannedResults, Variant
from utils.paper.published import SOURCE, published_figure
from utils.runs.run_plan import MICO
from utils.runs.tasks import LOWER_IS_BETTER, METRIC_WORDS, REFERENCES

CSV_COLUMNS = (
    "task",
    "dataset",
    "model",
    "formulation",
    "ablate",
    "n_clusters",
    "metric",
    "mean",
    "std",
    "n_folds",
    "n_folds_planned",
    "n_seeds",
    "n_seeds_planned",
    "published",
    "note",
    "run_dirs",
)
NOT_KNOWN = "not known here"


@dataclass(frozen=True)
class Entry:
    """A cell as shown; `score` (higher is better) is None where it cannot be the best of its column; its CSV line."""

    text: str
    score: float | None
    csv: Mapping[str, str]


@dataclass(frozen=True)
class TableRow:
    """A row with its leading labels; the best entry of a column is chosen within rows of the same `group`."""

    labels: tuple[str, ...]
    entries: tuple[Entry, ...]
    group: str = ""


@dataclass(frozen=True)
class PaperTable:
    """A table: `name` is the stem of its files, `explanation` says how to read it, `notes` what its cells lack.

    `below` is a second table that follows it in its Markdown and LaTeX files.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[TableRow, ...]
    explanation: tuple[str, ...]
    notes: tuple[str, ...]
    csv_columns: tuple[str, ...] = CSV_COLUMNS
    below: PaperTable | None = None


@dataclass(frozen=True)
class ColumnGroup:
    """Columns of one task: its metrics for each cohort, then the mean over cohorts, then the published figures.

    Attributes:
        task: `cls` or `surv`.
        metrics: names as in `utils.runs.tasks.METRIC_WORDS`.
        has_mean: whether there are columns with the mean over cohorts.
        published: words before the metric in the headers of the published columns; empty: there are none.
        name_metric: whether the headers name the metric.
    """

    task: str
    metrics: tuple[str, ...]
    has_mean: bool
    published: str = ""
    name_metric: bool = True

    def headers(self, results: PlannedResults) -> list[str]:
        """The headers of all columns; none where the plan has no cohort of this task."""
        cohorts = results.cohorts(self.task)
        words = [*cohorts, *(["mean"] if self.has_mean else []), *([self.published] if self.published else [])]
        return [self._header(word, metric) for word in words for metric in self.metrics] if cohorts else []

    def _header(self, word: str, metric: str) -> str:
        return f"{word} {METRIC_WORDS[metric]}" if self.name_metric else word


@dataclass
class Footnotes:
    """Numbered footnotes (equal texts share a number), and remarks without a number."""

    numbered: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        """The number of a footnote, which is added if it is new."""
        if text not in self.numbered:
            self.numbered.append(text)
        return self.numbered.index(text) + 1

    def lines(self) -> tuple[str, ...]:
        """All of them, to stand below the table."""
        return (*(f"note {number}: {text}" for number, text in enumerate(self.numbered, start=1)), *self.remarks)


def group_entries(
    results: PlannedResults, columns: ColumnGroup, variant: Variant, notes: Footnotes, n_clusters: int | None = None
) -> list[Entry]:
    """The entries of one row below `columns.headers`; MiCo has `n_clusters` anchors, by default as in the tables."""
    cohorts = results.cohorts(columns.task)
    if not cohorts:
        return []
    cells = {
        (dataset, metric): metric_cell(results, columns.task, dataset, variant, metric, n_clusters)
        for dataset in cohorts
        for metric in columns.metrics
    }
    entries = []
    for (dataset, metric), of_cohort in cells.items():
        line = csv_line(results, columns.task, dataset, variant, metric, n_clusters)
        entries.append(cell_entry(of_cohort, line, notes))
    for metric in columns.metrics if columns.has_mean else ():
        line = csv_line(results, columns.task, "mean", variant, metric, n_clusters)
        of_metric = {dataset: cells[dataset, metric] for dataset in cohorts}
        entries.append(_mean_entry(of_metric, line, notes, variant, show_published=bool(columns.published)))
    for metric in columns.metrics if columns.published else ():
        line = csv_line(results, columns.task, "published", variant, metric, n_clusters)
        entries.append(_published_entry(line, variant))
    return entries


def metric_cell(
    results: PlannedResults, task: str, dataset: str, variant: Variant, metric: str, n_clusters: int | None = None
) -> Cell:
    """The cell of a row, cohort and metric."""
    runs = results.of(task, dataset, variant, n_clusters)
    return cell_of(runs, metric, n_folds_planned=len(results.folds(task, dataset)))


def csv_line(
    results: PlannedResults, task: str, dataset: str, variant: Variant, metric: str, n_clusters: int | None = None
) -> dict[str, str]:
    """What identifies a cell in a CSV file; the number of anchors is empty for models without any.

    In lines of `mean` and `published` it is that of the task's cohorts, empty where they differ.
    """
    cohorts = [dataset] if dataset in results.cohorts(task) else results.cohorts(task)
    numbers = {n_clusters or results.n_clusters(task, cohort) for cohort in cohorts} - {None}
    anchors = str(*numbers) if variant.model == MICO and len(numbers) == 1 else ""
    names = {"model": variant.model, "formulation": variant.formulation, "ablate": variant.ablate}
    return (
        dict.fromkeys(CSV_COLUMNS, "")
        | {"task": task, "dataset": dataset}
        | names
        | {
            "n_clusters": anchors,
            "metric": metric,
        }
    )


def cell_entry(cell: Cell, line: Mapping[str, str], notes: Footnotes, *, always_folds: bool = False) -> Entry:
    """The entry of a cohort's cell; `line` is what identifies it."""
    undefined = undefined_text(cell)
    where = f"{line['dataset']}, {METRIC_WORDS[line['metric']]}"
    number = notes.number(f"{where}: {undefined}") if undefined else None
    text = cell_text(cell, always_folds=always_folds, note=number)
    return Entry(text, _score(cell.mean, line["metric"]) if cell.is_complete else None, {**line, **_csv_values(cell)})


def _csv_values(cell: Cell) -> dict[str, str]:
    return {
        "mean": _digits(cell.mean),
        "std": _digits(cell.std),
        "n_folds": str(cell.n_folds),
        "n_folds_planned": "" if cell.n_folds_planned is None else str(cell.n_folds_planned),
        "n_seeds": str(cell.n_seeds),
        "n_seeds_planned": str(cell.n_seeds_planned),
        "note": cell_note(cell),
        "run_dirs": ";".join(cell.run_dirs),
    }


def _mean_entry(
    cells: Mapping[str, Cell], line: Mapping[str, str], notes: Footnotes, variant: Variant, *, show_published: bool
) -> Entry:
    mean, lacking = mean_over_cohorts(cells)
    published = _published(line, variant) if show_published else None
    run_dirs = ";".join(run_dir for cell in cells.values() for run_dir in cell.run_dirs)
    shared = {**line, "published": _digits(published), "run_dirs": run_dirs}
    if all(cell.n_seeds_planned == 0 for cell in cells.values()):
        return Entry("not planned", None, shared | {"note": "not planned"})
    if mean is None:
        remark = f"{listed(lacking)} {'lacks' if len(lacking) == 1 else 'lack'} folds"
        anchors = f" with {line['n_clusters']} anchors" if line["n_clusters"] else ""
        notes.remarks.append(f"mean {METRIC_WORDS[line['metric']]} of {variant.name}{anchors}: incomplete, {remark}")
        return Entry("incomplete", None, shared | {"note": f"incomplete: {remark}"})
    if all(cell.is_complete for cell in cells.values()):
        return Entry(f"{mean:.3f}", _score(mean, line["metric"]), shared | {"mean": _digits(mean)})
    return Entry(f"{mean:.3f} (seeds missing)", None, shared | {"mean": _digits(mean), "note": "seeds missing"})


def _published_entry(line: Mapping[str, str], variant: Variant) -> Entry:
    figure = _published(line, variant)
    if figure is None:
        return Entry(NOT_KNOWN, None, {**line, "note": NOT_KNOWN})
    return Entry(f"{figure:.3f}", None, {**line, "published": _digits(figure), "note": SOURCE})


def _published(line: Mapping[str, str], variant: Variant) -> float | None:
    return published_figure(line["metric"], variant.model, formulation=variant.formulation, ablate=variant.ablate)


def _score(value: float | None, metric: str) -> float | None:
    """Rounded as shown, so that equal texts are equally good; None for a reference, which is no merit of a model."""
    if value is None or metric in REFERENCES:
        return None
    return round(-value if metric in LOWER_IS_BETTER else value, 3)


def _digits(value: float | None) -> str:
    """All digits, empty for None."""
    return "" if value is None else repr(value)


def best_entries(rows: Sequence[TableRow]) -> list[list[bool]]:
    """For each row and column whether it holds the best complete entry of its group; ties are all best.

    An entry is marked only where the column has another one to compare it with.
    """
    marks = [[False] * len(row.entries) for row in rows]
    for group in {row.group for row in rows}:
        members = [index for index, row in enumerate(rows) if row.group == group]
        for column in range(len(rows[members[0]].entries)):
            scores = {index: rows[index].entries[column].score for index in members}
            known = [score for score in scores.values() if score is not None]
            for index, score in scores.items():
                marks[index][column] = len(known) > 1 and score == max(known)
    return marks
