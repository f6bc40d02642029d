"""Prediction files of both tasks, as tables, figures and reports read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utils.runs.predictions import (
    classification_table,
    read_predictions,
    survival_table,
    with_outcomes,
    write_predictions,
)

SUFFIX = ".csv"
CASES, SLIDES = ["P1", "001", "ü"], [["s1", "s2"], ["s3"], ["s4"]]


def seeds(folder: Path) -> list[Path]:
    prob = np.array([[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]])
    hazard = np.array([[0.1, 0.2, 0.3]] * 3)
    label, event = np.array([1, 0, 0]), np.array([1, 0, 1])
    survival = (np.array([14.5, 3.0, 60.25]), event, np.array([1, 0, 2]), np.array([-1.5, 0.25, 1.0]), hazard)
    tables = {
        "cls.csv": classification_table(CASES, SLIDES, label, prob, ["benign", "malignant"]),
        "surv.csv": survival_table(CASES, SLIDES, *survival),
    }
    for name, table in tables.items():
        write_predictions(folder / name, table)
    return [folder / name for name in tables]


def read(path: Path) -> None:
    table = read_predictions(path, may_lack_outcomes=True)
    with_outcomes(table)
