"""Seconds, inertia and memory of anchors: k-means against other libraries, and the whole command on a cohort.

`python -m benchmarks.clustering` prints a Markdown table for points of a data set and of a slide, then what
`run_clustering.py` takes for a cohort of synthetic slides. `--exponents` adds how the seconds grow with the number of
points, anchors and slides.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import torch
from sklearn.cluster import KMeans, MiniBatchKMeans

from benchmarks.clustering_data import Mixture, write_cohort
from benchmarks.timing import growth, hardware
from datasets.slides.features import find_slides, read_slide
from utils.anchors.kmeans import kmeans
from utils.anchors.lloyd import assign, inertia_of
from utils.files.text_table import markdown_table

ROOT = Path(__file__).parents[1]


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clustering", description=__doc__, allow_abbrev=False)
    parser.add_argument("--points", type=int, default=262144, help="points of the data set (default: %(default)s)")
    parser.add_argument("--slide", type=int, default=10000, help="patches of a slide (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=768, help="D, width of the features (default: %(default)s)")
    parser.add_argument("--clusters", type=int, default=64, help="K, the number of anchors (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds, of which medians are (default: %(default)s)")
    parser.add_argument("--slides", type=int, default=100, help="slides of the cohort; 0: none (default: %(default)s)")
    parser.add_argument("--exponents", action="store_true", help="also measure how the seconds grow")
    parser.add_argument("--slide_counts", type=int, nargs="+", default=(10, 100, 1000), help="cohorts of --exponents")
    return parser


def ways(k: int) -> dict[str, Callable[[np.ndarray, int], np.ndarray]]:
    """Functions of points and seed that return centroids (k, d)."""

    def plain_faiss(x: np.ndarray, seed: int, **options: int) -> np.ndarray:
        clustering = faiss.Kmeans(x.shape[1], k, niter=20, seed=seed, min_points_per_centroid=1, **options)
        clustering.train(x)
        return np.array(clustering.centroids)

    return {
        "utils.anchors.kmeans": lambda x, seed: kmeans(x, k, seed=seed).centroids,
        "faiss.Kmeans": plain_faiss,
        "faiss.Kmeans, all points": lambda x, seed: plain_faiss(x, seed, max_points_per_centroid=len(x)),
        "MiniBatchKMeans": lambda x, seed: MiniBatchKMeans(k, n_init=1, random_state=seed).fit(x).cluster_centers_,
        "KMeans": lambda x, seed: KMeans(k, n_init=1, random_state=seed).fit(x).cluster_centers_,
    }


def compare(what: str, x: np.ndarray, k: int, n_seeds: int) -> list[list[str]]:
    """Rows of the table for points (n, d): the same seeds for each way, one way after the other."""
    shift = torch.from_numpy(x.mean(axis=0, dtype=np.float64)).float()
    found: dict[str, tuple[float, float]] = {}
    for name, fit in ways(k).items():
        seconds, inertia = [], []
        fit(x[: 10 * k], 0)  # warm-up
        for seed in range(n_seeds):
            started = time.perf_counter()
            centroids = fit(x, seed)
            seconds.append(time.perf_counter() - started)
            inertia.append(_inertia(x, torch.from_numpy(centroids).float(), shift))
        found[name] = statistics.median(seconds), statistics.median(inertia)
    own, reference = found["utils.anchors.kmeans"][0], found["KMeans"][1]
    return [
        [what, name, f"{seconds:.3f}", f"{seconds / own:.2f}", f"{inertia / reference:.4f}"]
        for name, (seconds, inertia) in found.items()
    ]


def _inertia(x: np.ndarray, centroids: torch.Tensor, shift: torch.Tensor) -> float:
    total = 0.0
    for start in range(0, len(x), 65536):
        block = torch.from_numpy(x[start : start + 65536]) - shift
        total += inertia_of(block, centroids - shift, assign(block, centroids - shift).nearest)
    return total


def command_lines(n_slides: int, n_patches: int, dim: int, k: int) -> list[str]:
    """What the command takes for a cohort, in sentences; files are out of the page cache before each reading."""
    with tempfile.TemporaryDirectory() as temporary:
        features = Path(temporary)
        write_cohort(features, n_slides, n_patches, dim)
        data_set = run_command(features, "dataset", k)
        forget(features)
        started = time.perf_counter()
        for path in find_slides([features]).values():
            read_slide(path)
        everything = time.perf_counter() - started
        slides = run_command(features, "slide", k)
    rest = data_set["seconds"] - data_set["kmeans"]
    return [
        f"{n_slides} slides of {n_patches} x {dim} float16, run_clustering.py:",
        f"- data-set anchors: {rest:.1f} s to read the samples, {data_set['kmeans']:.1f} s of k-means, "
        f"{data_set['bytes'] / 1e9:.2f} GB at the peak; reading all patches takes {everything:.1f} s",
        f"- slide anchors: {slides['seconds'] / n_slides:.3f} s a slide, {slides['kmeans'] / n_slides:.3f} s of them "
        f"k-means, {slides['bytes'] / 1e9:.2f} GB at the peak",
    ]


def run_command(features: Path, scope: str, k: int) -> dict[str, float]:
    """What `benchmarks.clustering_process` measures for the features of this directory."""
    forget(features)
    with tempfile.TemporaryDirectory() as out:
        options = ["--dataset_name", "cohort", "--n_clusters", str(k), "--scope", scope]
        places = ["--input_dir", str(features), "--output_dir", out]
        command = [sys.executable, "-m", "benchmarks.clustering_process", *options, *places]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return measured


def forget(directory: Path) -> None:
    """Take the files of a directory out of the page cache, so that they are read from the disk again."""
    for path in directory.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def exponent_lines(x: np.ndarray, k: int, slide_counts: list[int]) -> list[str]:
    """Seconds against points, anchors and slides, with the exponent between the first and the last."""
    by_points, by_anchors, by_slides = {}, {}, {}
    for n in (len(x) // 16, len(x) // 4, len(x)):
        by_points[n] = seconds_of(x[:n], k)
    for n in (k // 4, k, 4 * k):
        by_anchors[n] = seconds_of(x, n)
    for n in slide_counts:
        with tempfile.TemporaryDirectory() as temporary:
            write_cohort(Path(temporary), n, 200, 64)
            by_slides[n] = run_command(Path(temporary), "dataset", 4)["seconds"]
    return [
        growth("points", by_points),
        growth("anchors", by_anchors),
        growth("slides of 200 x 64 (the whole command)", by_slides),
    ]


def seconds_of(x: np.ndarray, k: int) -> float:
    """Seconds of k-means with the default options, the median of three seeds."""
    seconds = []
    for seed in range(3):
        started = time.perf_counter()
        kmeans(x, k, seed=seed)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main(args: argparse.Namespace) -> int:
    """Measure and write the table and the lines."""
    sys.stdout.write(f"{hardware()}, faiss {faiss.__version__}; D = {args.dim}, K = {args.clusters}, float32\n\n")
    mixture = Mixture(args.dim)
    points = mixture.points(args.points, seed=1)
    table = [["points", "k-means", "seconds (median)", "ratio to utils.anchors.kmeans", "inertia relative to KMeans"]]
    for what, x in ((f"{args.slide}, a slide", points[: args.slide].copy()), (f"{args.points}, a data set", points)):
        table += compare(what, x, args.clusters, args.seeds)
    sys.stdout.write(markdown_table(table) + "\n")
    lines = command_lines(args.slides, args.slide, args.dim, args.clusters) if args.slides else []
    if args.exponents:
        lines += exponent_lines(points, args.clusters, args.slide_counts)
    sys.stdout.write("".join(f"{line}\n" for line in ["", *lines]))
    return 0


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
