"""The report of a run as its tests read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tests.utils.report.page_reader import PageReader
from utils.report.run_page import write_run_report
from utils.runs.predictions import classification_table


def read(run_dir: Path, *, n_resamples: int = 20) -> PageReader:
    return PageReader(write_run_report(run_dir, n_resamples=n_resamples).read_text(encoding="utf-8"))


def verdict_of(page: PageReader, start: str) -> str:
    return next(line for line in page.text.splitlines() if line.startswith(start))


def four_slides(prefix: str, positive: tuple[float, ...]) -> pd.DataFrame:
    ids = [f"{prefix}-{index}" for index in range(len(positive))]
    prob = np.stack([1 - np.array(positive), np.array(positive)], axis=1)
    return classification_table(ids, [[name] for name in ids], np.array([0, 0, 1, 1]), prob)


def slides_of_one_class() -> pd.DataFrame:
    return classification_table(["x", "y"], [["x"], ["y"]], np.array([1, 1]), np.array([[0.2, 0.8], [0.6, 0.4]]))
