"""`python -m tests.soak.determinism`: which results are equal byte for byte under which circumstances.

Both tasks, both forms of MiCo, and anchors are computed once, and again with other numbers of reading threads, with the
slides kept in memory, and with two threads of computation. Prints a table: a line per circumstance, a column per file.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.soak.comparison import contents
from tests.soak.processes import Call, Workshop

SIZE = ("--n_cases", "12", "--n_folds", "2", "--dim", "64", "--patches_per_slide", "400", "1500", "--n_bins", "2")
MODEL = ("--embed_dim", "64", "--n_clusters", "16", "--epochs", "3", "--device", "cpu", "--folds", "0")
AGAIN = "two threads, both times"
COLUMNS: tuple[str, ...] = ("checkpoint.pt", "last.pt", "log.csv", "predictions_train.csv", "predictions_val.csv")
COLUMNS += ("predictions_test.csv", "metrics.json", "summary.json", "figures")  # reports and run.json name the options
TRAINING: Mapping[str, tuple[tuple[str, ...], int]] = {
    "the same again": ((), 1),
    "--num_workers 0": (("--num_workers", "0"), 1),
    "--num_workers 4": (("--num_workers", "4"), 1),
    "--cache ram": (("--cache", "ram"), 1),
    "two threads": ((), 2),
    AGAIN: ((), 2),
}
CLUSTERING: Mapping[str, tuple[tuple[str, ...], int]] = {
    "the same again": ((), 1),
    "--workers 1": (("--workers", "1"), 1),
    "two threads": ((), 2),
}


def processor() -> str:
    """The name of the processor."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="ascii"), re.MULTILINE)
    return found.group(1) if found else platform.processor()


def run(workshop: Workshop, call: Call, folder: Path, threads: int) -> dict[str, bytes]:
    """The results of a command in a folder of its own, without times."""
    folder.mkdir(parents=True)
    ended = workshop.start_cold(call, folder, threads=threads).wait(1200)
    if ended.status:
        raise RuntimeError(f"{call}\n{ended.err}")
    return contents(folder)


def differing(found: Mapping[str, bytes], expected: Mapping[str, bytes]) -> list[str]:
    """The files whose content is not the same."""
    return sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))


def study(workshop: Workshop, place: Path) -> None:
    """Run everything and print it."""
    for task in ("cls", "surv"):
        call = Call.of("datasets/synthetic/__main__.py", "--output_dir", place / task, "--task", task, *SIZE)
        run(workshop, call, place / f"made_{task}", 1)
    anchors = anchors_of(workshop, place)
    for task in ("cls", "surv"):
        for form in ("released", "paper"):
            source = anchors if (task, form) == ("cls", "released") else Path("random")
            report_training(workshop, place, task, form, source)


def anchors_of(workshop: Workshop, place: Path) -> Path:
    """Fit slide anchors under each circumstance, say what differs, and return those of the first."""
    cohort = place / "cls"
    where = ("--dataset_name", "toy", "--input_dir", cohort / "features", "--output_dir", "anchors")
    call = Call.of("run_clustering.py", *where, "--fold_csv", cohort / "splits" / "fold0.csv", "--n_clusters", 16)
    expected = run(workshop, call, place / "anchors", 1)
    for number, (name, (more, threads)) in enumerate(CLUSTERING.items()):
        found = run(workshop, call.plus(*more), place / f"anchors{number}", threads)
        other = differing(found, expected)
        say(f"anchors | {name} | {len(expected) - len(other)} of {len(expected)} files equal | {', '.join(other)}")
    return next((place / "anchors" / "anchors").glob("*/"))


def report_training(workshop: Workshop, place: Path, task: str, form: str, anchors: Path) -> None:
    """Train under each circumstance and say what differs."""
    cohort = place / task
    where = ("--features_dir", cohort / "features", "--splits_dir", cohort / "splits", "--results_dir", "results")
    options = (*where, "--anchors", anchors, "--formulation", form, *MODEL, "--dropout", "0.2")
    call = Call.of("main.py", "--task", task, "--dataset", "toy", *options)
    call = call.plus("--n_bins", 2) if task == "surv" else call
    kind = f"{task}, {form}, {'random' if str(anchors) == 'random' else 'slide'} anchors"
    expected = run(workshop, call, place / kind / "first", 1)
    found = expected
    for number, (name, (more, threads)) in enumerate(TRAINING.items()):
        before, found = found, run(workshop, call.plus(*more), place / kind / str(number), threads)
        other = differing(found, before if name == AGAIN else expected)
        marks = ["differs" if any(column in path for path in other) else "equal" for column in COLUMNS]
        say(f"{kind} | {name} | " + " | ".join(marks))


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201  the output of this command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.determinism", description=__doc__.splitlines()[0])
    parser.parse_args(argv)
    say(f"{processor()}, Python {platform.python_version()}")
    say("what | circumstance | " + " | ".join(COLUMNS))
    with tempfile.TemporaryDirectory() as scratch, Workshop(Path(scratch) / "w") as shop:
        study(shop, Path(scratch).resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
