"""Command: `python -m tests.input_errors [--write]`: make every mistake, and print or write the page."""

from __future__ import annotations

import argparse
import sys

from tests.input_errors.page import PAGE, page_of, tell_all


def main(argv: list[str]) -> int:
    """Print the page, or write it to `docs/input_errors.md`."""
    parser = argparse.ArgumentParser(prog="python -m tests.input_errors", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} in place of printing")
    args = parser.parse_args(argv)
    told = tell_all()
    page = page_of(told)
    for one in told:
        if one.ended.status != 2 or one.changed or one.ended.err.count("\n") != 1:
            sys.stderr.write(f"{one.case.name}: {one.ended.status} {one.changed[:3]} {one.ended.err}\n")
    if args.write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
