"""What is killed: trainings, anchors and predictions of a tiny cohort, and how a user goes on with each of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.soak.comparison import contents
from tests.soak.processes import Call, Workshop

COHORTS = {
    "cls": ("--task", "cls", "--n_cases", "20", "--n_folds", "4"),
    "surv": ("--task", "surv", "--n_cases", "24", "--n_folds", "2", "--n_bins", "2"),
}
TINY = ("--dim", "8", "--patches_per_slide", "12", "30")
MODEL = ("--embed_dim", "16", "--n_clusters", "8", "--epochs", "3", "--device", "cpu", "--num_workers", "2")


@dataclass(frozen=True)
class Scenario:
    """A command that is killed and gone on with.

    Attributes:
        name: of the scenario.
        first: the command, from the state that `before` makes.
        again: what a user calls after it was stopped; also right where nothing was done yet.
        before: the commands of the state at the beginning, run once.
        results: the folder below the working folder that must end like that of an undisturbed command.
        may_refuse: `again` may be refused (exit 2) after a stop between two runs; then `first` is called again.
    """

    name: str
    first: Call
    again: Call
    before: tuple[Call, ...] = ()
    results: str = "."
    may_refuse: bool = False


@dataclass(frozen=True)
class Prepared:
    """A scenario with the state it begins from and the results it must end with.

    Attributes:
        scenario: it.
        start: a folder with the state at the beginning.
        reference: the content of every file of an undisturbed command.
        steps: what this command changes, in order: `event path`.
        seconds: how long it took.
    """

    scenario: Scenario
    start: Path
    reference: dict[str, bytes]
    steps: Sequence[str]
    seconds: float


def make_cohorts(workshop: Workshop, place: Path, chosen: Sequence[Scenario]) -> None:
    """The cohorts of these scenarios, `place/cls` and, where one of them needs it, `place/surv`."""
    place.mkdir(parents=True, exist_ok=True)
    for name, options in COHORTS.items():
        if name == "surv" and not any("surv" in one.first.arguments for one in chosen):
            continue
        ended = workshop.run(Call.of("datasets/synthetic/__main__.py", "--output_dir", name, *options, *TINY), place)
        assert ended.status == 0, ended.err


def training(cohorts: Path, task: str, *more: object) -> Call:
    """A training of main.py, with results in the working folder."""
    cohort, bins = cohorts / task, ("--n_bins", "2") if task == "surv" else ()
    places = ("--features_dir", cohort / "features", "--splits_dir", cohort / "splits", "--results_dir", "results")
    words = ("--task", task, "--dataset", "toy", "--anchors", "random", *places, *MODEL, *bins, *more)
    return Call.of("main.py", *words)


def clustering(cohorts: Path, *more: object) -> Call:
    """Anchors of the data set, for two folds, and of each slide."""
    cohort = cohorts / "cls"
    folds = ("--fold_csv", cohort / "splits" / "fold0.csv", cohort / "splits" / "fold1.csv")
    places = ("--dataset_name", "toy", "--input_dir", cohort / "features", "--output_dir", "anchors")
    return Call.of("run_clustering.py", *places, *folds, "--n_clusters", "6", "--n_iter", "5", *more)


def prediction(cohorts: Path, stage: str, *more: object) -> Call:
    """The trained run of the working folder applied to its cohort as if that were another one."""
    run = "results/cls/toy/mico_released"
    where = ("--run_dir", run, "--features_dir", cohorts / "cls" / "features", "--cohort", "other")
    return Call.of("main.py", "--stage", stage, *where, "--allow_patient_overlap", "--device", "cpu", *more)


def scenarios(cohorts: Path) -> list[Scenario]:
    """Every scenario, over the cohorts in a folder."""
    two = ("--folds", "0", "1", "--no_figures")
    cls, surv = training(cohorts, "cls", *two), training(cohorts, "surv", "--no_figures")
    pages = training(cohorts, "cls", "--folds", "0", "--dropout", "0.3", "--max_patches", "10", "--batch_size", "2")
    trained, tested = training(cohorts, "cls", *two, "--stage", "train"), training(cohorts, "cls", *two)
    more = training(cohorts, "cls", *two, "--epochs", "5")
    anchors, labels = clustering(cohorts), ("--labels", cohorts / "cls" / "labels.csv")
    predicted = prediction(cohorts, "predict", *labels)
    return [
        Scenario("train_cls", cls, cls.plus("--resume")),
        Scenario("train_surv", surv, surv.plus("--resume")),
        Scenario("train_pages", pages, pages.plus("--resume")),
        Scenario("test", tested.plus("--stage", "test"), tested.plus("--stage", "test", "--resume"), (trained,)),
        Scenario("raise_epochs", more.plus("--resume"), more.plus("--resume"), (cls,)),
        Scenario(
            "overwrite",
            cls.plus("--overwrite"),
            cls.plus("--resume"),
            (training(cohorts, "cls", *two, "--lr", "0.01"),),
            may_refuse=True,
        ),
        Scenario(
            "restart",
            cls.plus("--resume", "--on_change", "restart"),
            cls.plus("--resume", "--on_change", "restart"),
            (training(cohorts, "cls", *two, "--lr", "0.01"),),
        ),
        Scenario("clustering", anchors, anchors),
        Scenario(
            "clustering_overwrite",
            anchors.plus("--overwrite"),
            anchors.plus("--overwrite"),
            (clustering(cohorts, "--seed", "7"),),
        ),
        Scenario("predict", predicted, predicted.plus("--resume"), (cls,)),
        Scenario("predict_overwrite", predicted.plus("--overwrite"), predicted.plus("--resume"), (cls, predicted)),
        Scenario("explain", cls.plus("--stage", "explain"), cls.plus("--stage", "explain"), (cls,)),
        *_scenarios_of_tools(cohorts, cls),
    ]


def _scenarios_of_tools(cohorts: Path, trained: Call) -> list[Scenario]:
    """The commands before and after training that write a folder of several files."""
    table = ("--labels", cohorts / "cls" / "labels.csv", "--task", "cls", "--output_dir", "splits")
    splits = Call.of("datasets/make_splits/__main__.py", *table)
    cohort = Call.of("datasets/synthetic/__main__.py", "--output_dir", "made", *COHORTS["cls"], *TINY)
    export = Call.of("utils/pipeline/export.py", "results/cls/toy/mico_released", "exported")
    again = "--overwrite"
    return [
        Scenario("splits", splits, splits.plus(again)),
        Scenario("splits_overwrite", splits.plus(again), splits.plus(again), (splits.plus("--seed", "7"),)),
        Scenario("synthetic", cohort, cohort),
        Scenario("export", export, export.plus(again), (trained,)),
    ]


def prepare(scenario: Scenario, workshop: Workshop, place: Path, clock: Callable[[], float]) -> Prepared:
    """Make the state at the beginning, and run the command once without any disturbance."""
    start, undisturbed, steps = place / "start", place / "undisturbed", place / "steps"
    start.mkdir(parents=True)
    for call in scenario.before:
        ended = workshop.run(call, start)
        assert ended.status == 0, f"{scenario.name}: {call}\n{ended.err}"
    shutil.copytree(start, undisturbed, symlinks=True)
    began = clock()
    ended = workshop.run(scenario.first, undisturbed, steps=steps)
    seconds = clock() - began
    assert ended.status == 0, f"{scenario.name}: {scenario.first}\n{ended.err}"
    reference = contents(undisturbed / scenario.results)
    return Prepared(scenario, start, reference, steps.read_text().splitlines(), seconds)
