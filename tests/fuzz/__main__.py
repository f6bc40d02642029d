"""Command: `python -m tests.fuzz --reader NAME --seconds N`: damaged files for a reader, for as long as you like.

Exit code 1 where an input ended in anything but a result or a UserError, took over 10 s, or took more than ten times
the memory of its file (and more than 200 MiB).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.harness import fuzz, import_once, keep, replay
from tests.fuzz.target import target_names


def main(argv: list[str]) -> int:
    """Fuzz the readers that are named, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--reader", nargs="+", required=True, choices=[*target_names(), "all"], metavar="NAME")
    parser.add_argument("--seconds", type=float, default=60, help="for each reader (default: 60)")
    parser.add_argument("--inputs", type=int, default=1 << 62, help="at most so many for each reader")
    parser.add_argument("--seed", type=int, default=0, help="of the inputs (default: 0)")
    parser.add_argument("--processes", type=int, default=1, help="that read at the same time (default: 1)")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz_findings", metavar="DIR")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="read these files as they are instead")
    args = parser.parse_args(argv)
    names = target_names() if "all" in args.reader else args.reader
    import_once(names)
    found = False
    for name in names:
        if args.replay:
            result = replay(name, args.replay)
        else:
            limits = {"seconds": args.seconds, "inputs": args.inputs}
            result = fuzz(name, **limits, seed=args.seed, processes=args.processes)
        sys.stdout.write(f"{result.describe()}\n")
        for path, (finding, _) in zip(keep(result, args.keep), result.findings.values(), strict=True):
            sys.stdout.write(f"  {finding.kind} at {finding.where} (input {finding.number}): {path}\n")
        sys.stdout.flush()
        found = found or bool(result.findings)
    return int(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
