from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.utils.run_folders import (
    ALL_0,
    C_0,
    C_1,
    C_1_2,
    C_1_3,
    C_2_3,
    C_5_6,
    MIXED,
    RIGHT,
    Plan,
    cells,
    classification_fold,
    classification_folds,
    survival_fold,
    survival_folds,
)
from utils.paper.layout import ablation_table, subtyping_table, survival_metrics_table, survival_table
from utils.paper.planned_results import load_results
from utils.paper.text import table_files
from utils.runs.training_outcomes import write_training_outcomes


def test_the_survival_table_cell_by_cell(tmp_path: Path):
    plan = Plan(tmp_path)
    # BLCA, MiCo: fold 0 (1 + 2/3) / 2 = 5/6, fold 1 (2/3 + 1/2) / 2 = 7/12: 17/24 = 0.708, deviation 1/8.
    plan.add("surv", "BLCA", survival_folds(C_5_6, C_1_3), model="abmil", seed=1)  # 7/12 = 0.583, deviation 1/4
    plan.add("surv", "BLCA", None, model="abmil", seed=2)
    plan.add("surv", "BLCA", survival_folds(C_1, C_2_3), seed=1)
    plan.add("surv", "BLCA", survival_folds(C_2_3, C_1_2), seed=2)
    plan.add("surv", "BLCA", survival_folds(C_1_2), model="newmil")  # no fold 1
    plan.add("surv", "BLCA", None, model="transmil")
    # BRCA has one fold, so its cells have no deviation.
    plan.add("surv", "BRCA", survival_folds(C_5_6))  # 0.833
    plan.add("surv", "BRCA", survival_folds(C_1_3), model="abmil")
    plan.add("surv", "BRCA", survival_folds(C_1), model="newmil")
    plan.add("surv", "BRCA", {0: survival_fold(C_1, event=(0, 0, 0))}, model="transmil")
    table = survival_table(load_results(plan.path))
    page = table_files(table)["table1_survival.md"]
    # Means: MiCo (17/24 + 20/24) / 2 = 37/48 = 0.771; ABMIL (7/12 + 4/12) / 2 = 11/24 = 0.458, with a seed missing.
    assert cells(page) == [
        ["model", "BLCA", "BRCA", "mean", "published mean"],
        ["MiCo", "0.708 ± 0.125", "0.833", "0.771", "0.680"],
        ["ABMIL", "0.583 ± 0.250 (1 of 2 seeds)", "0.333", "0.458 (seeds missing)", "0.642"],
        ["newmil", "0.500 (1 of 2 folds, 3 cases, 3 deaths)", "**1.000**", "incomplete", "not known here"],
        ["TransMIL", "missing", "undefined (note 1)", "incomplete", "0.649"],
    ]
    assert table.notes == (
        "note 1: BRCA, C-index: undefined in fold 0 (no events)",
        "mean C-index of newmil: incomplete, BLCA lacks folds",
        "mean C-index of TransMIL: incomplete, BLCA and BRCA lack folds",
    )
    assert any(
        "different data sets: ours over BLCA and BRCA, the published one over BLCA" in t for t in table.explanation
    )
    assert len(table.rows) == 4
    assert [row.labels for row in table.rows] == [("MiCo",), ("ABMIL",), ("newmil",), ("TransMIL",)]


def test_both_forms_of_mico_have_a_row(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "KIRC", survival_folds(C_2_3), formulation="paper")
    plan.add("surv", "KIRC", survival_folds(C_1_2))
    rows = cells(table_files(survival_table(load_results(plan.path)))["table1_survival.md"])
    assert rows[1:] == [
        ["MiCo", "0.500", "0.680"],
        ["MiCo (paper form)", "**0.667**", "not known here"],
    ]


def test_nothing_is_said_of_different_data_sets_where_they_are_the_same(tmp_path: Path):
    plan = Plan(tmp_path)
    for dataset in ("BLCA", "BRCA", "GBMLGG", "HNSC", "KIRC", "KIRP", "LUAD"):
        plan.add("surv", dataset, survival_folds(C_1))
    for dataset in ("TCGA-BRCA", "TCGA-NSCLC"):
        plan.add("cls", dataset, None, k=16)
    results = load_results(plan.path)
    for make in (survival_table, subtyping_table):
        assert "different data sets" not in " ".join(make(results).explanation)
    assert "another number of anchors" not in " ".join(survival_table(results).explanation)
    expected = "MiCo has another number of anchors here than the published 64: TCGA-BRCA 16 and TCGA-NSCLC 16."
    assert subtyping_table(results).explanation[-1] == expected


