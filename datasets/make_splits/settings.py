"""The settings of a split that is made from a label table, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from datasets.folds.cases import TASKS
from datasets.make_splits.label_cases import TIME_UNITS
from utils.errors import UserError

# The settings that belong to one task, with what None stands for.
_OF_TASK: dict[str, dict[str, str | int | None]] = {
    "cls": {"label_column": "label", "classes": None},
    "surv": {
        "time_column": "survival_months",
        "event_column": None,
        "censor_column": None,
        "time_unit": None,
        "n_bins": 4,
    },
}
_LARGEST_SEED = 2**32 - 1  # of scikit-learn


@dataclass(frozen=True)
class SplitSettings:
    """Everything that decides a split: equal settings and tables give equal files.

    Attributes:
        labels: the label table, .csv or .csv.zip, one row per slide.
        output_dir: where fold{k}.csv and splits.json go.
        task: "cls" or "surv".
        label_column: the class (cls); None is `label`.
        classes: the classes in the order of their numbers 0..C-1 (cls); None is sorted order.
        time_column: survival or follow-up time (surv); None is `survival_months`.
        event_column, censor_column: the status (surv), one of the two; 1 = death observed, or 1 = censored.
        time_unit: "days" or "months" (surv); days are divided by 30.4375.
        case_column, slide_column: the ids.
        n_folds: folds, 2 or more.
        n_bins: time bins of the disc_label columns (surv); None is 4.
        seed: of everything random.
        site_preserving: whole TCGA tissue source sites instead of patients one by one.
        overwrite: replace the folds that are there.
    """

    labels: Path
    output_dir: Path
    task: str
    label_column: str = None  # type: ignore[assignment]  # filled in from the task, as time_column and n_bins are
    classes: tuple[str, ...] | None = None
    time_column: str = None  # type: ignore[assignment]
    event_column: str | None = None
    censor_column: str | None = None
    time_unit: str | None = None
    case_column: str = "case_id"
    slide_column: str = "slide_id"
    n_folds: int = 4
    n_bins: int = None  # type: ignore[assignment]
    seed: int = 2024
    site_preserving: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Fill in the defaults of the task; raise UserError for a setting that no split can have."""
        if self.task not in TASKS:
            raise UserError(f"--task is {self.task!r}: expected one of {', '.join(TASKS)}")
        self._fill_in()
        if self.task == "surv":
            self._check_survival()
        if self.n_folds < 2:
            raise UserError(f"--n_folds is {self.n_folds}: expected 2 or more")
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise UserError(f"--seed is {self.seed}: expected 0 to {_LARGEST_SEED}")

    def columns(self) -> list[str]:
        """Return the columns of the label table that are read."""
        names = (self.case_column, self.slide_column, self.label_column, self.time_column)
        return [name for name in (*names, self.event_column, self.censor_column) if name]

    def as_options(self) -> dict[str, str | int | list[str] | None]:
        """Return the settings as plain values, by option; those of the other task are left out."""
        others = _OF_TASK["surv" if self.task == "cls" else "cls"]
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in others}
        kinds = {Path: str, tuple: list}
        return {name: next((f(v) for kind, f in kinds.items() if isinstance(v, kind)), v) for name, v in values.items()}

    def _fill_in(self) -> None:
        for task, defaults in _OF_TASK.items():
            for name, default in defaults.items():
                given = getattr(self, name)
                if task == self.task and given is None:
                    object.__setattr__(self, name, default)
                elif task != self.task and given is not None:
                    raise UserError(f"--{name} belongs to --task {task}, and --task is {self.task}: leave one out")

    def _check_survival(self) -> None:
        status = [name for name in ("event_column", "censor_column") if getattr(self, name)]
        if len(status) != 1:
            raise UserError(
                f"{'both' if status else 'neither'} of --event_column (1 = death observed) and --censor_column (1 = "
                "censored) given: expected exactly one"
            )
        if self.time_unit not in TIME_UNITS:
            raise UserError(
                f"--time_unit is {self.time_unit or 'not given'}: expected days or months, the unit of column "
                f"{self.time_column}"
            )
        if self.n_bins < 2:
            raise UserError(f"--n_bins is {self.n_bins}: expected 2 or more")
