"""A trial: a command is killed, gone on with, killed again, and must end as if nobody had disturbed it."""

from __future__ import annotations

import re
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.soak.comparison import differences
from tests.soak.moments import Moment
from tests.soak.processes import Call, Ended, Workshop
from tests.soak.reading import Reading
from tests.soak.scenarios import Prepared

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# What a process returns that was asked to end; 0 where it was at its end already.
STATUS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 128 + signal.SIGTERM, signal.SIGINT: 128 + signal.SIGINT}
COLD_START = 0.2  # seconds in which Python itself starts, before any line of the command
# The moments that hurt most, as the first step of an undisturbed command that fits: during the writing of a checkpoint,
# before and after the log, before the second fold, during the summary, its tables, the report and the record.
WORST = (
    r"os\.rename .*checkpoint\.pt",
    r"open .*log\.csv",
    r"open .*last\.pt",
    r"\S+ .*fold1\b",
    r"os\.rename .*metrics\.json",
    r"open .*summary\.json",
    r"os\.rename .*run\.json",
    r"os\.rename .*\.html",
    r"os\.rename .*anchors/.*\.json",
    r"os\.rename .*anchors/.*\.pt",
    r"os\.rename .*partial\.pt",
    r"shutil\.rmtree",
)


@dataclass(frozen=True)
class Kill:
    """A signal and when it is sent.

    Attributes:
        signal: which one.
        moment: a step of the process; None for a time.
        after: seconds, where there is no such step.
        cold: start a new interpreter, which first imports everything.
    """

    signal: signal.Signals
    moment: Moment | None = None
    after: float = 0.0
    cold: bool = False

    def start(self, workshop: Workshop, call: Call, folder: Path) -> Ended:
        """Start a command, send it the signal, and see how it ends."""
        if self.moment is not None:
            return workshop.run(call, folder, moment=self.moment)
        process = (workshop.start_cold if self.cold else workshop.start)(call, folder)
        process.ended.wait(self.after)
        process.send(self.signal)
        return process.wait()

    def in_words(self, steps: Sequence[str]) -> str:
        """For reports; `steps` are those of the undisturbed command, empty for one that goes on."""
        if self.moment is None:
            return f"{self.signal.name} {self.after:.2f} s after {'a cold' if self.cold else 'the'} start"
        number = self.moment.step
        place = f" ({steps[number - 1]})" if number <= len(steps) else ""
        return f"{self.signal.name} before step {number}{place}{', file cut' if self.moment.torn else ''}"


@dataclass
class Trial:
    """What happened in a trial.

    Attributes:
        scenario: its name.
        kills: each kill in words.
        signals: how many of each reached a living process.
        reads: files that were read meanwhile.
        findings: what did not hold; empty is good.
    """

    scenario: str
    kills: list[str] = field(default_factory=list)
    signals: Counter[str] = field(default_factory=Counter)
    reads: int = 0
    findings: list[str] = field(default_factory=list)


def worst_kills(prepared: Prepared) -> list[Kill]:
    """A kill at each of the worst moments that a scenario has, the signals in turn."""
    found = [
        next((number for number, step in enumerate(prepared.steps, 1) if re.match(pattern, step)), None)
        for pattern in WORST
    ]
    numbers = [number for number in found if number is not None]
    return [
        Kill(name := SIGNALS[index % len(SIGNALS)], Moment(number, name, torn=name == signal.SIGKILL))
        for index, number in enumerate(numbers)
    ]


def random_kills(prepared: Prepared, random: Random) -> list[Kill]:
    """One to three kills at random: most before a step, some at a time, and now and then after a cold start."""
    if random.random() < 0.1:
        return [Kill(random.choice(SIGNALS), after=COLD_START + 6 * random.random() ** 2, cold=True)]
    kills = []
    for _ in range(random.randint(1, 3)):
        number = random.choice(SIGNALS)
        if random.random() < 0.3:
            kills.append(Kill(number, after=prepared.seconds * random.random()))
        else:
            step = random.randint(1, len(prepared.steps))
            kills.append(Kill(number, Moment(step, number, torn=random.random() < 0.5)))
    return kills


def trial(prepared: Prepared, workshop: Workshop, folder: Path, kills: Sequence[Kill]) -> Trial:
    """Kill a command and what goes on with it, let it end, and compare."""
    shutil.copytree(prepared.start, folder, symlinks=True)
    scenario = prepared.scenario
    told = Trial(scenario.name)
    call, steps = scenario.first, prepared.steps
    with Reading(workshop, folder) as reading:
        for kill in kills:
            ended, words = kill.start(workshop, call, folder), kill.in_words(steps)
            told.kills.append(words)
            told.signals[kill.signal.name] += ended.status != 0
            told.findings += [f"{words}: {fault}" for fault in faults(ended, kill)]
            if ended.status == 0:
                call = prepared.scenario.again  # the work was done before the signal came, and is found so
                break
            call, steps = _next_call(prepared, ended, call), ()
        told.findings += _go_on(prepared, workshop, call, folder)
    told.reads = reading.reads
    told.findings += [f"a reader found {failure}" for failure in reading.failures]
    told.findings += differences(folder / scenario.results, prepared.reference)
    return told


def faults(ended: Ended, kill: Kill) -> list[str]:
    """What is wrong with how a process ended that got a signal."""
    number, expected = kill.signal, STATUS[kill.signal]
    wrong = []
    # 2: a command that goes on with what another one left may be refused before the signal comes. Python itself has the
    # default of the system for a signal before the first line of a command and after the last.
    if ended.status not in {0, 2, expected, *(() if kill.moment else (-number,))}:
        wrong.append(f"exit {ended.status}, expected {expected}: {ended.err[-600:]}")
    if "Traceback" in ended.err:
        wrong.append(f"a traceback: {ended.err[-600:]}")
    if number != signal.SIGKILL and ended.status == expected and not ended.err.strip():
        wrong.append("it ended without a word")
    return wrong


def _next_call(prepared: Prepared, ended: Ended, call: Call) -> Call:
    """What a user calls next: what goes on, or after a refusal of that the command of the beginning."""
    refused = ended.status == 2 and call == prepared.scenario.again and prepared.scenario.may_refuse
    return prepared.scenario.first if refused else prepared.scenario.again


def _go_on(prepared: Prepared, workshop: Workshop, call: Call, folder: Path) -> list[str]:
    """End what was begun; what is wrong if that does not succeed."""
    ended = workshop.run(call, folder)
    if ended.status == 2 and prepared.scenario.may_refuse and "Traceback" not in ended.err:
        ended = workshop.run(prepared.scenario.first, folder)
    if ended.status == 0 and "Traceback" not in ended.err:
        return []
    return [f"going on failed: exit {ended.status} of {ended.call}: {ended.err[-800:]}"]
