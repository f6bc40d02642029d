"""Reading a cohort from feature files and from a pack of them: seconds, CPU seconds and memory.

`python -m benchmarks.packed_cohort --slides 64 --patches 10000 --dim 768` (1 GB in each of four places) writes a cohort
in several formats, packs it from each, and reads it in a process of its own: with `--cold` (as root) from an empty page
cache first, then twice as it is. `--memory PROCESSES` adds what so many processes take that hold all slides: with
`--cache ram`, and mapped from the pack. `--tiny SLIDES` packs so many slides of 4 x 8 instead, and opens the pack
with and without their files.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.reading import append_h5
from benchmarks.timing import hardware
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import find_slides, write_slide
from datasets.slides.slide_cache import SlideCache
from utils.files.text_table import markdown_table
from utils.machine.threads import map_in_threads

READ, HOLD, OPEN = "--read", "--hold", "--open"  # what a process of its own does
NAMES = {
    "gzip": ".h5, chunks of 256 rows, gzip",
    "chunks": ".h5, chunks of one row (CLAM)",
    "pt": ".pt",
    "pack": "pack",
}
_THREADS = 2  # of a run that reads ahead
_SETTLED = 2.5  # seconds after which the time of a file proves what it is


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packed_cohort", description=__doc__, allow_abbrev=False)
    parser.add_argument("--slides", type=int, default=64, help="slides of the cohort (default: %(default)s)")
    parser.add_argument("--patches", type=int, default=10000, help="M of each (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=768, help="D, float16 (default: %(default)s)")
    parser.add_argument("--cold", action="store_true", help="empty the page cache before a first reading (as root)")
    parser.add_argument("--memory", type=int, metavar="PROCESSES", help="measure the memory of so many, too")
    parser.add_argument("--tiny", type=int, metavar="SLIDES", help="pack and open so many tiny slides instead")
    parser.add_argument("--folder", type=Path, help="where cohorts are written (default: a temporary one)")
    return parser


def main(args: argparse.Namespace) -> int:
    """Measure, and write the tables."""
    sys.stdout.write(f"{hardware()}\n")
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        for rows in tables_of_tiny(folder, args.tiny) if args.tiny else tables_of_cohort(folder, args):
            sys.stdout.write("\n" + markdown_table(rows) + "\n")
            sys.stdout.flush()
    return 0


def tables_of_cohort(folder: Path, args: argparse.Namespace) -> Iterator[list[list[str]]]:
    """Packing, reading, and with `--memory` the memory of processes."""
    gigabytes = args.slides * args.patches * (2 * args.dim + 16) / 1e9
    write_cohort(folder, args.slides, args.patches, args.dim)
    packing = [["packed from", "seconds", "CPU seconds", "GB/s"]]
    for kind in ("gzip", "chunks", "pt"):
        seconds, used = packed(folder / kind, folder / "pack", cold=args.cold)
        packing.append([NAMES[kind], f"{seconds:.1f}", f"{used:.1f}", f"{gigabytes / seconds:.2f}"])
    yield packing
    reading = [["read from", "page cache", "seconds", "CPU seconds", "GB/s"]]
    for kind, name in NAMES.items():
        for cache in ("empty", "warm", "warm") if args.cold else ("warm", "warm"):
            if cache == "empty":
                empty_page_cache()
            _, _, seconds, used = map(float, child(READ, folder / kind).split())
            reading.append([name, cache, f"{seconds:.2f}", f"{used:.2f}", f"{gigabytes / seconds:.2f}"])
    yield reading
    if args.memory:
        memory = [[f"{args.memory} processes", "of the cohort", "GB in all (PSS)", "of it anonymous"]]
        for kind, name in (("pt", "`--cache ram`"), ("pack", "pack, all slides mapped")):
            pss, own = memory_of(folder / kind, args.memory)
            memory.append([name, f"{gigabytes:.2f} GB", f"{pss / 1e9:.2f}", f"{own / 1e9:.2f}"])
        yield memory


def write_cohort(folder: Path, n_slides: int, n_patches: int, dim: int) -> None:
    """The same slides, with coords, in a folder for each format; half of the features are 0, as after a ReLU."""
    for kind in ("gzip", "chunks", "pt"):
        (folder / kind).mkdir()
    base = np.random.default_rng(0).standard_normal((n_patches, dim), dtype=np.float32).clip(min=0).astype(np.float16)
    coords = np.stack(np.divmod(np.arange(n_patches), 200), axis=1) * 512
    for number in range(n_slides):
        base[0, 0], name = number % 2048, f"slide_{number:04d}"  # or the time goes into making numbers
        write_slide(folder / "pt" / f"{name}.pt", torch.from_numpy(base), torch.from_numpy(coords))
        append_h5(folder / "chunks" / f"{name}.h5", base, coords)
        append_h5(folder / "gzip" / f"{name}.h5", base, coords, rows=256, compression="gzip", compression_opts=4)
    time.sleep(_SETTLED)


def packed(features: Path, pack: Path, *, cold: bool = False) -> tuple[float, float]:
    """Seconds and CPU seconds of `datasets.pack`; a pack that is there is replaced, and nothing taken from it."""
    if cold:
        empty_page_cache()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    options = ["--features_dir", str(features), "--output_dir", str(pack), "--verify", "full", "--overwrite"]
    called = [sys.executable, "-m", "datasets.pack", *options]
    ended = subprocess.run(called, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def empty_page_cache() -> None:
    """Let the system read files from the disk again."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")


