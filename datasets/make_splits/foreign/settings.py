"""The settings of a conversion, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datasets.folds.cases import TASKS
from datasets.folds.survival_bins import MOST_BINS
from datasets.make_splits.label_options import LabelOptions, check_label_options
from datasets.make_splits.settings import LARGEST_SEED
from utils.command.arguments import REQUIRED, option
from utils.errors import UserError

# Layout -> what it is. Those with labels in the files of the folds take no label table.
LAYOUTS = {
    "clam": "splits_{k}.csv with columns train, val and test of slides, and a label table",
    "survpath": "splits_{k}.csv with columns train and val of patients, and a label table; also Patch-GCN and MCAT",
    "transmil": "fold{k}.csv with columns train, train_label, val, val_label, test and test_label",
    "panther": "folders NAME_k={k}, or one folder, of train.csv, val.csv and test.csv with labels",
    "mico": "fold{k}.csv as this repository writes them",
}
NEEDS_TABLE = ("clam", "survpath")


@dataclass(frozen=True, kw_only=True)
class ForeignSettings(LabelOptions):
    """What decides a conversion, beside the layout and the place of the splits."""

    output_dir: Path = option(REQUIRED, "fold{k}.csv and splits.json go here", role="place")
    task: str = option(REQUIRED, "cls (classes) or surv (survival times)", choices=TASKS)
    features_dir: tuple[Path, ...] | None = option(
        None,
        "clam, survpath: directories of feature files, whose slides are joined with a label table of patients",
        role="place",
    )
    n_bins: int = option(4, "surv: time bins of the disc_label columns")
    val_fraction: float = option(
        0.2, "share of the training patients that becomes the validation part of a fold that has none of its own"
    )
    seed: int = option(2024, "seed of these validation parts")
    on_missing: str = option(
        "error",
        "what to do about ids of the splits that the label table does not have: stop, or leave them out",
        choices=("error", "drop"),
    )
    allow_patient_overlap: bool = option(False, "accept patients who are in two of train, val and test")
    overwrite: bool = option(False, "replace the folds that are in OUTPUT_DIR", role="run")

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_label_options(self, self.task, needs_table=False)
        if not 2 <= self.n_bins <= MOST_BINS:
            raise UserError(f"--n_bins is {self.n_bins}: expected 2 to {MOST_BINS:,}")
        if not 0 < self.val_fraction < 1:
            raise UserError(f"--val_fraction is {self.val_fraction}: expected a share between 0 and 1")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise UserError(f"--seed is {self.seed}: expected 0 to {LARGEST_SEED}")
