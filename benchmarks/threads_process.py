"""A process of `benchmarks.threads`: makes the calls that it is asked for, in the threads that it was started with."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch

from models import MODELS as REGISTRY
from models import build_model

MODELS, FORMS, WHAT = tuple(REGISTRY), ("released", "paper"), ("training step", "prediction")
AT_LEAST = 3  # calls in each turn


class Call(NamedTuple):
    """What is timed: a training step or a prediction of a bag of so many patches."""

    what: str
    model: str
    form: str
    patches: int
    dim: int
    embed_dim: int


class Times(NamedTuple):
    """Seconds on the clock of each call, and CPU seconds of a call in each turn."""

    wall: list[float]
    cpu: list[float]


def serve(end: Connection) -> None:
    """Answer (call, seconds) with the seconds of each call and the CPU seconds of one, until this process is killed."""
    from utils.machine.memory import keep_freed_memory

    keep_freed_memory()  # as main.py does
    made: tuple[Call, Callable[[], object]] | None = None
    while True:
        call, seconds = end.recv()
        if made is None or made[0] != call:
            made = call, prepared(call)
            made[1]()
        end.send(timed(made[1], seconds))


def prepared(call: Call) -> Callable[[], object]:
    """The call itself."""
    from benchmarks.steps import DROPOUT, N_OUTPUTS, Slide, model_step
    from benchmarks.training_step import prediction

    torch.manual_seed(0)
    options: dict[str, Any] = {"formulation": call.form, "n_anchors": 64} if call.model == "mico" else {}
    options |= {"embed_dim": call.embed_dim, "dropout": DROPOUT}
    model = build_model(call.model, dim_in=call.dim, n_outputs=N_OUTPUTS, **options)
    slide = Slide.of_size(call.patches, call.dim, torch.device("cpu"))
    return prediction(model, slide) if call.what == "prediction" else model_step(model, slide)


def timed(call: Callable[[], object], seconds: float) -> tuple[list[float], float]:
    """Seconds on the clock of each of some calls, and CPU seconds of one of them, with all threads of this process."""
    wall: list[float] = []
    cpu = time.process_time()
    while sum(wall) < seconds or len(wall) < AT_LEAST:
        started = time.perf_counter()
        call()
        wall.append(time.perf_counter() - started)
    return wall, (time.process_time() - cpu) / len(wall)


def burn() -> None:
    """Compute without end."""
    number = 0
    while True:
        number = (number * 1103515245 + 12345) % 2**31
