"""Seconds of a training step of each model: one case of M patches, forward, backward, optimizer.

`python -m benchmarks.training_step --patches 4000 --dim 768` prints a Markdown table. An epoch of a fold takes about
this for each training case of so many patches, and a third of it for each validation case.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import date

import torch
import torch.nn.functional as F

from models import MODELS, build_model
from models.objective import training_objective
from utils.optim import build_optimizer
from utils.text_table import markdown_table


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=__doc__, allow_abbrev=False)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--patches", type=int, default=4000, help="M, patches of the case (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=768, help="D, width of the features (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps, after one untimed (default: %(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


def training_step(name: str, n_patches: int, dim: int, device: torch.device) -> Callable[[], None]:
    """A step of the model on one case with patches on a square grid; MiCo in its released form with 64 anchors."""
    torch.manual_seed(0)
    model = build_model(name, dim_in=dim, n_outputs=4).to(device).train()
    optimizer = build_optimizer("ranger", model, lr=2e-4, weight_decay=1e-5)
    features = torch.randn(n_patches, dim, device=device)
    number = torch.arange(n_patches, device=device)
    side = max(1, int(n_patches**0.5))
    coords = torch.stack([number % side, number // side], dim=1) * 448
    zeros = torch.zeros(n_patches, dtype=torch.long, device=device)
    target = {"label": torch.tensor([1], device=device)}

    def step() -> None:
        out = model(features, zeros, zeros[:1], coords=coords)
        loss = training_objective(
            out, target, lambda logits, known: F.cross_entropy(logits, known["label"]), instance_weight=0.3
        )
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def seconds_of(step: Callable[[], None], repeats: int) -> list[float]:
    """The seconds of each of `repeats` steps, after one that is not counted."""
    step()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - started)
    return seconds


def main(args: argparse.Namespace) -> int:
    """Time the models and write the table."""
    device = torch.device(args.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    sys.stdout.write(f"{date.today()}, {where}, torch {torch.__version__}, Python {platform.python_version()}; ")
    sys.stdout.write(f"M = {args.patches}, D = {args.dim}, float32\n\n")
    rows = [["model", "seconds a step (median)", "fastest", "slowest"]]
    for name in args.models:
        seconds = seconds_of(training_step(name, args.patches, args.dim, device), args.repeats)
        rows.append([name, *(f"{value:.3f}" for value in (statistics.median(seconds), min(seconds), max(seconds)))])
    sys.stdout.write(markdown_table(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
