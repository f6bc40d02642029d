"""What threads bring and cost: a training step and a prediction of one bag, by its size, on 1, 2, 4, ... threads.

`python -m benchmarks.threads` prints a Markdown table: the fastest and the median milliseconds of a call, and its CPU
milliseconds with all threads, where these sleep while they wait for one another, as `main.py` lets them, and where they
spin, as OpenMP does by itself. `--busy 2` computes in two other processes meanwhile, as on a machine that is shared.
All calls are made in turn, so that a machine that drifts slows all alike.

`utils/machine/cpu_threads.py` has the rule that was read off from such tables.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple

from benchmarks.threads_process import FORMS, MODELS, WHAT, Call, Times, burn, serve
from benchmarks.timing import hardware
from utils.files.text_table import markdown_table
from utils.launch.process import environment
from utils.machine.waiting import SLEEPING

WAYS: dict[str, dict[str, str]] = {"sleeping": SLEEPING, "spinning": {}}


class Way(NamedTuple):
    """A number of threads, and how they wait for one another."""

    threads: int
    waiting: str

    def __str__(self) -> str:
        return "1 thread" if self.threads == 1 else f"{self.threads} threads, {self.waiting}"


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.threads", description=__doc__, allow_abbrev=False)
    parser.add_argument("--models", nargs="+", default=["mico", "abmil"], choices=list(MODELS))
    parser.add_argument("--formulations", nargs="+", default=["released"], choices=list(FORMS), help="of MiCo")
    parser.add_argument("--what", nargs="+", default=list(WHAT), choices=list(WHAT))
    parser.add_argument("--patches", type=int, nargs="+", default=[50, 200, 500, 1000, 2000, 5000, 10000, 50000])
    parser.add_argument("--dim", type=int, default=768, help="D, width of the features (default: %(default)s)")
    parser.add_argument("--embed_dim", type=int, default=512, help="d, width of the model (default: %(default)s)")
    parser.add_argument("--threads", type=int, nargs="+", default=counts_up_to(os.cpu_count() or 1))
    parser.add_argument("--waiting", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--busy", type=int, default=0, help="other processes that compute meanwhile")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each number, at least (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="in which they are spent (default: %(default)s)")
    return parser


def counts_up_to(cores: int) -> list[int]:
    """1, 2, 4 and so on, up to all cores.

    >>> counts_up_to(12)
    [1, 2, 4, 8, 12]
    """
    powers = [2**k for k in range(cores.bit_length()) if 2**k <= cores]
    return powers if powers[-1] == cores else [*powers, cores]


def ways_of(threads: Sequence[int], waiting: Sequence[str]) -> list[Way]:
    """What is compared: of one thread, which waits for none, one way is enough."""
    return [Way(count, how) for count in threads for how in waiting if count > 1 or how == waiting[0]]


def calls_of(args: argparse.Namespace) -> list[Call]:
    """What is timed."""
    calls = []
    for model in args.models:
        for form in args.formulations if model == "mico" else [""]:
            calls += [Call(what, model, form, n, args.dim, args.embed_dim) for what in args.what for n in args.patches]
    return calls


@contextmanager
def workers(ways: Sequence[Way]) -> Iterator[dict[Way, Connection]]:
    """A process for each way: how threads wait is read when their library is loaded."""
    context, processes, ends = multiprocessing.get_context("spawn"), [], {}
    try:
        for way in ways:
            ends[way], theirs = context.Pipe()
            processes.append(context.Process(target=serve, args=(theirs,), daemon=True))
            with environment(OMP_NUM_THREADS=str(way.threads), **WAYS[way.waiting]):
                processes[-1].start()
        yield ends
    finally:
        for process in processes:
            process.kill()
            process.join()


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """So many processes that compute all the time."""
    processes = [multiprocessing.get_context("spawn").Process(target=burn, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def times_of(call: Call, ends: dict[Way, Connection], seconds: float, turns: int) -> dict[Way, Times]:
    """The times of one call in each way, in turns."""
    times = {way: Times([], []) for way in ends}
    for _ in range(turns):
        for way, end in ends.items():
            end.send((call, seconds / turns))
            wall, cpu = end.recv()
            times[way].wall.extend(wall)
            times[way].cpu.append(cpu)
    return times


def row_of(call: Call, times: dict[Way, Times]) -> list[str]:
    """A row of the table: milliseconds."""
    cells = []
    for of_way in times.values():
        values = (min(of_way.wall), statistics.median(of_way.wall), statistics.mean(of_way.cpu))
        cells.append(" / ".join(f"{1000 * value:.{1 if value < 0.1 else 0}f}" for value in values))
    return [call.model, call.form, call.what, str(call.patches), *cells]


def main(args: argparse.Namespace) -> int:
    """Measure and write the table."""
    ways = ways_of(args.threads, args.waiting)
    sys.stdout.write(f"{hardware()}; D = {args.dim}, d = {args.embed_dim}, {args.busy} other processes compute\n\n")
    sys.stdout.write("Milliseconds of a call: fastest / median / CPU.\n\n")
    table = [["model", "form", "what", "patches", *map(str, ways)]]
    with workers(ways) as ends, neighbours(args.busy):
        for call in calls_of(args):
            table.append(row_of(call, times_of(call, ends, args.seconds, args.turns)))
            sys.stderr.write(" | ".join(table[-1]) + "\n")
    sys.stdout.write(markdown_table(table) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
