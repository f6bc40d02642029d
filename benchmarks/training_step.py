"""Seconds of a training step of each model: one case of M patches, forward, backward, optimizer.

`python -m benchmarks.training_step` prints a Markdown table: MiCo in its forms, its plain path (separate layers, a loop
over slides), the limit that its matrix products set, and the other models. An epoch of a fold takes about this for each
training case of so many patches, and a third of it for each validation case. A second table has epochs over small bags.
`--growth` adds how MiCo's seconds grow with patches and anchors.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

import torch

from benchmarks.products import products_alone, released_products
from benchmarks.small_bags import BATCHED, DIM, N_BAGS, PLAIN, epochs
from benchmarks.steps import (
    TORCHMIL_MODELS,
    Form,
    Slide,
    call_model,
    mico,
    model_step,
    plain_step,
    registry_step,
    torchmil_step,
)
from benchmarks.timing import alternate, growth, hardware, ratio_of
from models import MODELS
from utils.files.text_table import markdown_table
from utils.machine.memory import keep_freed_memory

RELEASED, HARD, PAPER = Form(), Form(assignment="hard"), Form("paper")
MICO_FORMS = (RELEASED, Form(precision="bf16"), HARD, PAPER, Form("paper", precision="bf16"))
PLAIN_FORMS = (RELEASED, Form(precision="bf16"), HARD, PAPER)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
ALONE = "matrix products alone"

Row = tuple[str, str, str]  # what is timed, form, precision


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=__doc__, allow_abbrev=False)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--patches", type=int, default=10000, help="M, patches of the case (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=768, help="D, width of the features (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="timed steps, after one untimed (default: %(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--growth", action="store_true", help="also measure how the seconds of MiCo grow")
    parser.add_argument("--patch_counts", type=int, nargs="+", default=(1000, 3000, 10000, 30000, 100000))
    parser.add_argument("--anchor_counts", type=int, nargs="+", default=(16, 64, 256))
    return parser


def calls_of(models: Sequence[str], slide: Slide) -> dict[Row, Callable[[], object]]:
    """What is timed: MiCo with its plain path and its limit, and the other models with those of torchmil."""
    calls: dict[Row, Callable[[], object]] = {}
    n_patches, dim = slide.features.shape
    if "mico" in models:
        for form in PLAIN_FORMS:
            calls["mico, plain path", form.name, form.precision] = plain_step(form, slide)
        for form in MICO_FORMS:
            calls["mico", form.name, form.precision] = model_step(mico(dim, form), slide, form.precision)
        for precision, dtype in PRECISIONS.items():
            products = released_products(n_patches, dim)
            calls[ALONE, "released", precision] = products_alone(products, dtype, slide.features.device)
    for name in models:
        if name != "mico":
            calls[name, "", "fp32"] = registry_step(name, slide)
        if name in TORCHMIL_MODELS and find_spec("torchmil"):
            calls[f"{name} of torchmil", "", "fp32"] = torchmil_step(name, slide)
    return calls


def table_of(seconds: dict[Row, list[float]]) -> list[list[str]]:
    """The table, with the ratios to the plain path of the same form in fp32 and to the products alone."""
    table = [["model", "form", "precision", "seconds a step (median)", "fastest", "slowest"]]
    table[0] += ["plain / this", "products / this"]
    for (what, form, precision), values in seconds.items():
        plain = seconds.get(("mico, plain path", form, "fp32"))
        alone = seconds.get((ALONE, form, precision)) if what != ALONE else None
        ratios = [f"{ratio_of(other, values):.2f}" if other else "" for other in (plain, alone)]
        table.append([what, form, precision, *timed(values), *ratios])
    return table


def timed(seconds: list[float]) -> list[str]:
    """Median, fastest and slowest."""
    return [f"{value:.3f}" for value in (statistics.median(seconds), min(seconds), max(seconds))]


def small_bags_table(repeats: int, device: torch.device) -> list[list[str]]:
    """Epochs over small bags, in both forms."""
    table = [["epoch", "form", "seconds (median)", "fastest", "slowest", "plain / this"]]
    for form in (RELEASED, PAPER):
        seconds = alternate(epochs(form.formulation, 512, device), repeats=repeats, device=device)
        for name in (PLAIN, BATCHED):
            table.append([name, form.name, *timed(seconds[name]), f"{ratio_of(seconds[PLAIN], seconds[name]):.2f}"])
    return table


def growth_lines(args: argparse.Namespace, device: torch.device) -> list[str]:
    """Seconds of a training step and of a prediction of MiCo against patches, and against anchors."""
    lines = []
    for form in (RELEASED, PAPER):
        for what, call_of in (("training step", model_step), ("prediction", prediction)):
            by_patches, by_anchors = {}, {}
            for n in args.patch_counts:
                by_patches[n] = seconds_of(call_of(mico(args.dim, form), Slide.of_size(n, args.dim, device)), device)
            slide = Slide.of_size(args.patches, args.dim, device)
            for n in args.anchor_counts:
                by_anchors[n] = seconds_of(call_of(mico(args.dim, form, n), slide), device)
            lines.append(growth(f"{what}, {form.name}, patches", by_patches, digits=3))
            lines.append(growth(f"{what}, {form.name}, anchors", by_anchors, digits=3))
    return lines


def prediction(model: torch.nn.Module, slide: Slide) -> Callable[[], None]:
    """A prediction for one slide."""
    model.to(slide.features.device).eval()

    @torch.no_grad()
    def call() -> None:
        call_model(model, slide)

    return call


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """The median of three after an untimed one, or the first alone where it takes seconds."""
    started = time.perf_counter()
    alternate({"first": call}, repeats=0, device=device)
    first = time.perf_counter() - started
    return first if first > 4 else statistics.median(alternate({"call": call}, repeats=3, device=device)["call"])


def main(args: argparse.Namespace) -> int:
    """Measure and write the tables and the lines."""
    keep_freed_memory()  # as main.py does
    device = torch.device(args.device)
    sys.stdout.write(f"{hardware(device)}; M = {args.patches}, D = {args.dim}, d = 512, K = 64, C = 4, batch 1\n\n")
    slide = Slide.of_size(args.patches, args.dim, device)
    seconds = alternate(calls_of(args.models, slide), repeats=args.repeats, device=device)
    sys.stdout.write(markdown_table(table_of(seconds)) + "\n")
    if set(TORCHMIL_MODELS) & set(args.models) and not find_spec("torchmil"):
        sys.stdout.write(
            "\ntorchmil is not installed, so its models are not in the table: pip install torchmil==1.0.2\n"
        )
    if "mico" in args.models:
        sys.stdout.write(
            f"\nEpochs over {N_BAGS} bags of 20 to 50 patches, D = {DIM}, d = 512, K = 64, C = 2, fp32\n\n"
        )
        sys.stdout.write(markdown_table(small_bags_table(args.repeats, device)) + "\n")
    if args.growth:
        sys.stdout.write("".join(f"{line}\n" for line in ["", *growth_lines(args, device)]))
    return 0


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
