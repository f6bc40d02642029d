"""The settings of a synthetic cohort, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.folds.cases import TASKS
from datasets.folds.stratified_folds import fewest_items
from utils.errors import UserError

# What the outcome depends on, by task; the first of each is the default.
SIGNALS = {"surv": ("proportion",), "cls": ("decisive", "cooccurrence", "proportion")}
DTYPES = ("float32", "float16", "bfloat16", "float64")
FILE_FORMATS = ("h5", "pt")
_SITES = 7919  # keeps the generators of sites apart from those of slides


@dataclass(frozen=True)
class CohortSettings:
    """Everything that decides a synthetic cohort: equal settings give equal files.

    Attributes:
        task: "surv" or "cls" (two classes).
        signal: what the outcome depends on. "proportion": the share of aggressive tissue types in the case. "decisive":
            a few contiguous patches of tissue type 0 in each slide of class 1, none in class 0. "cooccurrence": class 1
            has one region of tissue type 0 and one of type 1 far apart, class 0 has two such regions of one and the
            same type (0 or 1), so that only the two together tell. None is the default of the task: proportion for
            surv, decisive for cls.
        n_cases: patients.
        slides_per_case: fewest and most slides of a patient; None is (1, 3) for surv, (1, 1) for cls.
        patches_per_slide: fewest and most patches of a slide.
        dim: features per patch.
        n_tissues: tissue types, each a Gaussian around its prototype; prototypes are standard normal.
        noise: standard deviation around the prototype.
        strength: log hazard (surv) or log odds (cls, proportion) per standard deviation of the signal.
        censored_fraction: share of censored cases (surv); censoring does not depend on the signal.
        decisive_patches: fewest and most decisive patches of a positive slide (decisive).
        region_fraction: share of the slide in each of the two regions (cooccurrence).
        patch_size_level0: side of a patch and spacing of the grid, in level-0 pixels.
        n_folds, n_bins: folds, and time bins of their survival columns.
        shuffle_labels: outcomes permuted over cases, so that there is nothing to learn.
        dtype, file_format: how features are written; "h5" and "pt" both hold the coordinates.
        site: 0, or the number of another hospital: the same tissue types and signal, other patients (ids SYN1-0001).
        shift: length by which all features of the site are moved, in one random direction, as by another scanner.
        seed: of everything random.
    """

    task: str = "surv"
    signal: str = None  # type: ignore[assignment]  # filled in from the task by __post_init__, as slides_per_case is
    n_cases: int = 60
    slides_per_case: tuple[int, int] = None  # type: ignore[assignment]
    patches_per_slide: tuple[int, int] = (150, 400)
    dim: int = 32
    n_tissues: int = 6
    noise: float = 1.0
    strength: float = 1.6
    censored_fraction: float = 0.3
    decisive_patches: tuple[int, int] = (4, 8)
    region_fraction: float = 0.1
    patch_size_level0: int = 448
    n_folds: int = 4
    n_bins: int = 4
    shuffle_labels: bool = False
    dtype: str = "float32"
    file_format: str = "h5"
    site: int = 0
    shift: float = 0.0
    seed: int = 2024

    def __post_init__(self) -> None:
        _require(self.task in TASKS, "task", self.task, f"one of {', '.join(TASKS)}")
        if self.signal is None:
            object.__setattr__(self, "signal", SIGNALS[self.task][0])
        if self.slides_per_case is None:
            object.__setattr__(self, "slides_per_case", (1, 3) if self.task == "surv" else (1, 1))
        signals = SIGNALS[self.task]
        _require(self.signal in signals, "signal", self.signal, f"one of {', '.join(signals)} for {self.task}")
        _require(self.dtype in DTYPES, "dtype", self.dtype, f"one of {', '.join(DTYPES)}")
        _require(self.file_format in FILE_FORMATS, "file_format", self.file_format, f"one of {', '.join(FILE_FORMATS)}")
        _require(
            (self.dtype, self.file_format) != ("bfloat16", "h5"), "dtype", self.dtype, "float16, or file_format pt"
        )
        self._check_numbers()
        self._check_strata()

    @property
    def prefix(self) -> str:
        """What the ids of cases and slides begin with."""
        return f"SYN{self.site or ''}"

    def generator(self, *purpose: int) -> np.random.Generator:
        """A generator of random numbers for a purpose, of this site."""
        return np.random.default_rng([self.seed, *purpose, *([_SITES, self.site] if self.site else [])])

    def _check_numbers(self) -> None:
        for name, least in (("slides_per_case", 1), ("patches_per_slide", 10), ("decisive_patches", 1)):
            low, high = getattr(self, name)
            _require(least <= low <= high, name, f"{low} {high}", f"two integers, {least} or more, the smaller first")
        for name, least in (("n_cases", 6), ("dim", 1), ("n_tissues", 3), ("patch_size_level0", 1), ("n_folds", 2)):
            _require(getattr(self, name) >= least, name, getattr(self, name), f"{least} or more")
        _require(self.n_bins >= 2, "n_bins", self.n_bins, "2 or more")
        _require(self.noise >= 0, "noise", self.noise, "0 or more")
        _require(0 <= self.censored_fraction < 1, "censored_fraction", self.censored_fraction, "0 or more and below 1")
        _require(0 < self.region_fraction <= 0.4, "region_fraction", self.region_fraction, "above 0 and at most 0.4")
        for name in ("site", "shift", "seed"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        fits = self.decisive_patches[1] <= self.patches_per_slide[0]
        _require(fits, "decisive_patches", self.decisive_patches[1], "at most the fewest patches of a slide")

    def _check_strata(self) -> None:
        """Refuse a cohort too small for its folds before any slide is made."""
        n_second = self.n_cases // 2 if self.task == "cls" else round(self.censored_fraction * self.n_cases)
        smallest = min(n_second, self.n_cases - n_second) if n_second else self.n_cases
        expected = f"enough for {self.n_folds} folds (the rarer outcome has {smallest} cases), or fewer n_folds"
        _require(smallest >= fewest_items(self.n_folds), "n_cases", self.n_cases, expected)


def _require(holds: bool, name: str, found: object, expected: str) -> None:
    if not holds:
        raise UserError(f"the cohort setting {name} is {found}: expected {expected}")
