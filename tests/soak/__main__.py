"""`python -m tests.soak`: kill commands, run two at once, read meanwhile, and report what did not hold.

`--kills 100 --pairs 20` is the long version, which takes half an hour on two cores; the suite runs six kills.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from random import Random

from tests.soak.kills import Trial, random_kills, trial, worst_kills
from tests.soak.pairs import PAIRS, Bench, pair_trial
from tests.soak.processes import Workshop
from tests.soak.scenarios import Prepared, Scenario, make_cohorts, prepare, scenarios


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="kills at least (default: 100)")
    parser.add_argument("--pairs", type=int, default=20, help="trials of two processes (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed and when (default: 1)")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no trial begins (default: 60)")
    parser.add_argument("--scenario", nargs="+", help="names of scenarios or pairs; default: all")
    parser.add_argument("--keep", type=Path, help="folder for all files, which stay there; default: a temporary one")
    return parser


class Report:
    """Counts what happened, and prints what did not hold at once."""

    def __init__(self) -> None:
        self.trials: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.signals: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self.reads = 0
        self.began = time.monotonic()

    def add(self, told: Trial) -> None:
        """Take up a trial."""
        self.trials[told.scenario] += 1
        self.kills[told.scenario] += sum(told.signals.values())
        self.signals += told.signals
        self.findings[told.scenario] += len(told.findings)
        self.reads += told.reads
        for finding in told.findings:
            _say(f"FINDING {told.scenario} [{'; '.join(told.kills)}]: {finding}")

    def print(self) -> None:
        """A table of all trials."""
        _say(f"{'scenario':22} trials  kills  findings")
        for name, number in self.trials.items():
            _say(f"{name:22} {number:6} {self.kills[name]:6} {self.findings[name]:9}")
        signals = ", ".join(f"{number} {name}" for name, number in sorted(self.signals.items()))
        _say(
            f"{sum(self.trials.values())} trials, {sum(self.kills.values())} kills ({signals or 'none'}), {self.reads} "
            f"files read meanwhile, {sum(self.findings.values())} findings, {time.monotonic() - self.began:.0f} s"
        )


def soak(arguments: argparse.Namespace, place: Path, report: Report) -> None:
    """Run the trials in a folder; Ctrl-C ends them, and what was seen is reported."""
    random, end = Random(arguments.seed), report.began + 60 * arguments.minutes
    with Workshop(place / "scratch") as workshop:
        cohorts = place / "cohorts"
        chosen = [one for one in scenarios(cohorts) if one.name in (arguments.scenario or [one.name])]
        make_cohorts(workshop, cohorts, chosen)
        killed = _kills(chosen, workshop, place, random)
        while chosen and sum(report.kills.values()) < arguments.kills and time.monotonic() < end:
            report.add(next(killed))
        pairs = [one for one in PAIRS if one.__name__ in (arguments.scenario or [one.__name__])]
        bench = Bench(workshop, cohorts, place / "pairs")
        for number, pair in enumerate(islice(cycle(pairs), arguments.pairs)):
            if time.monotonic() > end:
                break
            report.add(_cleaned(pair_trial(pair, bench, place / f"pair{number}", random), place / f"pair{number}"))


def _kills(chosen: list[Scenario], workshop: Workshop, place: Path, random: Random) -> Iterator[Trial]:
    """Trials without end: of each scenario in turn, first at its worst moments, then at random."""
    prepared: list[Prepared] = []
    for number in range(10**9):
        index, turn = number % len(chosen), number // len(chosen)
        if turn == 0:
            prepared.append(prepare(chosen[index], workshop, place / chosen[index].name, time.monotonic))
        one = prepared[index]
        kills = worst_kills(one)[turn : turn + 1] or random_kills(one, random)
        folder = place / one.scenario.name / f"trial{turn}"
        yield _cleaned(trial(one, workshop, folder, kills), folder)


def _cleaned(told: Trial, folder: Path) -> Trial:
    """The trial, its folder removed unless there is something to look at."""
    if not told.findings:
        shutil.rmtree(folder, ignore_errors=True)
    return told


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  the output of this command


def main(argv: list[str] | None = None) -> int:
    """Run the soak; returns 1 if something did not hold."""
    arguments, report = get_args_parser().parse_args(argv), Report()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        place = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak")))
        soak(arguments, place.resolve(), report)
    report.print()
    return 1 if report.findings.total() else 0


if __name__ == "__main__":
    sys.exit(main())
