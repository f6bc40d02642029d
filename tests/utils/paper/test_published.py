from __future__ import annotations

import pytest

from utils.paper.published import are_published_cohorts, model_name, published_figure


@pytest.mark.parametrize(
    ("metric", "model", "formulation", "ablate", "figure"),
    [
        ("c_index", "mico", "released", "", 0.680),
        ("c_index", "abmil", "none", "", 0.642),
        ("c_index", "transmil", "none", "", 0.649),
        ("c_index", "mico", "released", "anchors", 0.668),
        ("c_index", "mico", "released", "reducer", 0.659),
        ("c_index", "mico", "released", "route", 0.656),
        ("acc", "mico", "released", "", 0.927),
        ("f1", "mico", "released", "", 0.903),
        ("auc", "mico", "released", "", 0.967),
        ("acc", "patchgcn", "none", "", 0.918),
    ],
)
def test_the_published_figures(metric: str, model: str, formulation: str, ablate: str, figure: float):
    assert published_figure(metric, model, formulation=formulation, ablate=ablate) == figure


@pytest.mark.parametrize(
    ("metric", "model", "formulation", "ablate"),
    [
        ("c_index", "patchgcn", "none", ""),
        ("f1", "patchgcn", "none", ""),
        ("auc", "mico", "released", "route"),  # the ablations are known for survival only
        ("c_index", "mico", "paper", ""),  # the figures came from the authors' code
        ("ibs", "mico", "released", ""),
        ("acc", "newmil", "none", ""),
    ],
)
def test_no_figure_is_made_up(metric: str, model: str, formulation: str, ablate: str):
    assert published_figure(metric, model, formulation=formulation, ablate=ablate) is None


def test_models_have_the_names_of_papers():
    names = {
        "mico": "MiCo",
        "abmil": "ABMIL",
        "transmil": "TransMIL",
        "clam_sb": "CLAM-SB",
        "dsmil": "DSMIL",
        "dtfdmil": "DTFD-MIL",
        "patchgcn": "Patch-GCN",
        "deepgraphconv": "DeepGraphConv",
        "meanpool": "mean pooling",
        "maxpool": "max pooling",
        "newmil": "newmil",
    }
    assert {name: model_name(name) for name in names} == names


def test_the_cohorts_of_the_paper():
    seven = ["BLCA", "TCGA-BRCA", "tcga_gbmlgg", "HNSC", "KIRC", "KIRP", "luad"]
    assert are_published_cohorts("surv", seven)
    assert are_published_cohorts("surv", seven[::-1])
    assert not are_published_cohorts("surv", seven[1:])
    assert not are_published_cohorts("surv", [*seven, "LUSC"])
    assert are_published_cohorts("cls", ["NSCLC", "BRCA"])
    assert not are_published_cohorts("cls", ["NSCLC"])
    assert not are_published_cohorts("cls", seven)
