"""The paper's tables from finished runs, by their prediction files alone.

`python -m utils.paper_tables PLAN.csv --output_dir DIR` writes the tables of the paper, further survival metrics, the
sweep over the number of anchors, comparisons of MiCo with the other models, and a README about all of them. The plan
lists the runs (see `utils.run_plan`); runs that are not finished yet leave gaps, which the tables show.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.anchor_sweep import sweep_table, write_sweep_figure
from utils.arguments import OneLineParser
from utils.atomic import write_text
from utils.comparisons import compare_models, comparison_files
from utils.errors import UserError
from utils.metrics import N_RESAMPLES
from utils.paper_index import index_text
from utils.paper_layout import ablation_table, subtyping_table, survival_metrics_table, survival_table
from utils.paper_text import table_files
from utils.planned_results import load_results
from utils.run_record import DEFAULT_SEED


def write_paper_tables(
    plan: Path, output_dir: Path, *, seed: int = DEFAULT_SEED, n_resamples: int = N_RESAMPLES, notes: Sequence[str] = ()
) -> list[Path]:
    """Write all tables, the figure and README.md into `output_dir`, each atomically; returns their paths.

    Args:
        plan: the CSV file of `utils.run_plan`.
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


def get_args_parser() -> argparse.ArgumentParser:
    """The command line of `python -m utils.paper_tables`."""
    parser = OneLineParser("python -m utils.paper_tables", "Write the paper's tables from finished runs.")
    parser.add_argument("plan", type=Path, metavar="PLAN.csv", help="the runs that the tables are about")
    parser.add_argument(
        "--output_dir", type=Path, required=True, metavar="DIR", help="where the tables go", default=argparse.SUPPRESS
    )
    parser.add_argument("--n_resamples", type=int, default=N_RESAMPLES, help="bootstrap resamples of the comparisons")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of the bootstrap")
    parser.add_argument("--notes", type=Path, metavar="FILE", help="further deviations, one a line")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables and list their files; a mistake of the user is one sentence, status 2."""
    args = get_args_parser().parse_args(argv)
    options = {"seed": args.seed, "n_resamples": args.n_resamples}
    try:
        paths = write_paper_tables(args.plan, args.output_dir, **options, notes=read_notes(args.notes))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        place = error.filename2 or error.filename
        sys.stderr.write(f"error: {place}: cannot be written ({error.strerror}); check the folder's rights.\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


def read_notes(path: Path | None) -> list[str]:
    """The lines of a text file that are not blank; none without a file.

    Raises:
        UserError: the file cannot be read.
    """
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); give a text file to --notes.") from error
    return [line.strip() for line in lines if line.strip()]


if __name__ == "__main__":
    sys.exit(main())
