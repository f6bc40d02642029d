"""What a fold is made of: cases with their slides and outcome, in three parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PARTS = ("train", "val", "test")
TASKS = ("cls", "surv")

# TCGA: project, tissue source site, participant. CPTAC: the case ids C3L-00001 and C3N-00001.
_BARCODE = re.compile(r"(?:TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}|C3[LN]-\d{5})(?![A-Z0-9])", re.IGNORECASE)


@dataclass(frozen=True)
class Case:
    """What one row of predictions is about: one slide (cls), or all slides of a patient (surv, cls by patient).

    Attributes:
        case_id: the patient.
        slide_ids: the slides, in the order of the split file; exactly one in classification, unless patients are
            bags (`datasets.folds.units`).
        label: class 0..C-1 (cls only).
        time: survival or follow-up time in months (surv only).
        censored: 1 = censored, 0 = event (surv only).
        bin: time bin 0..n_bins-1 (surv only).
    """

    case_id: str
    slide_ids: tuple[str, ...]
    label: int | None = None
    time: float | None = None
    censored: int | None = None
    bin: int | None = None


@dataclass(frozen=True)
class Fold:
    """One fold of a split: the cases to train on, to choose the epoch by, and to test on.

    Attributes:
        index: k of `fold{k}.csv`.
        path: the split file.
        task: "cls" or "surv".
        n_outputs: number of classes (cls) or of time bins (surv).
        train, val, test: the cases, in the order of the file.
        warnings: what the checks let pass but a summary should say, each one sentence.
        class_names: the names of the classes, in the order of their numbers, where the folder of the splits has them.
    """

    index: int
    path: Path
    task: str
    n_outputs: int
    train: tuple[Case, ...]
    val: tuple[Case, ...]
    test: tuple[Case, ...]
    warnings: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None

    def part(self, name: str) -> tuple[Case, ...]:
        """Return the cases of "train", "val" or "test"; any other name is a ValueError."""
        parts = {"train": self.train, "val": self.val, "test": self.test}
        if name not in parts:
            raise ValueError(f"a fold has no part {name!r}: expected one of {', '.join(PARTS)}")
        return parts[name]

    def slides(self, *names: str) -> list[str]:
        """Return the slides of these parts, or of all, in order."""
        return [slide_id for name in names or PARTS for case in self.part(name) for slide_id in case.slide_ids]


def patient_of(identifier: str) -> str:
    """Return the patient behind a slide or case id: that of a barcode of TCGA or CPTAC in capitals, else the id itself.

    A TCGA barcode names its patient in the first 12 characters, an id of CPTAC in the first 9.

    >>> patient_of("TCGA-2F-A9KO-01Z-00-DX1.195576CF-B739-4BD9-B15B-4A70AE287D3E"), patient_of("tcga-2f-a9ko-01z")
    ('TCGA-2F-A9KO', 'TCGA-2F-A9KO')
    >>> patient_of("C3L-00001-21"), patient_of("SYN-0001-S1")
    ('C3L-00001', 'SYN-0001-S1')
    """
    barcode = _BARCODE.match(identifier)
    return barcode.group().upper() if barcode else identifier