def test_the_subtyping_table_cell_by_cell(tmp_path: Path):
    plan = Plan(tmp_path)
    # ACC 1, 1/2 -> 0.750 ± 0.250; F1 1, 1/3 -> 2/3 ± 1/3; AUC 1, 3/4 -> 0.875 ± 0.125.
    plan.add("cls", "BRCA", classification_folds(RIGHT, ALL_0))
    # ACC 1/2; F1 1/2, 1/3 -> 5/12 = 0.417 ± 1/12; AUC 3/4.
    plan.add("cls", "BRCA", classification_folds(MIXED, ALL_0), model="patchgcn")
    plan.add("cls", "NSCLC", classification_folds(MIXED, MIXED))
    # Fold 1 has class 1 only, all right: ACC 1, F1 1 (of the one class that is there), no AUC.
    one_class = classification_fold((0.9, 0.8), label=(1, 1))
    plan.add("cls", "NSCLC", {0: classification_fold(RIGHT), 1: one_class}, model="patchgcn")
    table = subtyping_table(load_results(plan.path))
    header, mico, patchgcn = cells(table_files(table)["table2_subtyping.md"])
    assert (header[0], mico[0], patchgcn[0]) == ("model", "MiCo", "Patch-GCN")
    assert list(zip(header[1:], mico[1:], patchgcn[1:], strict=True)) == [
        ("BRCA ACC", "**0.750 ± 0.250**", "0.500 ± 0.000"),
        ("BRCA macro F1", "**0.667 ± 0.333**", "0.417 ± 0.083"),
        ("BRCA AUC", "**0.875 ± 0.125**", "0.750 ± 0.000"),
        ("NSCLC ACC", "0.500 ± 0.000", "**1.000 ± 0.000**"),
        ("NSCLC macro F1", "0.500 ± 0.000", "**1.000 ± 0.000**"),
        ("NSCLC AUC", "0.750 ± 0.000", "1.000 (1 of 2 folds, 4 slides, note 1)"),
        ("mean ACC", "0.625", "**0.750**"),
        ("mean macro F1", "0.583", "**0.708**"),
        ("mean AUC", "0.812", "incomplete"),  # 0.8125
        ("published ACC", "0.927", "0.918"),
        ("published macro F1", "0.903", "not known here"),
        ("published AUC", "0.967", "not known here"),
    ]
    assert table.notes == (
        "note 1: NSCLC, AUC: undefined in fold 1 (only class 1 among the labels)",
        "mean AUC of Patch-GCN: incomplete, NSCLC lacks folds",
    )


def test_one_classification_cohort_has_no_mean(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("cls", "NSCLC", classification_folds(RIGHT))
    published = ("published ACC", "published macro F1", "published AUC")
    header = ("model", "NSCLC ACC", "NSCLC macro F1", "NSCLC AUC", *published)
    assert subtyping_table(load_results(plan.path)).header == header


def test_the_ablation_table_cell_by_cell(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "BLCA", survival_folds(C_1, C_2_3))  # 5/6 ± 1/6
    plan.add("surv", "BLCA", survival_folds(C_1_2, C_2_3), ablate="route")  # 7/12 ± 1/12
    plan.add("surv", "BLCA", survival_folds(C_5_6, C_5_6), ablate="anchors")
    plan.add("surv", "BLCA", None, ablate="reducer")
    plan.add("surv", "BLCA", survival_folds(C_0, C_0), k=32)  # of the sweep, not of this table
    plan.add("cls", "X", classification_folds(RIGHT, MIXED))  # AUC 1, 3/4
    plan.add("cls", "X", classification_folds(RIGHT, RIGHT), ablate="reducer")
    table = ablation_table(load_results(plan.path))
    assert cells(table_files(table)["table3_ablations.md"]) == [
        ["model", "BLCA C-index", "published mean C-index", "X AUC"],
        ["full model", "**0.833 ± 0.167**", "0.680", "0.875 ± 0.125"],
        ["without anchor initialisation", "**0.833 ± 0.000**", "0.668", "not planned"],
        ["without Cluster Reducer", "missing", "0.659", "**1.000 ± 0.000**"],
        ["without Cluster Route", "0.583 ± 0.083", "0.656", "not planned"],
    ]
    assert table.notes == ()


def test_ablations_of_the_other_form_have_rows_of_their_own(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1))
    plan.add("surv", "A", survival_folds(C_1), formulation="paper")
    plan.add("surv", "A", survival_folds(C_2_3), formulation="paper", ablate="route")
    rows = cells(table_files(ablation_table(load_results(plan.path)))["table3_ablations.md"])
    assert [row[0] for row in rows[1:]] == [
        "full model",
        "MiCo (paper form), full model",
        "MiCo (paper form) without Cluster Route",
    ]
    assert [row[1] for row in rows[1:]] == ["**1.000**", "**1.000**", "0.667"]


