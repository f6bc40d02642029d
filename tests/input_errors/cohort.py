"""The small cohorts, anchors and finished runs that the cases damage, by relative paths of the working folder."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datasets.slides.features import write_slide

WIDTH, N_PATCHES, N_SLIDES = 16, 30, 12
SLIDES = [f"s{number:02d}" for number in range(1, N_SLIDES + 1)]
# Fold 0: six slides for training, three each for validation and test; fold 1 the other way round.
PARTS = ("train", "val", "test")
_SIZES = (6, 3, 3)

OPTIONS = "--features_dir features --embed_dim 16 --epochs 1 --device cpu --no_figures"
TRAINED = f"main.py --task cls --dataset toy --splits_dir splits --anchors random --n_clusters 8 {OPTIONS}"
MAIN = f"{TRAINED} --run_name new"
SURV = f"main.py --task surv --dataset toy --splits_dir surv --anchors random --n_clusters 8 --n_bins 2 {OPTIONS}"
CLUSTERING = "run_clustering.py --dataset_name toy --input_dir features --output_dir anchors --n_clusters 8"
MAKE_SPLITS = "python -m datasets.make_splits --labels labels.csv --output_dir out --n_folds 3"
RUN, COHORT = Path("results/cls/toy/mico_released"), Path("results/cls/toy/mico_released/predict/b")
PREDICT = f"main.py --stage predict --run_dir {RUN} --features_dir features --cohort b --device cpu --no_figures"
FOLD, FEATURES = Path("splits/fold0.csv"), Path("features/s03.h5")


def write_cohort(folder: Path) -> None:
    """Features, folds of both tasks, and label tables with the outcomes of both."""
    generator = torch.Generator().manual_seed(0)
    grid = torch.stack(torch.meshgrid(torch.arange(6), torch.arange(5), indexing="ij"), dim=-1).reshape(-1, 2) * 256
    for number, slide in enumerate(SLIDES):
        features = torch.randn(N_PATCHES, WIDTH, generator=generator) + number % 2
        write_slide(folder / "features" / f"{slide}.h5", features, grid, {"patch_size_level0": 256.0})
    for index in (0, 1):
        order = SLIDES if index == 0 else SLIDES[::-1]
        write_rows(folder / "splits" / f"fold{index}.csv", _fold(order, _label))
        write_rows(folder / "surv" / f"fold{index}.csv", _fold(order, _outcome))
    rows = [{"slide_id": s, "case_id": s.replace("s", "p"), **_label(s), **_outcome(s)} for s in SLIDES]
    write_rows(folder / "labels.csv", rows)


def _label(slide: str) -> dict[str, Any]:
    return {"label": int(slide[1:]) % 2}


def _outcome(slide: str) -> dict[str, Any]:
    number = int(slide[1:])
    return {"case_id": slide.replace("s", "p"), "survival_months": 3.5 * number, "censorship": int(number % 3 == 0)}


def _fold(order: Sequence[str], outcome: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in range(max(_SIZES))]
    begin = 0
    for part, size in zip(PARTS, _SIZES, strict=True):
        names = [f"{part}_{name}" for name in ("slide_id", *outcome(order[0]))]
        for row in rows:
            row.update(dict.fromkeys(names, ""))
        for row, slide in zip(rows, order[begin : begin + size], strict=False):
            row.update({f"{part}_{name}": value for name, value in {"slide_id": slide, **outcome(slide)}.items()})
        begin += size
    return rows


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def set_cell(path: Path, column: str, value: Any, row: int = 0) -> None:
    """Change a cell of a table."""
    rows = read_rows(path)
    rows[row][column] = value
    write_rows(path, rows)


def set_column(path: Path, column: str, change: Callable[[str], Any]) -> None:
    """Change all filled cells of a column."""
    rows = read_rows(path)
    for row in rows:
        row[column] = change(row[column]) if row[column] else ""
    write_rows(path, rows)


def drop_column(path: Path, column: str) -> None:
    """Take a column out of a table."""
    write_rows(path, [{name: cell for name, cell in row.items() if name != column} for row in read_rows(path)])


def replace_text(path: Path, old: str, new: str) -> None:
    """Change the first place of a text in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} holds no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def set_json(path: Path, **values: Any) -> None:
    """Change values of a JSON object; None takes one out."""
    record = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({name: value for name, value in record.items() if value is not None}, indent=2) + "\n")


def cut_file(path: Path, share: float = 0.5) -> None:
    """Keep the begin of a file only."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def random_numbers(*shape: int) -> np.ndarray:
    """Some float32 numbers, the same each time."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def as_pt(content: Any, slide: str = "s03") -> None:
    """Write a slide as a `.pt` file in the place of its `.h5`."""
    Path(f"features/{slide}.h5").unlink()
    torch.save(content, f"features/{slide}.pt")


def copy_template(template: Path, folder: Path) -> None:
    """A working folder of its own for a case."""
    shutil.copytree(template, folder)
