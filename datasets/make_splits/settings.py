"""The settings of a split that is made from a label table, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from datasets.folds.cases import TASKS
from datasets.folds.survival_bins import MOST_BINS
from datasets.make_splits.label_options import OF_TASK, LabelOptions, check_label_options
from datasets.make_splits.recorded import recorded_option
from utils.command.arguments import REQUIRED, option
from utils.errors import UserError

_N_BINS = 4
LARGEST_SEED = 2**32 - 1  # of scikit-learn


@dataclass(frozen=True, kw_only=True)
class SplitSettings(LabelOptions):
    """Everything that decides a split: equal settings, tables and feature files give equal folds."""

    labels: Path = option(
        REQUIRED, "the label table: .csv, .tsv, .txt or .xlsx, by itself or in a .zip or .gz", role="place"
    )
    output_dir: Path = option(REQUIRED, "fold{k}.csv and splits.json go here", role="place")
    task: str = option(REQUIRED, "cls (classes) or surv (survival times)", choices=TASKS)
    features_dir: tuple[Path, ...] | None = option(
        None,
        "directories of feature files: their slides are joined with a table of patients, and compared with a table of "
        "slides",
        role="place",
    )
    n_folds: int = option(4, "folds, 2 or more")
    n_bins: int | None = option(None, "surv: time bins of the disc_label columns (default: 4)")
    seed: int = option(2024, "seed of the folds")
    site_preserving: bool = option(False, "keep each TCGA tissue source site in one part of a fold")
    overwrite: bool = option(False, "replace the folds that are in OUTPUT_DIR", role="run")

    def __post_init__(self) -> None:
        """Fill in the number of bins; raise UserError for a setting that no split can have."""
        if self.task not in TASKS:
            raise UserError(f"--task is {self.task!r}: expected one of {', '.join(TASKS)}")
        check_label_options(self, self.task)
        if self.task == "surv":
            object.__setattr__(self, "n_bins", _N_BINS if self.n_bins is None else self.n_bins)
        elif self.n_bins is not None:
            raise UserError(f"--n_bins belongs to --task surv, and --task is {self.task}: leave one out")
        if self.n_bins is not None and not 2 <= self.n_bins <= MOST_BINS:
            raise UserError(f"--n_bins is {self.n_bins}: expected 2 to {MOST_BINS:,}")
        if self.n_folds < 2:
            raise UserError(f"--n_folds is {self.n_folds}: expected 2 or more")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise UserError(f"--seed is {self.seed}: expected 0 to {LARGEST_SEED}")

    def as_options(self) -> dict[str, Any]:
        """Return the settings as JSON values, by option; paths are names, and those of the other task are left out."""
        others = (*OF_TASK["surv"], "n_bins") if self.task == "cls" else OF_TASK["cls"]
        return {
            field.name: recorded_option(getattr(self, field.name)) for field in fields(self) if field.name not in others
        }
