"""Which rows and columns the paper's tables have, and what stands below each."""

from __future__ import annotations

from utils.paper.grids import (
    METRIC_LABELS,
    ColumnGroup,
    Footnotes,
    PaperTable,
    TableRow,
    cell_entry,
    csv_line,
    group_entries,
    metric_cell,
)
from utils.paper.planned_results import PlannedResults, Variant, listed
from utils.paper.published import BEST_ANCHORS, SOURCE, SUBTYPING_COHORTS, SURVIVAL_COHORTS, are_published_cohorts
from utils.statistics.metrics import CORRECTED_FOR_CENSORING
from utils.tables.summary_text import TASK_WORDS

CELL_RULES = (
    "A cell is the mean ± population standard deviation over the test folds, of the mean over the seeds of each fold; "
    "one fold has no ±.",
    "In brackets stands what part of the planned folds, seeds or trainings (one fold with one seed) a cell is made of; "
    "missing: planned, no results yet; not planned: not among the runs of the plan.",
    "A mean over data sets is the plain mean, and incomplete where a data set lacks folds.",
    "Bold: the best of the complete cells of a column of ours.",
)


def survival_table(results: PlannedResults) -> PaperTable:
    """C-index of each model: a column per survival cohort, their mean, and the published mean."""
    columns = ColumnGroup("surv", ("c_index",), has_mean=True, published="published mean", name_metric=False)
    rows, notes = _model_rows(results, columns)
    return PaperTable(
        name="table1_survival",
        title="Survival, C-index",
        header=("model", *columns.headers(results)),
        rows=rows,
        explanation=(*CELL_RULES, *_published_rules(results, "surv")),
        notes=_or_empty(results, "surv", notes),
    )


def subtyping_table(results: PlannedResults) -> PaperTable:
    """ACC, macro F1 and AUC of each model and classification cohort, their means over two or more, and as published."""
    has_mean = len(results.cohorts("cls")) > 1
    columns = ColumnGroup("cls", ("acc", "f1", "auc"), has_mean=has_mean, published="published")
    rows, notes = _model_rows(results, columns)
    return PaperTable(
        name="table2_subtyping",
        title="Subtyping, accuracy, macro F1 and AUC",
        header=("model", *columns.headers(results)),
        rows=rows,
        explanation=(*CELL_RULES, *_published_rules(results, "cls")),
        notes=_or_empty(results, "cls", notes),
    )


def ablation_table(results: PlannedResults) -> PaperTable:
    """MiCo and its three ablations: C-index of the survival cohorts, mean, published mean, AUC of the others."""
    survival = ColumnGroup("surv", ("c_index",), has_mean=True, published="published mean")
    subtyping = ColumnGroup("cls", ("auc",), has_mean=False)
    notes, rows = Footnotes(), []
    for variant in results.ablations():
        entries = [
            entry for columns in (survival, subtyping) for entry in group_entries(results, columns, variant, notes)
        ]
        rows.append(TableRow((_ablation_label(variant, results.main_formulation()),), tuple(entries)))
    return PaperTable(
        name="table3_ablations",
        title="Ablations of MiCo, C-index (survival) and AUC (subtyping)",
        header=("model", *survival.headers(results), *subtyping.headers(results)),
        rows=tuple(rows),
        explanation=(*CELL_RULES, *_published_rules(results, "surv")),
        notes=notes.lines(),
    )


def survival_metrics_table(results: PlannedResults) -> PaperTable:
    """Uno's C, time-dependent AUC and integrated Brier score: a row per survival cohort and model."""
    notes, rows = Footnotes(), []
    for dataset in results.cohorts("surv"):
        for variant in results.models("surv"):
            entries = []
            for metric in CORRECTED_FOR_CENSORING:
                cell = metric_cell(results, "surv", dataset, variant, metric)
                line = csv_line(results, "surv", dataset, variant, metric)
                entries.append(cell_entry(cell, line, notes, always_folds=True))
            rows.append(TableRow((dataset, variant.name), tuple(entries), group=dataset))
    return PaperTable(
        name="survival_metrics",
        title="Survival, further metrics",
        header=("data set", "model", *(METRIC_LABELS[name] for name in CORRECTED_FOR_CENSORING)),
        rows=tuple(rows),
        explanation=(
            CELL_RULES[0],
            "In brackets: the folds that define the metric; missing: planned, no results yet.",
            "IPCW C is Uno's C, td-AUC the time-dependent AUC averaged over the inner edges of the time bins, IBS "
            "the integrated Brier score (lower is better); censoring is estimated from the fold's training cases.",
            "Bold: the best of the complete cells of a column, within a data set.",
        ),
        notes=_or_empty(results, "surv", notes),
    )


def _model_rows(results: PlannedResults, columns: ColumnGroup) -> tuple[tuple[TableRow, ...], Footnotes]:
    notes = Footnotes()
    rows = [
        TableRow((variant.name,), tuple(group_entries(results, columns, variant, notes)))
        for variant in results.models(columns.task)
    ]
    return tuple(rows), notes


def _ablation_label(variant: Variant, main_formulation: str) -> str:
    if variant.formulation != main_formulation:
        return variant.name if variant.ablate else f"{variant.name}, full model"
    whole = Variant(variant.model, variant.formulation).name
    return variant.name.removeprefix(whole).strip() or "full model"


def _or_empty(results: PlannedResults, task: str, notes: Footnotes) -> tuple[str, ...]:
    if results.cohorts(task):
        return notes.lines()
    return (f"The plan has no {TASK_WORDS[task]} run.",)


def _published_rules(results: PlannedResults, task: str) -> list[str]:
    """What to know before comparing with the published columns."""
    theirs = {"surv": SURVIVAL_COHORTS, "cls": SUBTYPING_COHORTS}[task]
    ours = results.cohorts(task)
    rules = [
        f"Published figures are quoted from {SOURCE}; the tables of the paper were not at hand, and figures of single "
        "data sets are not known here. The paper calls ABMIL AMIL.",
    ]
    if task == "cls":
        rules.append(f"The published figures are of {listed(theirs)}; whether they are a mean is not said.")
    if ours and not are_published_cohorts(task, ours):
        kind = "means" if task == "surv" else "figures"
        rules.append(
            f"The two {kind} are over different data sets: ours over {listed(ours)}, the published one over "
            f"{listed(theirs)}."
        )
    numbers = {dataset: results.n_clusters(task, dataset) for dataset in ours}
    others = [f"{dataset} {n}" for dataset, n in numbers.items() if n not in (None, BEST_ANCHORS)]
    if others:
        rules.append(f"MiCo has another number of anchors here than the published {BEST_ANCHORS}: {listed(others)}.")
    return rules
