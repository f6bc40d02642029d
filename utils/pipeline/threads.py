"""The threads of the CPU that a run, or the prediction of a cohort, computes in."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datasets.folds.cases import PARTS, Case
from datasets.slides.feature_index import FeatureIndex
from utils.command.settings import RunSettings
from utils.files.phrases import counted
from utils.machine.cpu_threads import cores, threads_for
from utils.pipeline.inputs import FoldInputs
from utils.runs.run_record import read_run

logger = logging.getLogger("main")

GIVEN = "as --threads or OMP_NUM_THREADS says"
DEFAULT_WIDTH = 512  # of models without the option embed_dim


@dataclass(frozen=True)
class Threads:
    """A number of threads, and in words why it is this one."""

    number: int
    why: str

    def __str__(self) -> str:
        return f"{counted(self.number, 'thread')}: {self.why}"


def chosen_threads(
    given: int | None, patches: float, width: int, *, device: torch.device, at_a_time: int = 1
) -> Threads:
    """How many threads to begin with.

    On a GPU it is one, which launches its kernels: batches are read and joined by `--num_workers` threads of their own.

    Args:
        given: by the user.
        patches: of a batch, on average.
        width: of the model.
        device: where it computes.
        at_a_time: how many pieces share the cores of this process.
    """
    if given is not None:
        return Threads(given, GIVEN)
    if device.type != "cpu":
        return Threads(1, "beside the GPU")
    share = max(1, cores() // at_a_time)
    number = threads_for(patches, width, share)
    return Threads(number, f"batches of {patches:,.0f} patches on average, {counted(share, 'core')}")


def threads_of_run(
    settings: RunSettings, inputs: Sequence[FoldInputs], device: torch.device, at_a_time: int | None
) -> Threads:
    """The threads that a run is begun with; all its bags count, whichever part of a fold they are in."""
    cases = {case.case_id: case for each in inputs for part in PARTS for case in each.fold.part(part)}.values()
    paths = {slide_id: each.paths[slide_id] for each in inputs for slide_id in each.fold.slides()}
    patches = patches_of(paths, inputs[0].known)
    mean = settings.batch_size * mean_patches(cases, patches, settings.max_patches)
    width = int(settings.model_options.get("embed_dim", DEFAULT_WIDTH))
    return chosen_threads(settings.threads, mean, width, device=device, at_a_time=at_a_time or 1)


def patches_of(paths: Mapping[str, Path], index: FeatureIndex) -> dict[str, int]:
    """{slide id: number of its patches}, of feature files that were looked at."""
    return {slide_id: slide.n_patches for slide_id, slide in index.found(paths).items()}


def compute_in_threads_for(
    cases: Sequence[Case],
    patches: Mapping[str, int],
    run: Mapping[str, Any],
    *,
    given: int | None,
    recorded: int | None,
    device: torch.device,
) -> int:
    """Let this process compute in the threads for the cases of another cohort, and return their number.

    Args:
        cases: of the cohort.
        patches: of each slide.
        run: the settings of the run that is applied, as its record has them.
        given: the number that the user has given.
        recorded: the number that the cohort was predicted with, if it was.
        device: where the models compute.
    """
    mean = run.get("batch_size", 1) * mean_patches(cases, patches)
    chosen = chosen_threads(given, mean, run.get("embed_dim", DEFAULT_WIDTH), device=device)
    if given is None and recorded is not None:
        chosen = Threads(recorded, "as the cohort was predicted with")
    logger.info("%s", chosen)
    torch.set_num_threads(chosen.number)
    return chosen.number


def mean_patches(cases: Iterable[Case], patches: Mapping[str, int], max_patches: int | None = None) -> float:
    """Patches of a bag, on average.

    >>> slides = {"a": 100, "b": 300}
    >>> cases = [Case("p", ("a", "b"), label=0), Case("q", ("a",), label=1)]
    >>> mean_patches(cases, slides), mean_patches(cases, slides, max_patches=150)
    (250.0, 175.0)
    """
    sizes = [sum(min(patches[s], max_patches or patches[s]) for s in case.slide_ids) for case in cases]
    return sum(sizes) / len(sizes)


def compute_in_threads_of(settings: RunSettings, chosen: Threads | None) -> None:
    """Let this process compute in the threads of the run, which its `run.json` has, unless others are given.

    Args:
        settings: of the run.
        chosen: what it would begin with here; None for a fold of a run that was begun elsewhere.
    """
    recorded, given = read_run(settings.run_dir).get("threads"), settings.threads
    if given is not None:
        threads = Threads(given, GIVEN)
        if recorded not in (None, given):
            words = "warning: the run was begun with %s, and goes on with %d: last digits of predictions may differ"
            logger.warning(words, counted(recorded, "thread"), given)
    elif chosen is not None and recorded in (None, chosen.number):
        threads = chosen
    else:
        threads = Threads(recorded or 1, "as the run was begun with")
    logger.info("%s", threads)
    torch.set_num_threads(threads.number)