def test_the_further_survival_metrics_cell_by_cell(tmp_path: Path):
    plan = Plan(tmp_path)
    # Training cases all died, at 0.5 (bin 0), 2.5 and 4 months (bin 1): no weights, one inner edge at 2.5 months.
    # Uno's C up to 2.5 months has the pairs of Harrell's; AUC at 2.5 months: do deaths at 1 and 2 outrank that at 3?
    #        C     AUC
    # C_2_3  2/3   2/2
    # C_1_3  1/3   1/2     (risks 1, 3 against 2)
    folds = survival_folds(C_2_3, C_1_3)
    run_dir = plan.add("surv", "A", folds)
    for fold in folds:
        outcomes = {"time": np.array([0.5, 2.5, 4]), "event": np.ones(3), "bin": np.array([0, 1, 1])}
        write_training_outcomes(run_dir / f"fold{fold}" / "outcomes_train.csv", case_ids=["T0", "T1", "T2"], **outcomes)
    plan.add("surv", "A", folds, model="abmil")  # a run without the outcomes of its training cases
    plan.add("surv", "B", None)
    table = survival_metrics_table(load_results(plan.path))
    rows = cells(table_files(table)["survival_metrics.md"])
    assert rows[0] == ["data set", "model", "Uno's C", "AUC(t)", "IBS", "IBS of Kaplan-Meier", "IBS skill"]
    assert rows[1] == [
        "A",
        "MiCo",
        "0.500 ± 0.167 (2 of 2 folds)",
        "0.750 ± 0.250 (2 of 2 folds)",
        *(f"undefined (note {number})" for number in (1, 2, 3)),
    ]
    assert rows[2] == ["A", "ABMIL", *(f"undefined (note {number})" for number in (4, 5, 6, 7, 8))]
    assert rows[3] == ["B", "MiCo", *["missing"] * 5]
    assert rows[4] == ["B", "ABMIL", *["not planned"] * 5]
    assert table.notes[0].startswith("note 1: A, IBS: undefined in folds 0 and 1 (")
    assert table.notes[3].startswith(
        "note 4: A, Uno's C: undefined in folds 0 and 1 (the outcomes of the training cases"
    )


def test_the_lowest_brier_score_of_a_data_set_is_the_best(tmp_path: Path):
    plan = Plan(tmp_path)
    for dataset in ("A", "B"):
        for model, factor in (("mico", 0.5), ("abmil", 0.9)):
            table = survival_fold(C_1)
            # Three bins; hazards that kill everyone by 1.5 months fit worse the larger they are.
            table["hazard_2"] = 0.5
            for name in ("hazard_0", "hazard_1", "hazard_2"):
                table[name] = factor
            run_dir = plan.add("surv", dataset, {0: table}, model=model)
            outcomes = {"time": np.array([0.5, 1.5, 2.5, 4]), "event": np.ones(4), "bin": np.array([0, 1, 2, 2])}
            path = run_dir / "fold0" / "outcomes_train.csv"
            write_training_outcomes(path, case_ids=["T0", "T1", "T2", "T3"], **outcomes)
    rows = survival_metrics_table(load_results(plan.path)).rows
    # Brier at 1.5: S = 1 - h for all, one case of three has died: ((1-h)^2 + 2 h^2) / 3; at 2.5: S = (1-h)^2, two died.
    # h = 0.5: 1/4, and (2/16 + 9/16) / 3 = 11/48; the mean over the interval is the mean of the two (trapezoid).
    ibs = (1 / 4 + 11 / 48) / 2
    for row in rows[::2]:
        assert float(row.entries[2].csv["mean"]) == pytest.approx(ibs)
        assert row.entries[2].score == round(-ibs, 3)
    page = table_files(survival_metrics_table(load_results(plan.path)))["survival_metrics.md"]
    assert [row[4].startswith("**") for row in cells(page)[1:]] == [True, False, True, False]


def test_published_figures_stand_beside_cohorts_of_the_paper_only(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "BLCA", survival_folds(C_1))
    plan.add("surv", "ours", survival_folds(C_1))
    plan.add("cls", "ours", classification_folds(RIGHT))
    plan.add("surv", "ours", survival_folds(C_2_3), ablate="route")
    results = load_results(plan.path)
    assert survival_table(results).header == ("model", "BLCA", "ours", "mean")
    assert subtyping_table(results).header == ("model", "ours ACC", "ours macro F1", "ours AUC")
    assert ablation_table(results).header == ("model", "BLCA C-index", "ours C-index", "mean C-index", "ours AUC")
    for make in (survival_table, subtyping_table, ablation_table):
        assert "ublished figures" not in " ".join(make(results).explanation)


def test_the_ablations_of_one_task_have_columns_of_that_task_alone(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("cls", "X", classification_folds(RIGHT))
    assert ablation_table(load_results(plan.path)).header == ("model", "X AUC")