def child(what: str, features: Path) -> str:
    """What a process of its own prints that reads these features."""
    called = [sys.executable, "-m", "benchmarks.packed_cohort", what, str(features)]
    ended = subprocess.run(called, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    return ended.stdout.splitlines()[-1]


def opened(features: Path) -> tuple[FeatureIndex, list[Path]]:
    """The index of a cohort, whose headers were looked at, and its files."""
    index, paths = FeatureIndex(), find_slides([features])
    index.look_at_all(paths)
    return index, list(paths.values())


def read_all(features: Path) -> None:
    """Read an epoch; print seconds and CPU seconds to open the cohort, and of the reading."""
    started, used = time.perf_counter(), time.process_time()
    index, paths = opened(features)
    begun, used_until = time.perf_counter(), time.process_time()
    for slide in map_in_threads(index.read, paths, _THREADS):
        slide.features.view(torch.int16).numpy().max()  # whoever computes on them looks at all
    seconds = begun - started, used_until - used, time.perf_counter() - begun, time.process_time() - used_until
    index.save()
    sys.stdout.write(" ".join(f"{each:.4f}" for each in seconds) + "\n")


def hold_all(features: Path) -> None:
    """Keep all slides, mapped from a pack or in memory of their own, until standard input ends."""
    index, paths = opened(features)
    cache = SlideCache(2**50, index.read)
    read = index.read if (features / "pack.csv").exists() else cache.read
    kept = [read(path) for path in paths]
    sys.stdout.write("held\n")
    sys.stdout.flush()
    sys.stdin.read()
    del kept


def memory_of(features: Path, n_processes: int) -> tuple[int, int]:
    """Bytes of memory that processes take which hold all slides: in all, shared pages counted once; and anonymous."""
    called = [sys.executable, "-m", "benchmarks.packed_cohort", HOLD, str(features)]
    held = [
        subprocess.Popen(called, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(n_processes)
    ]
    try:
        for process in held:
            if process.stdout is None or process.stdout.readline() != "held\n":
                raise SystemExit("a process ended before it held the slides")
        texts = [Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii") for process in held]
    finally:
        for process in held:
            process.communicate()
    pss, own = (1024 * sum(_kilobytes(name, text) for text in texts) for name in ("Pss", "Pss_Anon"))
    return pss, own


def _kilobytes(name: str, text: str) -> int:
    found = re.search(rf"^{name}: +(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def tables_of_tiny(folder: Path, n_slides: int) -> Iterator[list[list[str]]]:
    """Packing and opening many slides of 4 x 8."""
    (folder / "files").mkdir()
    numbers = np.random.default_rng(0).standard_normal((n_slides, 4, 8)).astype(np.float16)
    for number in range(n_slides):
        name = f"TCGA-2F-A{number:05d}-01Z-00-DX1.195576CF-5b5c-4a4b-9a39-{number:012x}"
        np.save(folder / "files" / f"{name}.npy", numbers[number])
    time.sleep(_SETTLED)
    rows = [[f"{n_slides} slides", "seconds", "CPU seconds", "peak MB"]]
    seconds, used = packed(folder / "files", folder / "pack")
    rows.append(["packed", f"{seconds:.1f}", f"{used:.1f}", ""])
    for what, features in (("files opened", "files"), ("pack opened, files there", "pack")):
        rows.append([what, *child(OPEN, folder / features).split()])
    (folder / "files").rename(folder / "elsewhere")
    rows.append(["pack opened, files elsewhere", *child(OPEN, folder / "pack").split()])
    yield rows


def open_all(features: Path) -> None:
    """Open a cohort; print seconds, CPU seconds, and the megabytes that the process took for it at its peak."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    opened(features)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 1e3
    sys.stdout.write(f"{time.perf_counter() - started:.1f} {time.process_time() - used:.1f} {grown:.0f}\n")


if __name__ == "__main__":
    own = {READ: read_all, HOLD: hold_all, OPEN: open_all}.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if own is not None:
        own(Path(sys.argv[2]))
        sys.exit(0)
    sys.exit(main(get_args_parser().parse_args()))
