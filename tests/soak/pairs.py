"""Two processes at once: one is refused in one sentence, or both end with one right result; none harms the other."""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.soak.comparison import contents, differences
from tests.soak.kills import Trial
from tests.soak.processes import Call, Ended, Process, Workshop, wait_for
from tests.soak.reading import Reading
from tests.soak.scenarios import clustering, prediction, training

RUN = Path("results/cls/toy/mico_released")
LATEST = 0.2  # seconds after the first that the second starts, where both are to begin together


@dataclass
class Bench:
    """Where trials of two processes take place.

    Attributes:
        workshop: starts the processes.
        cohorts: the folder of the cohorts.
        place: folder for the results that undisturbed commands have.
        known: these results, by command and folder that was compared.
    """

    workshop: Workshop
    cohorts: Path
    place: Path
    known: dict[tuple[Call, ...], Path] = field(default_factory=dict)

    def undisturbed(self, *calls: Call) -> Path:
        """A folder in which these commands ran one after the other, nobody else."""
        if calls not in self.known:
            folder = self.place / f"undisturbed{len(self.known)}"
            folder.mkdir(parents=True)
            for call in calls:
                ended = self.workshop.run(call, folder)
                assert ended.status == 0, f"{call}\n{ended.err}"
            self.known[calls] = folder
        return self.known[calls]

    def training(self, *more: object) -> Call:
        """A training of four folds that takes seconds."""
        return training(self.cohorts, "cls", "--no_figures", "--epochs", "5", "--patience", "50", *more)

    def compared(self, folder: Path, *calls: Call) -> list[str]:
        """What a folder has not in common with one in which nobody disturbed these commands."""
        return differences(folder, contents(self.undisturbed(*calls)))


PairTrial = Callable[[Bench, Path, Random], list[str]]


def second_start(bench: Bench, folder: Path, random: Random) -> list[str]:
    """A second training starts into the folder of one that lives: it is refused, and the first is not harmed."""
    first = bench.training()
    ways = (("--overwrite", "--lr", "0.01"), ("--resume", "--on_change", "restart", "--lr", "0.01"))
    way = random.choice([*ways, (), ("--resume",), ("--overwrite", "--folds", "2")])
    living = bench.workshop.start(first, folder)
    if not wait_for(lambda: (folder / RUN / "fold0" / "log.csv").exists() or living.ended.is_set()):
        return ["the first training wrote no log"]
    ended = bench.workshop.run(first.plus(*way), folder)
    lived = not living.ended.is_set()
    found = [] if not lived else _refused(ended, living, " ".join(way) or "the same command")
    return [*found, *_well(living.wait()), *bench.compared(folder, first)]


def same_moment(bench: Bench, folder: Path, random: Random) -> list[str]:
    """Two trainings of two learning rates start together: one is refused, and the results are those of the other."""
    calls = (bench.training("--overwrite"), bench.training("--overwrite", "--lr", "0.01"))
    processes, ended = _together(bench, folder, calls, random)
    lost = [index for index, one in enumerate(ended) if one.status == 2]
    if len(lost) != 1:
        return [f"the exit codes are {[one.status for one in ended]}: {ended[0].err[-300:]} {ended[1].err[-300:]}"]
    winner = 1 - lost[0]
    return [
        *_refused(ended[lost[0]], processes[winner], "at the same moment"),
        *_well(ended[winner]),
        *bench.compared(folder, calls[winner]),
    ]


def shared_run(bench: Bench, folder: Path, random: Random) -> list[str]:
    """Two processes share the folds of a run on purpose: both work, and the summary is that of all folds."""
    calls = [bench.training("--resume", "--folds", *folds) for folds in ((0, 1), (2, 3))]
    _, ended = _together(bench, folder, random.sample(calls, 2), random)
    return [*(fault for one in ended for fault in _well(one)), *bench.compared(folder, bench.training())]


def two_seeds(bench: Bench, folder: Path, random: Random) -> list[str]:
    """Anchors of two seeds are fitted into one folder at once: what is there in the end is of one seed."""
    scope, extra = random.choice(("slide", "dataset", "both")), random.choice(((), ("--overwrite",)))
    calls = [clustering(bench.cohorts, "--scope", scope, "--n_init", "20", "--seed", k, *extra) for k in (1, 2)]
    _, ended = _together(bench, folder, calls, random)
    found = [fault for one in ended if one.status != 0 for fault in _one_sentence(one)]
    if all(one.status for one in ended):
        return [*found, f"both were refused: {ended[0].err} {ended[1].err}"]
    of_one = [bench.compared(folder, call) for call, one in zip(calls, ended, strict=True) if one.status == 0]
    return found if any(not other for other in of_one) else [*found, *min(of_one, key=len)]


