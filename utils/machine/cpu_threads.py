"""How many threads of the CPU a model computes in: from the size of its batches and the cores that there are."""

from __future__ import annotations

import os
import re

THREADS = "OMP_NUM_THREADS"
# A thread pays from so many numbers of the embedding on, patches x width: 256 patches of MiCo's 512. On two free cores
# (Intel Xeon, AVX-512) two threads made a training step 1.1 times as fast for 50 patches, 1.3 for 200, 1.4 for 500, 1.5
# for 1,000 and 1.7 for 4,000, with 22, 27, 5, 2 and 3 % more CPU seconds; ABMIL, TransMIL and PatchGCN are alike, and
# MiCo of width 64 gets 1.1 for 2,000 and 1.2 for 4,000 (`python -m benchmarks.threads`, docs/scaling.md).
NUMBERS_OF_A_THREAD = 2**17


def threads_for(patches: float, width: int, n_cores: int) -> int:
    """How many threads pay.

    Args:
        patches: of a batch, on average: what a call takes is a constant and a part for each patch, so that the mean
            tells what all of them take, however different they are.
        width: of the embedding that the model computes with.
        n_cores: that there are for it.

    >>> [threads_for(patches, 512, n_cores=16) for patches in (60, 511, 512, 10_000)]
    [1, 1, 2, 16]
    >>> threads_for(10_000, 64, n_cores=16), threads_for(10_000, 512, n_cores=1)
    (4, 1)
    """
    return max(1, min(n_cores, int(patches * width / NUMBERS_OF_A_THREAD)))


def given_threads(option: int | None) -> int | None:
    """The number that the user has given: `--threads`, else `OMP_NUM_THREADS`; None without either."""
    if option is not None:
        return option
    match = re.match(r"\s*0*([1-9][0-9]{0,3})\s*(,|$)", os.environ.get(THREADS, ""))  # of a list, the outermost level
    return int(match.group(1)) if match else None


def cores() -> int:
    """The cores that this process may use: a batch system may give fewer than there are."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    of_job = os.environ.get("SLURM_CPUS_ON_NODE", "")  # without cgroups Slurm leaves all cores in sight
    return min(allowed, int(of_job)) if of_job.isdecimal() and int(of_job) else allowed
