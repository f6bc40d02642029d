"""The paper's tables from finished runs, by their prediction files alone.

`python -m utils.paper PLAN.csv --output_dir DIR` writes the tables of the paper, further survival metrics, the
sweep over the number of anchors, comparisons of MiCo with the other models, and a README about all of them. The plan
lists the runs (see `utils.paper.run_plan`); runs that are not finished yet leave gaps, which the tables show.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from utils.errors import UserError
from utils.files.atomic import write_text
from utils.paper.anchor_sweep import sweep_table, write_sweep_figure
from utils.paper.comparisons import compare_models, comparison_files
from utils.paper.index import index_text
from utils.paper.layout import ablation_table, subtyping_table, survival_metrics_table, survival_table
from utils.paper.planned_results import load_results
from utils.paper.text import table_files
from utils.runs.run_record import DEFAULT_SEED
from utils.statistics.metrics import N_RESAMPLES


def write_paper_tables(
    plan: Path, output_dir: Path, *, seed: int = DEFAULT_SEED, n_resamples: int = N_RESAMPLES, notes: Sequence[str] = ()
) -> list[Path]:
    """Write all tables, the figure and README.md into `output_dir`, each atomically; returns their paths.

    Args:
        plan: the CSV file of `utils.paper.run_plan`.
        output_dir: made if it is not there; files of the same names are replaced.
        seed: of the bootstrap of the comparisons.
        n_resamples: of the same.
        notes: further deviations for README.md.

    Raises:
        UserError: the plan, a run.json or a prediction file cannot be used, or n_resamples or seed is impossible;
            nothing is written then.
    """
    if n_resamples < 1 or seed < 0:
        raise UserError(
            f"got --n_resamples {n_resamples} and --seed {seed}, expected at least 1 resample and a seed of 0 or more"
        )
    results = load_results(plan)
    makers = (survival_table, subtyping_table, ablation_table, survival_metrics_table, sweep_table)
    files = {name: text for make in makers for name, text in table_files(make(results)).items()}
    comparisons = compare_models(results, seed=seed, n_resamples=n_resamples)
    files |= comparison_files(comparisons, seed=seed, n_resamples=n_resamples)
    files["README.md"] = index_text(results, notes)
    for name, text in files.items():
        write_text(output_dir / name, text)
    return [*(output_dir / name for name in files), *write_sweep_figure(results, output_dir)]
