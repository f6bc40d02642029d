"""From a table of cohorts to the runs behind the paper's tables: their plan, and the calls that make them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.folds.cases import TASKS
from models import MODELS, options_of
from script.job_queue import Job
from utils.errors import UserError
from utils.runs.run_plan import COLUMNS

COLUMNS_OF_TABLE = ("name", "task", "features", "splits", "scale of features", "graph")
GRAPHS = options_of("patchgcn")["graph"].choices or ()
ABLATIONS = options_of("mico")["ablate"].choices or ()
CHOICES = {"task": TASKS, "scale of features": ("none", "l2", "zscore"), "graph": GRAPHS}
# Options that tell the runs of a plan apart: given for all of them they would make other runs than the plan says.
RESERVED = (
    *("--task", "--dataset", "--features_dir", "--splits_dir", "--anchors", "--folds", "--model", "--formulation"),
    *("--n_clusters", "--ablate", "--graph", "--seed", "--results_dir", "--run_name", "--feature_norm", "--on_missing"),
    *("--stage", "--resume", "--overwrite", "--on_change"),
)
OVERLAP = "--allow_patient_overlap"  # of both commands: each checks the patients of the folds
VERIFY = "--verify"  # of both commands: each looks at the features


def options_of_both(words: Sequence[str]) -> list[str]:
    """Those options of `main.py` that go to `run_clustering.py` too.

    >>> options_of_both(["--lr", "0.1", "--verify", "full", "--allow_patient_overlap"])
    ['--verify', 'full', '--allow_patient_overlap']
    """
    return [
        word
        for word, before in zip(words, ["", *words], strict=False)
        if word.split("=")[0] in (OVERLAP, VERIFY) or before == VERIFY
    ]


@dataclass(frozen=True)
class Cohort:
    """A line of the table of cohorts; `options` go to every run of it."""

    name: str
    task: str
    features: str
    splits: str
    feature_norm: str
    graph: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is run of each cohort.

    Attributes:
        models: baselines, beside MiCo.
        ablations: parts that MiCo is trained without.
        n_clusters: anchors of MiCo in the tables.
        sweep: numbers of anchors of the sweep.
        seeds: of the runs.
    """

    models: tuple[str, ...]
    ablations: tuple[str, ...]
    n_clusters: int
    sweep: tuple[int, ...]
    seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        """Validate the plan: everything in it exists, and nothing is run twice."""
        _check_known("model", self.models, [name for name in MODELS if name != "mico"])
        _check_known("ablation", self.ablations, ABLATIONS)
        for name, values in (("model", self.models), ("ablation", self.ablations), ("seed", self.seeds)):
            twice = sorted({value for value in values if values.count(value) > 1}, key=str)
            if twice:
                raise UserError(f"got the {name} {twice[0]} twice, expected each once")
        if min(self.numbers) < 1 or min(self.seeds) < 0:
            raise UserError(f"got anchors {self.numbers} and seeds {list(self.seeds)}, expected 1 or more, 0 or more")

    @property
    def numbers(self) -> list[int]:
        """All numbers of anchors."""
        return sorted({self.n_clusters, *self.sweep})


@dataclass(frozen=True)
class PlannedRun:
    """One run of `main.py`: a line of the plan (see `utils.runs.run_plan`)."""

    cohort: Cohort
    model: str
    seed: int
    n_clusters: int
    ablate: str = ""

    @property
    def name(self) -> str:
        """`--run_name`."""
        form = f"_released{'_no_' + self.ablate if self.ablate else ''}_k{self.n_clusters}"
        return f"{self.model}{form if self.model == 'mico' else ''}_seed{self.seed}"

    @property
    def options(self) -> list[str]:
        """The options of `main.py` that tell it from the cohort's other runs."""
        options = ["--model", self.model, "--n_clusters", str(self.n_clusters), "--seed", str(self.seed)]
        options += ["--ablate", self.ablate] if self.ablate else []
        return options + (["--graph", self.cohort.graph] if "graph" in options_of(self.model) else [])


