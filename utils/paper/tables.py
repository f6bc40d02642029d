"""The paper's tables from finished runs, by their prediction files alone.

`python -m utils.paper PLAN.csv --output_dir DIR` writes the tables of the paper, further survival metrics, the
sweep over the number of anchors, comparisons of MiCo with the other models, and a README about all of them; those of
which the plan has nothing are left out. The plan lists the runs (see `utils.runs.run_plan`); runs that are not
finished yet leave gaps, which the tables show.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.files.atomic import write_text
from utils.paper import anchor_sweep, comparisons
from utils.paper.anchor_sweep import sweep_table, write_sweep_figure
from utils.paper.comparisons import compare_models, comparison_files
from utils.paper.index import index_text
from utils.paper.layout import ablation_table, subtyping_table, survival_metrics_table, survival_table
from utils.paper.planned_results import load_results
from utils.paper.planned_tables import TABLES, files_of, planned_tables
from utils.paper.text import table_files

MAKERS = {
    "table1_survival": survival_table,
    "table2_subtyping": subtyping_table,
    "table3_ablations": ablation_table,
    "survival_metrics": survival_metrics_table,
    "anchor_sweep": sweep_table,
}


def write_paper_tables(plan: Path, output_dir: Path, *, notes: Sequence[str] = ()) -> list[Path]:
    """Write the tables that the plan calls for, the figure and README.md into `output_dir`, each atomically.

    Tables of an earlier plan that this one does not call for are removed.

    Args:
        plan: the CSV file of `utils.runs.run_plan`.
        output_dir: made if it is not there; files of the same names are replaced.
        notes: further deviations for README.md.

    Returns:
        The files written.

    Raises:
        UserError: the plan, a run.json or a prediction file cannot be used; nothing is written then.
    """
    results = load_results(plan)
    planned = planned_tables(results)
    files = {
        file: text for name in planned if name in MAKERS for file, text in table_files(MAKERS[name](results)).items()
    }
    if comparisons.NAME in planned:
        files |= comparison_files(compare_models(results))
    files["README.md"] = index_text(results, notes)
    for name, text in files.items():
        write_text(output_dir / name, text)
    figures = write_sweep_figure(results, output_dir) if anchor_sweep.NAME in planned else []
    for table in set(TABLES) - set(planned):
        for name in files_of(table):
            (output_dir / name).unlink(missing_ok=True)
    return [*(output_dir / name for name in files), *figures]
