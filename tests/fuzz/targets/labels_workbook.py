"""A label table as an Excel workbook."""

from __future__ import annotations

import datetime
from pathlib import Path

import openpyxl

from tests.fuzz.targets import labels_text

SUFFIX = ".xlsx"
CHEAP = False


def seeds(folder: Path) -> list[Path]:
    """A sheet of classes and one of survival."""
    header, classes = ("slide_id", "case_id", "label"), ("A", "B")
    of_classes = [header, *((f"S{i}", i // 2, classes[i % 2]) for i in range(6))]
    day = datetime.datetime(2024, 5, 31)
    of_times = [
        ("slide", "patient", "OS_MONTHS", "OS_STATUS", "seen"),
        *((f"S{i}", i, i + 0.5, i % 2, day) for i in range(6)),
    ]
    paths = [folder / f"{number}{SUFFIX}" for number in range(2)]
    for path, rows in zip(paths, (of_classes, of_times), strict=True):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path)
    return paths


def read(path: Path) -> None:
    """As a table that is text."""
    labels_text.read(path)
