"""Which rows and columns the paper's tables have, and what stands below each."""

from __future__ import annotations

from dataclasses import replace

from utils.files.phrases import listed
from utils.paper.grids import (
    ColumnGroup,
    Footnotes,
    PaperTable,
    TableRow,
    cell_entry,
    csv_line,
    group_entries,
    metric_cell,
)
from utils.paper.logrank_table import logrank_table
from utils.paper.planned_results import PlannedResults, Variant
from utils.paper.published import BEST_ANCHORS, PUBLISHED_COHORTS, SOURCE, are_of_the_paper, are_published_cohorts
from utils.runs.tasks import CLASSIFICATION, CORRECTED_FOR_CENSORING, METRIC_WORDS, SURVIVAL

_FURTHER_METRICS = (*CORRECTED_FOR_CENSORING, "ibs_reference", "ibs_skill")
CELL_RULES = (
    "A cell is the mean ± population standard deviation over the test folds, of the mean over the seeds of each fold; "
    "one fold has no ±.",
    "In brackets stands what part of the planned folds, seeds or trainings (one fold with one seed) a cell is made of, "
    "of the folds with their own test cases; missing: planned, no results yet; not planned: not among the runs of the "
    "plan.",
    "A mean over data sets is the plain mean, and incomplete where a data set lacks folds.",
    "Bold: the best of the complete cells of a column of ours; it is no test of a difference.",
)


def survival_table(results: PlannedResults) -> PaperTable:
    """C-index of each model: a column per survival cohort, mean, published mean; below it log-rank p.

    Published figures stand beside cohorts of the paper only.
    """
    columns = _columns(results, SURVIVAL.name, SURVIVAL.compared, published="published mean", name_metric=False)
    table = _model_table(results, columns, name="table1_survival", title="Survival, C-index")
    return replace(table, below=logrank_table(results))


def subtyping_table(results: PlannedResults) -> PaperTable:
    """ACC, macro F1 and AUC of each model and classification cohort, their means over several, and as published."""
    columns = _columns(results, CLASSIFICATION.name, ("acc", "f1", "auc"), published="published")
    title = "Subtyping, accuracy, macro F1 and AUC"
    return _model_table(results, columns, name="table2_subtyping", title=title)


def ablation_table(results: PlannedResults) -> PaperTable:
    """MiCo and its planned ablations: C-index of the survival cohorts, mean, published mean, AUC of the others."""
    survival = _columns(results, SURVIVAL.name, SURVIVAL.compared, published="published mean")
    subtyping = ColumnGroup(CLASSIFICATION.name, (CLASSIFICATION.metric,), has_mean=False)
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
        explanation=(*CELL_RULES, *_published_rules(results, SURVIVAL.name)),
        notes=notes.lines(),
    )


def survival_metrics_table(results: PlannedResults) -> PaperTable:
    """Uno's C, time-dependent AUC, integrated Brier score with its reference: a row per survival cohort and model."""
    notes, rows = Footnotes(), []
    for dataset in results.cohorts(SURVIVAL.name):
        for variant in results.models(SURVIVAL.name):
            entries = []
            for metric in _FURTHER_METRICS:
                cell = metric_cell(results, SURVIVAL.name, dataset, variant, metric)
                line = csv_line(results, SURVIVAL.name, dataset, variant, metric)
                entries.append(cell_entry(cell, line, notes, always_folds=True))
            rows.append(TableRow((dataset, variant.name), tuple(entries), group=dataset))
    return PaperTable(
        name="survival_metrics",
        title="Survival, further metrics",
        header=("data set", "model", *(METRIC_WORDS[name] for name in _FURTHER_METRICS)),
        rows=tuple(rows),
        explanation=(
            CELL_RULES[0],
            "In brackets: the folds that define the metric, with their test cases and deaths where they are not all; "
            "missing: planned, no results yet.",
            "AUC(t) is the time-dependent AUC averaged over the inner edges of the time bins, IBS the "
            "integrated Brier score (lower is better); censoring is estimated from the fold's training cases. IBS of "
            "Kaplan-Meier is that of the training cases' Kaplan-Meier curve, the same for every case; IBS skill is 1 - "
            "IBS / IBS of Kaplan-Meier: at 0 or below, the model's survival curves are no better than that curve.",
            "Bold: the best of the complete cells of a column, within a data set; it is no test of a difference.",
        ),
        notes=notes.lines(),
    )


def _model_table(results: PlannedResults, columns: ColumnGroup, *, name: str, title: str) -> PaperTable:
    """A row per model of a task."""
    notes, models = Footnotes(), results.models(columns.task)
    rows = [TableRow((variant.name,), tuple(group_entries(results, columns, variant, notes))) for variant in models]
    return PaperTable(
        name=name,
        title=title,
        header=("model", *columns.headers(results)),
        rows=tuple(rows),
        explanation=(*CELL_RULES, *_published_rules(results, columns.task)),
        notes=notes.lines(),
    )


def _columns(
    results: PlannedResults, task: str, metrics: tuple[str, ...], *, published: str, name_metric: bool = True
) -> ColumnGroup:
    """The columns of a task: a mean over two cohorts or more, published figures beside cohorts of the paper only."""
    cohorts = results.cohorts(task)
    shown = published if are_of_the_paper(task, cohorts) else ""
    return ColumnGroup(task, metrics, has_mean=len(cohorts) > 1, published=shown, name_metric=name_metric)


def _ablation_label(variant: Variant, main_formulation: str) -> str:
    if variant.formulation != main_formulation:
        return variant.name if variant.ablate else f"{variant.name}, full model"
    whole = Variant(variant.model, variant.formulation).name
    return variant.name.removeprefix(whole).strip() or "full model"


def _published_rules(results: PlannedResults, task: str) -> list[str]:
    """What to know before comparing with the published columns."""
    theirs, ours = PUBLISHED_COHORTS[task], results.cohorts(task)
    if not are_of_the_paper(task, ours):
        return []
    rules = [
        f"Published figures are quoted from {SOURCE}; the tables of the paper were not at hand, and figures of single "
        "data sets are not known here. The paper calls ABMIL AMIL.",
    ]
    if task == CLASSIFICATION.name:
        rules.append(f"The published figures are of {listed(theirs)}; whether they are a mean is not said.")
    if not are_published_cohorts(task, ours):
        kind = "means" if task == SURVIVAL.name else "figures"
        rules.append(
            f"The two {kind} are over different data sets: ours over {listed(ours)}, the published one over "
            f"{listed(theirs)}."
        )
    numbers = {dataset: results.n_clusters(task, dataset) for dataset in ours}
    others = [f"{dataset} {n}" for dataset, n in numbers.items() if n not in (None, BEST_ANCHORS)]
    if others:
        rules.append(f"MiCo has another number of anchors here than the published {BEST_ANCHORS}: {listed(others)}.")
    return rules
