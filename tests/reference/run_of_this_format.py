"""A small run, as this version of the code leaves it behind: `tests/data/run_format_{n}` holds one of each format.

    python -m tests.reference.run_of_this_format

writes that of the present format (`utils.files.format_version.VERSION`), once, when the format changes; those of before
stay as they are, and `tests/commands/test_earlier_formats.py` goes on with every one.
"""

from __future__ import annotations

import os
from pathlib import Path

import main
import run_clustering
from datasets.synthetic.cohort import CohortSettings, make_cohort
from utils.files.format_version import VERSION

DATA = Path(__file__).parents[1] / "data"
COHORT = CohortSettings(task="surv", n_cases=16, slides_per_case=(1, 2), patches_per_slide=(10, 14), dim=4, n_folds=2,
                        n_bins=2, dtype="float16", file_format="pt")  # fmt: skip
ANCHORS = (
    "--dataset_name", "toy", "--n_clusters", "4", "--scope", "dataset", "--input_dir", "features",
    "--output_dir", "anchors", "--fold_csv", "splits/fold0.csv", "splits/fold1.csv",
)  # fmt: skip
RUN = (
    "--task", "surv", "--dataset", "toy", "--features_dir", "features", "--splits_dir", "splits", "--n_bins", "2",
    "--anchors", "anchors/toy_C_4_init_fold{fold}.pt", "--n_clusters", "4", "--embed_dim", "4", "--n_stages", "2",
    "--epochs", "3", "--lr", "0.01", "--device", "cpu", "--num_workers", "0", "--no_figures",
)  # fmt: skip
RUN_DIR = Path("results/surv/toy/mico_released")


def call(*arguments: str) -> int:
    """`python main.py ...` in this process."""
    return main.main(main.parse_arguments(arguments))


def make(folder: Path) -> None:
    """Write cohort, anchors and run into a new folder; paths in the run are relative to it."""
    folder.mkdir(parents=True)
    cohort = make_cohort(folder / "cohort", COHORT)
    cohort.features_dir.rename(folder / "features")
    cohort.splits_dir.rename(folder / "splits")
    for path in sorted((folder / "cohort").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (folder / "cohort").rmdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert run_clustering.main(run_clustering.get_args_parser().parse_args(ANCHORS)) == 0
        assert call(*RUN) == 0
    finally:
        os.chdir(before)


if __name__ == "__main__":
    make(DATA / f"run_format_{VERSION}")
