"""Which tables a plan calls for: a table of which nothing was planned is not written."""

from __future__ import annotations

from utils.paper.anchor_sweep import sweep_numbers
from utils.paper.planned_results import PlannedResults, Variant
from utils.runs.run_plan import MICO
from utils.runs.tasks import CLASSIFICATION, METRIC_WORDS, SURVIVAL

TABLES = {
    "table1_survival": "survival: C-index of each model and cohort; hazard ratio and log-rank p of the risk halves "
    "(`table1_logrank.csv`)",
    "table2_subtyping": "subtyping: accuracy, macro F1 and AUC of each model and cohort",
    "table3_ablations": "MiCo without one of its parts",
    "survival_metrics": f"survival: {METRIC_WORDS['c_index_ipcw']}, time-dependent AUC, integrated Brier score "
    "and skill",
    "anchor_sweep": "MiCo with different numbers of anchors (figure: `anchor_sweep.png`, `anchor_sweep.svg`)",
    "comparisons": "MiCo against each other model: paired differences, 95 % intervals, p values",
}


def planned_tables(results: PlannedResults) -> list[str]:
    """The tables of `TABLES` that have something to say, in their order.

    Those of a task need a run of it, the ablations one of them, the sweep two numbers of anchors, and the comparisons
    another model or ablation beside MiCo.
    """
    planned = results.runs
    tasks = {run.planned.task for run in planned}
    mico = Variant(MICO, results.main_formulation())
    others = {run.variant for run in planned} - {mico}
    is_planned = {
        "table1_survival": SURVIVAL.name in tasks,
        "table2_subtyping": CLASSIFICATION.name in tasks,
        "table3_ablations": any(variant.ablate for variant in others),
        "survival_metrics": SURVIVAL.name in tasks,
        "anchor_sweep": len(sweep_numbers(results)) > 1,
        "comparisons": bool(others) and any(run.variant.model == MICO for run in planned),
    }
    return [name for name in TABLES if is_planned[name]]


def files_of(name: str) -> list[str]:
    """The files of a table."""
    more = {"table1_survival": ["table1_logrank.csv"], "anchor_sweep": ["anchor_sweep.png", "anchor_sweep.svg"]}
    return [*(f"{name}.{ending}" for ending in ("csv", "md", "tex")), *more.get(name, [])]