def two_predictions(bench: Bench, folder: Path, random: Random) -> list[str]:
    """Two processes predict one cohort into one folder: one may be refused, and the result is right."""
    trained = training(bench.cohorts, "cls", "--no_figures", "--folds", "0", "1")
    _begin_with(bench.undisturbed(trained), folder)
    call = prediction(bench.cohorts, "predict", "--labels", bench.cohorts / "cls" / "labels.csv")
    _, ended = _together(bench, folder, [call, call.plus(random.choice(("--overwrite", "--resume")))], random)
    found = [fault for one in ended if one.status != 0 for fault in _one_sentence(one)]
    if all(one.status for one in ended):
        found.append(f"both were refused: {ended[0].err} {ended[1].err}")
    return [*found, *bench.compared(folder, trained, call)]


def explained_meanwhile(bench: Bench, folder: Path, random: Random) -> list[str]:
    """Two folds are explained while two others are trained into the same run."""
    done, rest = bench.training("--folds", "0", "1"), bench.training("--resume", "--folds", "2", "3")
    explained = bench.training("--folds", "0", "1", "--stage", "explain")
    _begin_with(bench.undisturbed(done), folder)
    _, ended = _together(bench, folder, random.sample([rest, explained], 2), random)
    return [*(fault for one in ended for fault in _well(one)), *bench.compared(folder, done, explained, rest)]


def taken_over(bench: Bench, folder: Path, random: Random) -> list[str]:
    """The folder of a living training is removed, moved away or locked by another: it stops with a sentence."""
    way = random.choice(("removed", "moved", "unlocked", "another"))
    living = bench.workshop.start(bench.training("--epochs", "60"), folder)
    if not wait_for(lambda: (folder / RUN / "fold0" / "log.csv").exists() or living.ended.is_set()):
        return ["the training wrote no log"]
    other: Call | None = None
    if way == "removed":
        while (folder / RUN).exists():
            shutil.rmtree(folder / RUN, ignore_errors=True)
    elif way == "moved":
        (folder / RUN).rename(folder / "elsewhere")
    else:
        for lock in (folder / RUN).glob(".fold*.lock"):
            lock.unlink(missing_ok=True)
        if way == "another":
            other = bench.training("--overwrite", "--lr", "0.01")
            later = bench.workshop.run(other, folder)
            if later.status:
                return [f"the process that took over failed: {later.err}"]
    ended = living.wait()
    found = [f"{way}: {fault}" for fault in _one_sentence(ended)]
    if way in ("removed", "moved"):
        left = [path.name for path in (folder / RUN).rglob("*") if path.is_file()]
        return [*found, *([f"{way}: it wrote on, to {left}"] if left else [])]
    return found if other is None else [*found, *bench.compared(folder, other)]


PAIRS: tuple[PairTrial, ...] = (
    shared_run,
    second_start,
    same_moment,
    two_seeds,
    two_predictions,
    explained_meanwhile,
    taken_over,
)


def pair_trial(trial: PairTrial, bench: Bench, folder: Path, random: Random) -> Trial:
    """One trial of two processes, with a reader beside them."""
    folder.mkdir(parents=True)
    told = Trial(trial.__name__)
    with Reading(bench.workshop, folder) as reading:
        told.findings += trial(bench, folder, random)
    told.reads = reading.reads
    told.findings += [f"a reader found {failure}" for failure in reading.failures]
    return told


def _begin_with(source: Path, folder: Path) -> None:
    """Copy results into a folder that is being read, so that each file comes as a whole."""
    aside = folder.with_name(folder.name + "-copy")
    shutil.copytree(source, aside)
    for path in aside.iterdir():
        path.rename(folder / path.name)
    aside.rmdir()


def _together(bench: Bench, folder: Path, calls: Sequence[Call], random: Random) -> tuple[list[Process], list[Ended]]:
    """Start two commands within a fifth of a second, and wait for both."""
    first = bench.workshop.start(calls[0], folder)
    time.sleep(LATEST * random.random())
    second = bench.workshop.start(calls[1], folder)
    return [first, second], [first.wait(), second.wait()]


def _well(ended: Ended) -> list[str]:
    bad = ended.status != 0 or "Traceback" in ended.err
    return [f"exit {ended.status} of {ended.call}: {ended.err[-600:]}"] if bad else []


def _one_sentence(ended: Ended) -> list[str]:
    """What is wrong with a refusal: exit 2 and one sentence are right."""
    sentences = re.findall(r"^\S+\.py: error: .+$", ended.err, re.MULTILINE)
    right = ended.status == 2 and len(sentences) == 1 and "Traceback" not in ended.err
    return [] if right else [f"exit {ended.status}, {len(sentences)} sentences, of {ended.call}: {ended.err[-600:]}"]


def _refused(ended: Ended, holder: Process, how: str) -> list[str]:
    """What is wrong with the refusal of a process that names the one in its way."""
    named = f"process {holder.pid} on {socket.gethostname()}, since 20" in ended.err
    faults = _one_sentence(ended) + ([] if named else [f"does not name process {holder.pid}: {ended.err[-600:]}"])
    return [f"{how}: {fault}" for fault in faults]
