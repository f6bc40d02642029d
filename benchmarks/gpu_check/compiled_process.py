"""What `benchmarks.gpu_check.compiled` asks for, measured in this process: a line of JSON for each task."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu_check.measuring import seconds_of, timed
from benchmarks.gpu_check.report import first_line
from benchmarks.gpu_check.sizes import FULL, SMALL, Sizes
from benchmarks.gpu_check.steps import CALLS
from benchmarks.gpu_check.variants import MICO, Variant, case_of, random_slide
from datasets.bags import Batch
from utils.training.engine import Runner, predict


def attempted(asked: dict[str, Any], task: str, batch: Batch, sizes: Sizes) -> dict[str, Any]:
    """What `measure` finds; where the compiler fails, with those parts as they are that it fails on."""
    torch._dynamo.config.suppress_errors = False
    try:
        return measure(asked, task, batch, sizes)
    except Exception as error:  # noqa: BLE001  see main
        message = f"compiled in parts only, without: {type(error).__name__}: {first_line(error)}"
    torch._dynamo.config.suppress_errors = True
    return {**measure(asked, task, batch, sizes), "error": message}


def measure(asked: dict[str, Any], task: str, batch: Batch, sizes: Sizes) -> dict[str, float]:
    """Milliseconds of a call without and with compilation, seconds of its first calls, difference of the logits."""
    device, precision = batch.features.device, asked["precision"]
    variant = Variant(MICO, asked["form"])
    model, plain = (variant.build(sizes).to(device) for _ in range(2))
    expected = logits_of(plain, batch, precision)
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    compiled: Any = torch.compile(model, dynamic=True, backend="eager" if asked["small"] else "inductor")
    started = time.perf_counter()
    found = logits_of(compiled, batch, precision)
    call = CALLS[task](compiled, batch, precision, device)
    seconds_of(call, device)
    first = time.perf_counter() - started
    breaks = sum(torch._dynamo.utils.counters["graph_break"].values())
    options = {"seconds": sizes.repeat_seconds, "repeats": sizes.repeats}
    with_it = timed(call, device, **options).median  # type: ignore[arg-type]
    without = timed(CALLS[task](plain, batch, precision, device), device, **options).median  # type: ignore[arg-type]
    times = {"without": 1e3 * without, "with": 1e3 * with_it, "ratio": without / with_it, "first": first}
    return {**times, "breaks": breaks, "difference": float((found - expected).abs().max() / expected.abs().max())}


def logits_of(model: nn.Module, batch: Batch, precision: str) -> Tensor:
    """Logits (1, C), on the CPU."""
    return predict(Runner(model, batch.features.device, precision), [batch], n_batches=1, label="logits")


def main(arguments: list[str]) -> int:
    """Measure what the argument asks for; an error is a result."""
    asked = json.loads(arguments[0])
    sizes, device = SMALL if asked["small"] else FULL, torch.device(asked["device"])
    batch = case_of([random_slide(sizes.slides[0], sizes.dim, device)]).to(device)
    for task in asked["tasks"]:
        answer: dict[str, Any] = {"task": task}
        try:
            answer |= attempted(asked, task, batch, sizes)
        except Exception as error:  # noqa: BLE001  a compilation that fails is what is to be found out
            answer["error"] = f"{type(error).__name__}: {first_line(error)}"
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
