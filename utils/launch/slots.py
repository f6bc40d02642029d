"""What pieces of one machine share: its GPUs, and the threads of its cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from utils.command.launch_options import ALL, CPU, LaunchOptions
from utils.errors import UserError
from utils.machine.cpu_threads import THREADS, cores

VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Slot:
    """The place of one piece at a time; `gpu` is what `CUDA_VISIBLE_DEVICES` says there, None on the CPU."""

    gpu: str | None = None


def slots_of(options: LaunchOptions, *, device: str) -> list[Slot]:
    """The places of pieces, GPU by GPU: the first pieces go to different GPUs.

    Args:
        options: which GPUs, and how many pieces on each of them or on the CPU.
        device: `--device` of the runs; one that names a GPU stands for `--gpus`, where these are not given.

    Raises:
        UserError: for GPUs that torch does not see, a device that contradicts `--gpus`, or `--jobs` on GPUs.
    """
    gpus = options.gpus
    if gpus is not None and device != "auto" and (device == CPU) != (gpus == (CPU,)):
        raise UserError(f"got --device {device} with --gpus {' '.join(gpus)}, expected --gpus alone")
    if gpus is not None and device.startswith("cuda:"):
        raise UserError(f"got --device {device} with --gpus {' '.join(gpus)}, expected --gpus alone")
    if gpus == (CPU,) or device == CPU:
        if options.jobs_per_gpu is not None:
            raise UserError(f"got --jobs_per_gpu {options.jobs_per_gpu} on the CPU, expected --jobs")
        return [Slot()] * (options.jobs or 1)
    visible = visible_gpus()
    if gpus is None and device == "auto" and not visible:
        return slots_of(LaunchOptions(jobs=options.jobs, jobs_per_gpu=options.jobs_per_gpu), device=CPU)
    if gpus is None:
        gpus = (device.removeprefix("cuda:"),) if device.startswith("cuda:") else (ALL,)
    if options.jobs is not None:
        raise UserError(f"got --jobs {options.jobs}, which is for the CPU: give --jobs_per_gpu, or --gpus cpu with it")
    chosen = visible if gpus == (ALL,) else [_named(gpu, visible) for gpu in gpus]
    if not chosen:
        raise UserError("got --gpus all, but torch sees no GPU here: give --gpus cpu, and --jobs for several at a time")
    return [Slot(gpu) for _ in range(options.jobs_per_gpu or 1) for gpu in chosen]


def visible_gpus() -> list[str]:
    """Each GPU that torch sees, as `CUDA_VISIBLE_DEVICES` names it; CUDA is not initialised by counting them."""
    import torch  # slow to import, and not needed on the CPU

    count, named = torch.cuda.device_count(), os.environ.get(VISIBLE)
    return [str(k) for k in range(count)] if named is None else [name.strip() for name in named.split(",")][:count]


def _named(gpu: str, visible: Sequence[str]) -> str:
    if int(gpu) >= len(visible):
        raise UserError(f"got --gpus {gpu}, but torch sees {len(visible)} GPUs here: give numbers from 0 on, or all")
    return visible[int(gpu)]


def threads_of_each(n_slots: int) -> int | None:
    """How many threads the libraries of each of so many pieces begin with; None: as in a process by itself.

    Pieces share the cores. The model of a fold computes in the threads of its run (`utils.pipeline.threads`).
    """
    if n_slots == 1 or THREADS in os.environ:
        return None
    return max(1, cores() // n_slots)
