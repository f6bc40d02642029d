"""Run folders and plans on disk, with tiny test folds whose metrics are worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from utils.runs.predictions import classification_table, survival_table, write_predictions

HEADER = "task,dataset,model,formulation,ablate,n_clusters,seed,run_dir"

# Deaths at 1, 2 and 3 months: three comparable pairs (1, 2), (1, 3), (2, 3). Risks of the three, and their C-index.
C_1 = (3.0, 2.0, 1.0)
C_5_6 = (2.0, 2.0, 1.0)  # the tie of (1, 2) counts one half: 2.5 of 3
C_2_3 = (2.0, 3.0, 1.0)  # (1, 2) is wrong
C_1_2 = (1.0, 1.0, 1.0)  # ties only
C_1_3 = (1.0, 3.0, 2.0)  # (2, 3) alone is right
C_0 = (1.0, 2.0, 3.0)

# Labels 0 1 0 1 and the probability of class 1.
#                                    predicted  ACC   F1 of 0, 1 -> macro   AUC
RIGHT = (0.1, 0.9, 0.2, 0.8)  #      0 1 0 1     1      1, 1       1         1
MIXED = (0.1, 0.4, 0.6, 0.8)  #      0 0 1 1    1/2   1/2, 1/2    1/2       3/4
ALL_0 = (0.1, 0.2, 0.3, 0.4)  #      0 0 0 0    1/2   2/3, 0      1/3       3/4


def survival_fold(risk: Sequence[float], *, event: Sequence[int] = (1, 1, 1), fold: int = 0) -> pd.DataFrame:
    """Three cases at 1, 2 and 3 months, other ones in each fold."""
    ids = [f"P{3 * fold + index}" for index in range(3)]
    slides = [[name] for name in ids]
    return survival_table(ids, slides, np.arange(1.0, 4), np.array(event), np.zeros(3), risk, np.full((3, 2), 0.5))


def classification_fold(positive: Sequence[float], *, label: Sequence[int] = (0, 1, 0, 1)) -> pd.DataFrame:
    """One slide per case."""
    ids = [f"P{index}" for index in range(len(positive))]
    prob = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    return classification_table(ids, [[name] for name in ids], np.array(label), prob)


class Plan:
    """A plan under construction: each call of `add` is a line of it, and a folder beside it unless `tables` is None."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lines = [HEADER]

    @property
    def path(self) -> Path:
        return self.root / "plan.csv"

    def add(
        self,
        task: str,
        dataset: str,
        tables: Mapping[int, pd.DataFrame] | None,
        *,
        model: str = "mico",
        formulation: str | None = None,
        ablate: str = "",
        k: int = 64,
        seed: int = 1,
        **record: Any,
    ) -> Path:
        """Add a run with these tables of test folds; `record` replaces entries of its `run.json`."""
        formulation = formulation or ("released" if model == "mico" else "none")
        name = "_".join(part for part in (task, dataset, model, formulation, ablate, str(k), str(seed)) if part)
        self.lines.append(f"{task},{dataset},{model},{formulation},{ablate},{k},{seed},{name}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        run_dir = self.root / name
        if tables is not None:
            run_dir.mkdir()
            run = {"task": task, "dataset": dataset, "model": model, "formulation": formulation, "seed": seed}
            run |= {"folds": sorted(tables), "splits": {f"fold{fold}.csv": f"sha{fold}" for fold in sorted(tables)}}
            run |= {"settings": {"n_clusters": k, "ablate": [ablate] if ablate else None}}
            (run_dir / "run.json").write_text(json.dumps(run | record), encoding="utf-8")
            for fold, table in tables.items():
                write_predictions(run_dir / f"fold{fold}" / "predictions_test.csv", table)
        return run_dir


def survival_folds(*risks: Sequence[float]) -> dict[int, pd.DataFrame]:
    """Folds 0, 1, ... with these risks."""
    return {fold: survival_fold(risk, fold=fold) for fold, risk in enumerate(risks)}


def classification_folds(*positives: Sequence[float]) -> dict[int, pd.DataFrame]:
    """Folds 0, 1, ... with these probabilities of class 1."""
    return {fold: classification_fold(positive) for fold, positive in enumerate(positives)}


def cells(markdown: str, *, table: int = 0) -> list[list[str]]:
    """The cells of a Markdown table in a page (the first one, unless `table` says another), header first."""
    blocks = [block for block in markdown.split("\n\n") if block.startswith("|")]
    lines = blocks[table].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]