def read_cohorts(table: str) -> list[Cohort]:
    """The cohorts of a table: a line each, columns separated by blanks, `#` in front of remarks.

    Raises:
        UserError: for a line with too few columns or an unknown word, the same cohort twice, or no cohort.
    """
    cohorts: list[Cohort] = []
    for number, line in enumerate(table.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"line {number} of the table of cohorts ('{line.strip()}')"
        if len(words) < len(COLUMNS_OF_TABLE):
            expected = f"{', '.join(COLUMNS_OF_TABLE)}, then options of main.py"
            raise UserError(f"found {len(words)} columns in {where}, expected at least 6: {expected}")
        for column, word in zip(COLUMNS_OF_TABLE, words, strict=False):
            if word not in CHOICES.get(column, (word,)):
                raise UserError(f"found {column} '{word}' in {where}, expected one of {', '.join(CHOICES[column])}")
        name, task, features, splits, feature_norm, graph, *options = words
        check_options(options)
        cohort = Cohort(name, task, features, splits, feature_norm, graph, tuple(options))
        if any((other.name, other.task) == (cohort.name, cohort.task) for other in cohorts):
            raise UserError(f"found {cohort.name} twice with task {cohort.task} in the table of cohorts, expected once")
        cohorts.append(cohort)
    if not cohorts:
        raise UserError(f"found no cohort in the table of cohorts, expected lines of {', '.join(COLUMNS_OF_TABLE)}")
    return cohorts


def check_options(options: Sequence[str]) -> None:
    """Check that no option of `main.py` is among those that the plan sets itself.

    Raises:
        UserError: with the option.
    """
    for option in options:
        if option.split("=")[0] in RESERVED:
            raise UserError(
                f"got {option} among the options of main.py, which the script sets for each run: use the script's "
                "variables and the table of cohorts"
            )


def plan_runs(cohorts: Sequence[Cohort], plan: Plan) -> list[PlannedRun]:
    """All runs, cohort by cohort and seed by seed: MiCo, the other models, the ablations, the sweep."""
    runs = []
    for cohort in cohorts:
        for seed in plan.seeds:
            runs.append(PlannedRun(cohort, "mico", seed, plan.n_clusters))
            runs += [PlannedRun(cohort, model, seed, plan.n_clusters) for model in plan.models]
            runs += [PlannedRun(cohort, "mico", seed, plan.n_clusters, part) for part in plan.ablations]
            runs += [PlannedRun(cohort, "mico", seed, k) for k in plan.numbers if k != plan.n_clusters]
    return runs


def plan_text(runs: Sequence[PlannedRun]) -> str:
    """The plan as CSV, for a file in `RESULTS/tables/`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        where = f"../{run.cohort.task}/{run.cohort.name}/{run.name}"
        form = "released" if run.model == "mico" else "none"
        identity = (run.cohort.task, run.cohort.name, run.model, form, run.ablate, run.n_clusters, run.seed)
        writer.writerow((*identity, where))
    return text.getvalue()


def anchor_jobs(cohort: Cohort, plan: Plan, anchors_dir: Path, logs: Path, more: Sequence[str]) -> Iterator[Job]:
    """Fitting the anchors of each fold of a cohort, a job for each number of anchors."""
    fold_csvs = sorted(str(path) for path in Path(cohort.splits).glob("fold*.csv"))
    for k in plan.numbers:
        arguments = ["--dataset_name", cohort.name, "--n_clusters", str(k), "--scope", "dataset"]
        arguments += ["--input_dir", cohort.features, "--output_dir", str(anchors_dir / cohort.task)]
        # Without fold files the first name is given, so that it is the one that is said to be missing.
        arguments += ["--fold_csv", *(fold_csvs or [str(Path(cohort.splits) / "fold0.csv")])]
        arguments += ["--feature_norm", cohort.feature_norm, *more]
        arguments += [OVERLAP] if OVERLAP in cohort.options and OVERLAP not in more else []
        log = logs / f"{cohort.task}_{cohort.name}_anchors_{k}.log"
        yield Job(_anchors_label(cohort, k), "run_clustering", tuple(arguments), log)


def run_job_of(run: PlannedRun, anchors_dir: Path, results_dir: Path, logs: Path, more: Sequence[str]) -> Job:
    """The call of `main.py` for a run, which keeps finished folds; `more` goes to all runs."""
    cohort = run.cohort
    anchors = anchors_dir / cohort.task / f"{cohort.name}_C_{run.n_clusters}_init_fold{{fold}}.pt"
    arguments = ["--task", cohort.task, "--dataset", cohort.name, "--features_dir", cohort.features]
    arguments += ["--splits_dir", cohort.splits, "--anchors", str(anchors), "--run_name", run.name]
    arguments += ["--results_dir", str(results_dir), "--resume"]
    arguments += [*run.options, *cohort.options, *more]
    log = logs / f"{cohort.task}_{cohort.name}_{run.name}.log"
    label = f"{cohort.name} ({cohort.task}), {run.name}"
    return Job(label, "main", tuple(arguments), log, needs=_anchors_label(cohort, run.n_clusters))


def _anchors_label(cohort: Cohort, k: int) -> str:
    return f"{cohort.name} ({cohort.task}), {k} anchors"


def _check_known(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    for item in given:
        if item not in known:
            raise UserError(f"got the {name} '{item}', expected some of {', '.join(known)}")
