"""Rates at which a slide is read and checked, against plain reads of as many bytes; files in the page cache.

`python -m benchmarks.reading --patches 20000 --dim 768` prints a Markdown table. A row is a format: of a whole slide as
`read_slide` gives it, of the rows that clustering samples, or of a slide that is kept in memory. Two reads of a plain
file of as many bytes are timed beside it, turn by turn: `read()`, which returns new memory (from 32 MB on, to get that
from the system takes most of the time), and `readinto()` memory that is in use already.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import torch

from benchmarks.timing import alternate, hardware, ratio_of
from datasets.slides.features import read_rows, read_slide, write_slide
from datasets.slides.slide_cache import SlideCache
from utils.files.text_table import markdown_table

APPENDED = 256  # rows that CLAM and TRIDENT append at a time
DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Reading:
    """Something to time: its name, the bytes of features that it reads, and the call."""

    name: str
    n_bytes: int
    call: Callable[[], object]


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__, allow_abbrev=False)
    parser.add_argument("--patches", type=int, default=20000, help="M, patches of the slide (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=768, help="D, width of the features (default: %(default)s)")
    parser.add_argument("--rows", type=int, default=262, help="patches that are sampled (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=7, help="timed turns, after one untimed (default: %(default)s)")
    return parser


def main(args: argparse.Namespace) -> int:
    """Write the files, time the readings of each precision, and write the table."""
    n_patches, dim = args.patches, args.dim
    sys.stdout.write(f"{hardware()}, h5py {h5py.__version__}; M = {n_patches}, D = {dim}\n\n")
    rows = [["features", "read", "ms", "GB/s", "of read()", "of readinto()"]]
    sampled = np.sort(np.random.default_rng(0).choice(n_patches, size=min(args.rows, n_patches), replace=False))
    with TemporaryDirectory() as folder:
        for name, dtype in DTYPES.items():
            features = torch.randn(n_patches, dim, generator=torch.Generator().manual_seed(0)).to(dtype)
            for reading in readings(Path(folder), features, sampled):
                rows.append([name, *_measure(reading, Path(folder) / "plain", args.repeats)])
    sys.stdout.write(markdown_table(rows) + "\n")
    return 0


def readings(folder: Path, features: torch.Tensor, sampled: np.ndarray) -> list[Reading]:
    """All that is timed for a slide, whose files are written to the folder."""
    coords = torch.randint(0, 100_000, (len(features), 2), generator=torch.Generator().manual_seed(0))
    pt, h5, appended, packed = (folder / name for name in ("s.pt", "s.h5", "appended.h5", "packed.h5"))
    write_slide(pt, features, coords)
    write_slide(h5, features, coords)
    append_h5(appended, features.numpy(), coords.numpy())
    append_h5(packed, features.numpy(), coords.numpy(), compression="gzip", compression_opts=1)
    cache = SlideCache(2 * (features.nbytes + coords.nbytes))

    def read_first_time() -> object:
        appended.touch()  # where the chunks lie is remembered until the file changes
        return read_slide(appended)

    whole, part = features.nbytes, features.nbytes // len(features) * len(sampled)
    return [
        Reading(".pt", whole, lambda: read_slide(pt)),
        Reading(".h5, contiguous", whole, lambda: read_slide(h5)),
        Reading(".h5, chunks of one row", whole, lambda: read_slide(appended)),
        Reading(".h5, chunks of one row, first time", whole, read_first_time),
        Reading(".h5, chunks of one row, by h5py", whole, lambda: read_by_h5py(appended)),
        Reading(".h5, chunks of one row, gzip", whole, lambda: read_slide(packed)),
        Reading("kept in memory", whole, lambda: cache.read(pt)),
        Reading(f"{len(sampled)} rows of .pt", part, lambda: read_rows(pt, sampled)),
        Reading(f"{len(sampled)} rows of .h5, chunks of one row", part, lambda: read_rows(appended, sampled)),
    ]


def append_h5(path: Path, features: np.ndarray, coords: np.ndarray, *, rows: int = 1, **filters: Any) -> None:
    """Write a slide as CLAM and TRIDENT do: features and coords in turn, batch by batch, in chunks of `rows`."""
    with h5py.File(path, "w") as file:
        for name, values, options in (("features", features, filters), ("coords", coords, {})):
            width = values.shape[1]
            file.create_dataset(
                name, shape=(0, width), maxshape=(None, width), chunks=(rows, width), dtype=values.dtype, **options
            )
        for start in range(0, len(features), APPENDED):
            for name, values in (("features", features), ("coords", coords)):
                part = values[start : start + APPENDED]
                file[name].resize(start + len(part), axis=0)
                file[name][start:] = part


def read_by_h5py(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The features and coords of a slide, unchecked, as h5py reads a dataset."""
    with h5py.File(path, "r") as file:
        return file["features"][...], file["coords"][...]


def _measure(reading: Reading, plain: Path, repeats: int) -> list[str]:
    plain.write_bytes(bytes(reading.n_bytes))
    in_use = bytearray(reading.n_bytes)

    def read_into() -> None:
        with plain.open("rb", buffering=0) as file:
            file.readinto(in_use)

    calls = {"read": plain.read_bytes, "readinto": read_into, "reading": reading.call}
    seconds = alternate(calls, repeats=repeats)
    median = statistics.median(seconds["reading"])
    ratios = [f"{ratio_of(seconds[name], seconds['reading']):.2f}" for name in ("read", "readinto")]
    return [reading.name, f"{median * 1e3:.2f}", f"{reading.n_bytes / median / 1e9:.2f}", *ratios]


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
