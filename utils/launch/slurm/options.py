"""The options of `sbatch` that a user gives: as words, in a JSON file, or both; some only for jobs of one kind."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.errors import UserError
from utils.files.json_object import read_json_object

KINDS = ("anchors", "begin", "fold", "end")  # of pieces (`utils.launch.piece`), in the order of their stages
# What the launcher says by itself.
_RESERVED = (
    *("array", "dependency", "output", "error", "open-mode", "signal", "job-name", "nodes", "ntasks", "chdir"),
    *("ntasks-per-node", "wrap", "parsable", "requeue", "no-requeue", "wait", "test-only", "export", "input"),
)
_WHOLE = ("cpus-per-task", "nice", "signal-delay-s", "max-num-timeout")
_MEMORY = ("mem", "mem-per-cpu", "mem-per-gpu")
_GPU = ("gpus", "gpus-per-node", "gpus-per-task", "gres")
_WORD = re.compile(r"([a-zA-Z][\w-]*)=(.*)", re.DOTALL)
_TIME = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


@dataclass(frozen=True)
class SlurmOptions:
    """Options of `sbatch`.

    Attributes:
        values: by their long names; True for one that takes no value.
        of_kind: those of jobs of one kind, which go before the others.
        setup: lines of bash that each job begins with, such as `module load cuda`.
    """

    values: Mapping[str, str | bool]
    of_kind: Mapping[str, Mapping[str, str | bool]] = field(default_factory=dict)
    setup: tuple[str, ...] = ()

    def of(self, kind: str) -> dict[str, str | bool]:
        """The options of a job of this kind, without those that are for the launcher itself."""
        both = {**self.values, **self.of_kind.get(kind, {})}
        return {name: value for name, value in both.items() if name not in ("signal-delay-s", "max-num-timeout")}

    def minutes(self, kind: str) -> int:
        """The time limit of a job of this kind."""
        return minutes_of(str(self.of(kind)["time"]))

    @property
    def signal_delay(self) -> int:
        """Seconds before the time limit at which a job is told to save what it has."""
        return int(self.values.get("signal-delay-s", 90))

    @property
    def max_requeues(self) -> int:
        """How often a job goes on after its time limit."""
        return int(self.values.get("max-num-timeout", 3))

    def uses_gpu(self) -> bool:
        """Whether the jobs of folds have a GPU."""
        options = self.of("fold")
        return any(
            name in options and options[name] not in ("0", "none") and (name != "gres" or "gpu" in str(options[name]))
            for name in _GPU
        )


def read_slurm_options(words: Sequence[str]) -> SlurmOptions:
    """The options of `--slurm`; a later word goes before an earlier one.

    Args:
        words: each is `NAME=VALUE` with a long option of `sbatch` (`_` or `-`), or the path of a JSON file: an object
            of these, in which `setup` is a list of lines of bash, and `anchors`, `begin`, `fold` and `end` are objects
            for jobs of one kind.

    Raises:
        UserError: for a file that cannot be read, an impossible value, an option that the launcher sets by itself, and
            jobs without a time limit.
    """
    values: dict[str, str | bool] = {}
    of_kind: dict[str, Mapping[str, str | bool]] = {}
    setup: tuple[str, ...] = ()
    for word in words:
        match = _WORD.fullmatch(word)
        if match:
            values |= _checked({match[1]: match[2]}, "--slurm")
            continue
        content = read_json_object(
            Path(word), advice="--slurm takes NAME=VALUE, and JSON files of options of sbatch (docs/scaling.md)"
        )
        lines = content.pop("setup", [])
        if not isinstance(lines, list) or not all(isinstance(line, str) and "\n" not in line for line in lines):
            raise UserError(f"{word}: got setup {lines!r}, expected a list of lines of bash")
        setup += tuple(lines)
        for kind in KINDS:
            if kind in content:
                of_this = content.pop(kind)
                if not isinstance(of_this, dict):
                    raise UserError(f"{word}: got {kind} {of_this!r}, expected an object of options for these jobs")
                of_kind[kind] = {**of_kind.get(kind, {}), **_checked(of_this, word, kind)}
        values |= _checked(content, word)
    options = SlurmOptions(values, of_kind, setup)
    for kind in KINDS:
        if "time" not in options.of(kind):
            raise UserError(
                "got --launcher slurm without a time limit of the jobs, expected one, such as --slurm time=8:00:00"
            )
        if 60 * options.minutes(kind) <= options.signal_delay:
            raise UserError(
                f"got --slurm time={options.of(kind)['time']}, expected more than the {options.signal_delay} seconds "
                "in which a job saves what it has (signal_delay_s)"
            )
    return options


def minutes_of(time: str) -> int:
    """A time limit of Slurm in minutes, rounded up.

    >>> [minutes_of(time) for time in ("90", "5:30", "8:00:00", "2-12", "1-0:30", "1-00:00:01")]
    [90, 6, 480, 3600, 1470, 1441]
    """
    match = _TIME.fullmatch(time)
    if match is None:
        raise ValueError(f"got the time {time}, expected one as sbatch takes it")
    days, *rest = match.groups()
    numbers = [int(number) for number in rest if number is not None]
    if days is not None:  # days-hours, days-hours:minutes, days-hours:minutes:seconds
        hours, minutes, seconds = [*numbers, 0, 0][:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:  # minutes, minutes:seconds
        hours, (minutes, seconds) = 0, [*numbers, 0][:2]
    return math.ceil((int(days or 0) * 24 + hours) * 60 + minutes + seconds / 60)


def _checked(given: Mapping[str, Any], where: str, kind: str = "") -> dict[str, str | bool]:
    """Options by the names that `sbatch` has for them, as text."""
    found: dict[str, str | bool] = {}
    for given_name, value in given.items():
        name, shown = given_name.replace("_", "-"), f"{where}: got {given_name}={value}"
        if not re.fullmatch(r"[a-z][a-z-]*", name):
            raise UserError(
                f"{where}: got the option {given_name!r}, expected a long option of sbatch, such as partition"
            )
        if name in _RESERVED or (kind and name in ("signal-delay-s", "max-num-timeout")):
            raise UserError(f"{shown}, which the launcher sets by itself: leave it out")
        if isinstance(value, bool) or value is None:
            if value is not True:
                raise UserError(f"{shown}, expected a value, or true for an option that takes none")
            found[name] = True
            continue
        text = str(value)
        if isinstance(value, (dict, list)) or not text or not text.isprintable():
            raise UserError(f"{shown}, expected one line of text, or a number")
        if name == "time" and (not _TIME.fullmatch(text) or minutes_of(text) < 1):
            raise UserError(f"{shown}, expected minutes, or hours as 8:00:00, or days and hours as 2-12")
        if name in _WHOLE and not re.fullmatch(r"\d{1,9}" if name != "cpus-per-task" else r"[1-9]\d{0,8}", text):
            raise UserError(f"{shown}, expected a whole number")
        if name in _MEMORY and not re.fullmatch(r"\d+[KMGT]?", text):
            raise UserError(f"{shown}, expected a number with K, M, G or T, such as 32G")
        found[name] = text
    return found
