"""Check a machine with a GPU: `python -m benchmarks.gpu_check --device cuda --out DIR`.

Prints what it measures as it goes, and writes `gpu_check.md` and `gpu_check.json` after each part. The exit status is 0
where all parts passed, and 1 where one of them failed; the others run all the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.gpu_check.check import Check, deadline_after
from benchmarks.gpu_check.machine import machine_of
from benchmarks.gpu_check.measuring import free, leave_alone_what_is_there
from benchmarks.gpu_check.page import PAGE, write_results
from benchmarks.gpu_check.parts import PARTS, Part
from benchmarks.gpu_check.report import PartReport, say
from benchmarks.gpu_check.sizes import FULL, SMALL
from utils.errors import UserError
from utils.machine.device import resolve_device
from utils.machine.memory import keep_freed_memory


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_check", description=__doc__, allow_abbrev=False)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("gpu_check"), help="folder of the results (default: %(default)s)"
    )
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that everything works")
    parser.add_argument(
        "--budget", type=float, default=360, help="seconds after which nothing more is measured (default: %(default)s)"
    )
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), help="parts to run (default: all)")
    return parser


def run_parts(check: Check, parts: Mapping[str, Part], out: Path) -> dict[str, PartReport]:
    """Run the parts in turn; the results are written after each of them."""
    machine = machine_of(check.device)
    say(" | ".join(str(value) for value in machine.values()))
    reports: dict[str, PartReport] = {}
    for name, part in parts.items():
        say(f"\n== {part.title} ({check.deadline - time.monotonic():.0f} s left)")
        leave_alone_what_is_there()
        started = time.monotonic()
        report = reports[name] = PartReport(part.title, min(check.deadline, deadline_after(part.seconds)))
        with report.attempt(part.title):
            part.run(check, report)
        with report.attempt("freeing the memory of the device"):
            free(check.device)
        report.seconds = time.monotonic() - started
        say(f"   {report.status}, {report.seconds:.1f} s")
        write_results(out, machine, reports)
    return reports


def main(args: argparse.Namespace) -> int:
    """Run the check and return its exit status: 0 = all passed, 1 = something failed, 2 = impossible options."""
    deadline = deadline_after(args.budget)
    keep_freed_memory()  # as main.py does
    try:
        device = resolve_device(args.device)
    except UserError as error:
        sys.stderr.write(f"gpu_check: error: {error}\n")
        return 2
    check = Check(device, SMALL if args.small else FULL, deadline, args.small)
    reports = run_parts(check, {name: PARTS[name] for name in PARTS if name in (args.parts or PARTS)}, args.out)
    failed = [report.title for report in reports.values() if report.failures]
    say(f"\n{args.out / PAGE}: {'failed: ' + ', '.join(failed) if failed else 'all parts passed'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
