"""The difference of two models in words: what it is made of, how much seeds vary, what its interval and p mean."""

from __future__ import annotations

from utils.files.phrases import counted
from utils.files.text_table import format_difference
from utils.statistics.paired_difference import PairedDifference

METHOD = (
    "Difference: the mean over folds of the mean over seeds, of the pairs of fold and seed that both models have. By "
    "seed: the lowest and the highest difference that one seed alone gives, over the folds that it has.",
    "95 % interval and p: of a t distribution whose variance counts the patients of the test folds (jackknife), the "
    "training cases that the models of the folds share (the correction of Nadeau and Bengio), and the seeds, whose "
    "trainings differ.",
    "p says how often a difference at least as large would be found between two models that are equally good on "
    "average over patients and seeds. One seed does not tell how much trainings differ: it has no p, and its interval "
    "counts patients and folds alone, so that it is too narrow (in simulations that of two trainings of one model left "
    "out 0 in 2 % with 240 cases, and in 23 % with 1,200).",
)


def basis_text(result: PairedDifference) -> str:
    """What a difference is made of: `4 folds, 3 seeds, 60 patients`, or `9 of 12 pairs of 4 folds and 3 seeds, ...`."""
    folds, seeds = counted(result.n_folds, "fold"), counted(result.n_seeds, "seed")
    whole = result.n_folds * result.n_seeds
    pairs = f"{folds}, {seeds}"
    if result.n_pairs < whole:
        pairs = f"{result.n_pairs} of {whole} pairs of {folds} and {seeds}"
    return f"{pairs}, {counted(result.n_cases, 'patient')}"


def interval_text(result: PairedDifference) -> str:
    """The 95 % limits: `-0.012 to +0.034`; a dash where there are none."""
    return "–" if result.low is None or result.high is None else _range(result.low, result.high)


def spread_text(result: PairedDifference) -> str:
    """The lowest and the highest difference of a seed: `-0.012 to +0.034`; a dash with one seed."""
    if result.n_seeds < 2:
        return "–"
    return _range(min(result.by_seed.values()), max(result.by_seed.values()))


def _range(low: float, high: float) -> str:
    return f"{format_difference(low)} to {format_difference(high)}"
