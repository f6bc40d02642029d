"""The published figures of the paper and the names of its models, as plain data with their source.

The tables of the paper were not at hand: the figures are quoted from a secondary digest, which has no figure of a
single data set. What it does not say is None here, and no figure is made up.
"""

from __future__ import annotations

from collections.abc import Collection

from utils.runs.tasks import CLASSIFICATION, SURVIVAL

SOURCE = "a secondary digest of arXiv 2506.18028 v3"
SURVIVAL_COHORTS = ("BLCA", "BRCA", "GBMLGG", "HNSC", "KIRC", "KIRP", "LUAD")
SUBTYPING_COHORTS = ("BRCA", "NSCLC")
ANCHORS_TRIED = (32, 64, 128)
BEST_ANCHORS = 64

# {(model, ablated part): mean C-index over SURVIVAL_COHORTS}
_SURVIVAL_C_INDEX = {
    ("mico", ""): 0.680,
    ("abmil", ""): 0.642,
    ("transmil", ""): 0.649,
    ("mico", "anchors"): 0.668,
    ("mico", "reducer"): 0.659,
    ("mico", "route"): 0.656,
}
# {(model, metric)} on SUBTYPING_COHORTS; whether these are means over the two is not said.
_SUBTYPING = {("mico", "acc"): 0.927, ("mico", "f1"): 0.903, ("mico", "auc"): 0.967, ("patchgcn", "acc"): 0.918}

_MODEL_NAMES = {
    "mico": "MiCo",
    "abmil": "ABMIL",  # the paper calls it AMIL
    "transmil": "TransMIL",
    "clam_sb": "CLAM-SB",
    "dsmil": "DSMIL",
    "dtfdmil": "DTFD-MIL",
    "patchgcn": "Patch-GCN",
    "deepgraphconv": "DeepGraphConv",
    "meanpool": "mean pooling",
    "maxpool": "max pooling",
}
PUBLISHED_COHORTS = {SURVIVAL.name: SURVIVAL_COHORTS, CLASSIFICATION.name: SUBTYPING_COHORTS}


def published_figure(metric: str, model: str, *, formulation: str, ablate: str = "") -> float | None:
    """The published figure of a model over the paper's cohorts, None where it is not known here.

    `c_index` is the mean over the seven survival cohorts; `acc`, `f1` and `auc` are those of subtyping. Which
    form gave the figures of MiCo is not known: they stand beside `formulation` "released", the default, alone.

    >>> published_figure("c_index", "abmil", formulation="none")
    0.642
    """
    if formulation == "paper":
        return None
    if metric == "c_index":
        return _SURVIVAL_C_INDEX.get((model, ablate))
    return None if ablate else _SUBTYPING.get((model, metric))


def model_name(model: str) -> str:
    """A model of the registry as papers write it; a name that is not known here stays as it is.

    >>> model_name("patchgcn"), model_name("newmil")
    ('Patch-GCN', 'newmil')
    """
    return _MODEL_NAMES.get(model, model)


def are_of_the_paper(task: str, datasets: Collection[str]) -> bool:
    """Whether these data sets are some of the paper's, so that its figures may stand beside theirs.

    >>> are_of_the_paper("surv", ["TCGA-BLCA"]), are_of_the_paper("surv", ["BLCA", "ours"]), are_of_the_paper("cls", [])
    (True, False, False)
    """
    theirs = set(PUBLISHED_COHORTS[task])
    return bool(datasets) and {_plain(name) for name in datasets} <= theirs


def are_published_cohorts(task: str, datasets: Collection[str]) -> bool:
    """Whether these data sets are exactly those of the paper; `TCGA-BLCA` and `tcga_blca` are BLCA.

    >>> are_published_cohorts("cls", ["TCGA-NSCLC", "brca"])
    True
    """
    return {_plain(name) for name in datasets} == set(PUBLISHED_COHORTS[task])


def _plain(dataset: str) -> str:
    return dataset.upper().replace("_", "-").removeprefix("TCGA-")
