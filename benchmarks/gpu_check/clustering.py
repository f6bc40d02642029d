"""k-means of the project: on the CPU, and on the GPU where faiss can use it."""

from __future__ import annotations

import time
from importlib.util import find_spec

from benchmarks.clustering_data import Mixture
from benchmarks.gpu_check.check import Check
from benchmarks.gpu_check.measuring import synchronize
from benchmarks.gpu_check.report import PartReport


def run(check: Check, report: PartReport) -> None:
    """Time k-means of the points of a data set."""
    if find_spec("faiss") is None:
        report.leave_out("k-means", "faiss is not installed")
        return
    import faiss

    from utils.anchors.kmeans import kmeans

    sizes = check.sizes
    table = report.table(
        f"k-means of {sizes.points} points, D = {sizes.dim}, K = {sizes.n_anchors}", "where", "seconds", "inertia"
    )
    has_gpu = check.is_cuda and hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    points = Mixture(sizes.dim).points(sizes.points, seed=1)
    for where in ("CPU", *(("GPU",) if has_gpu else ())):
        if not report.time_for(f"k-means, {where}"):
            continue
        with report.attempt(f"k-means, {where}"):
            gpu = where == "GPU"
            kmeans(points[: 40 * sizes.n_anchors], sizes.n_anchors, seed=0, gpu=gpu)  # warm-up
            synchronize(check.device)
            started = time.perf_counter()
            inertia = kmeans(points, sizes.n_anchors, seed=0, gpu=gpu).inertia
            table.add(where, time.perf_counter() - started, inertia)
    if not has_gpu:
        report.leave_out("k-means on the GPU", f"faiss {faiss.__version__} sees no GPU")
