from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.utils.report.cohorts import survival_fold as cohort_fold
from tests.utils.run_folders import C_0, C_1, C_1_2, C_5_6, RIGHT, Plan, cells, classification_folds, survival_folds
from tests.utils.run_folders import survival_fold as fold
from utils.paper.layout import survival_table
from utils.paper.logrank_table import (
    CSV_COLUMNS,
    FIGURES,
    HAZARD_RATIO,
    RELEASED,
    STRATIFIED,
    GroupFigure,
    figure_text,
    logrank_table,
)
from utils.paper.planned_results import load_results
from utils.paper.text import table_files

# Deaths at 1, 2 and 3 months. High are the cases at 1 and 2 with C_1 and C_5_6, those at 2 and 3 with C_0; C_1_2 has no
# halves. With d deaths among n at risk, n_1 of them high, observed and expected deaths of the high half and variance:
#                  t = 1              t = 2             t = 3        chi-squared
#              n n_1 d   E    V    n n_1 d   E   V    n n_1  E    (O - E)^2 / V
# C_1          3  2  1  2/3  2/9   2  1  1  1/2 1/4   1  0   0     (5/6)^2 / (17/36)  = 25/17
# C_1, C_1     6  4  2  4/3 16/45  4  2  2   1  1/3   2  0   0     (5/3)^2 / (31/45)  = 125/31
# C_0, C_0     6  4  2  4/3 16/45  4  4  2   2   0    2  2   2     (4/3)^2 / (16/45)  = 5
# C_1, C_0     6  4  2  4/3 16/45  4  3  2  3/2 1/4   2  1   1     (1/6)^2 / (109/180) = 5/109
ONE, TWO, REVERSED, MIXED = (math.erfc(math.sqrt(x / 2)) for x in (25 / 17, 125 / 31, 5, 5 / 109))


def test_the_hand_worked_values():
    assert [f"{p:.3f}" for p in (ONE, TWO, REVERSED, MIXED)] == ["0.225", "0.045", "0.025", "0.830"]


def test_the_table_cell_by_cell(tmp_path: Path):
    plan = Plan(tmp_path)
    for seed, risks in ((1, (C_1, C_1)), (2, (C_0, C_0)), (3, (C_1, C_0))):
        plan.add("surv", "A", survival_folds(*risks), seed=seed)
    for seed, risks in ((1, (C_5_6, C_1)), (2, (C_0, C_0))):
        plan.add("surv", "A", survival_folds(*risks), model="abmil", seed=seed)
    plan.add("surv", "A", survival_folds(C_1), model="newmil")  # no fold 1
    plan.add("surv", "A", None, model="transmil")
    plan.add("surv", "B", survival_folds(C_1, C_1_2))
    plan.add("surv", "B", survival_folds(C_0, C_0), model="abmil")
    plan.add("surv", "B", None, model="abmil", seed=2)
    plan.add("surv", "B", {0: fold(C_1, event=(0, 0, 0)), 1: fold(C_1, event=(0, 0, 0), fold=1)}, model="newmil")
    table = logrank_table(load_results(plan.path))
    files = table_files(survival_table(load_results(plan.path)))
    header, *rows = cells(files["table1_survival.md"], table=1)
    assert header == ["model", "figure", "A", "B"]
    assert [row[:2] for row in rows] == [
        [model, words] for model in ("MiCo", "ABMIL", "newmil", "TransMIL") for words in FIGURES.values()
    ]
    # Median over seeds: of MiCo the middle p of three; of ABMIL the mean of two, both below 0.05.
    released, below = FIGURES[RELEASED], "hazard ratio below 1"  # a ratio of 0 is one
    assert [[row[0], *row[2:]] for row in rows if row[1] == released] == [
        ["MiCo", "0.045 (3 seeds, 0.025 to 0.830)", "0.225 (1 of 2 folds, note 3)"],
        [
            "ABMIL",
            f"{(TWO + REVERSED) / 2:.3f}* (2 seeds, 0.025 to 0.045, {below} with 1 of 2 seeds)",
            "0.025 (1 of 2 seeds)",
        ],
        ["newmil", "0.225 (1 of 2 folds)", "undefined (note 6)"],
        ["TransMIL", "missing", "not planned"],
    ]
    assert [row[2:] for row in rows if row[1] == FIGURES[STRATIFIED]] == [
        ["0.086 (3 seeds, 0.046 to 0.841)", "0.225 (1 of 2 folds, note 3)"],
        ["0.066 (2 seeds, 0.046 to 0.086)", "0.046 (1 of 2 seeds)"],  # below 0.05, but only the released p has a star
        ["0.225 (1 of 2 folds)", "undefined (note 6)"],
        ["missing", "not planned"],
    ]
    assert [row[2:] for row in rows if row[1] == FIGURES[HAZARD_RATIO]] == [
        ["1.28, 0.11 to 14.56 (1 of 3 seeds, note 1)", "undefined (note 2)"],
        ["undefined (note 1)", "undefined (note 4)"],
        ["undefined (note 5)", "undefined (note 6)"],
        ["missing", "not planned"],
    ]
    infinite, zero = (
        f"{ratio}: while both groups are at risk, only {half}-risk cases die"
        for ratio, half in (("infinite", "high"), ("0", "low"))
    )
    assert table.notes == (
        f"note 1: A, risk halves: undefined with seed 1 ({infinite}); undefined with seed 2 ({zero})",
        f"note 2: B, risk halves: fold 1 left out (all risks equal); undefined ({infinite})",
        "note 3: B, risk halves: fold 1 left out (all risks equal)",
        f"note 4: B, risk halves: undefined with seed 1 ({zero})",
        f"note 5: A, risk halves: undefined ({infinite})",
        "note 6: B, risk halves: undefined (no events)",
    )
    assert r"0.035* (2 seeds, 0.025 to 0.045, hazard ratio below 1 with 1 of 2 seeds)" in files["table1_survival.tex"]
    said = " ".join(table.explanation)
    for words in (
        "high: risk >= median of the fold",
        "without correction for the number of tests",
        "never pooled twice",
        "share training cases",
    ):
        assert words in said


def test_the_csv_file_has_all_digits(tmp_path: Path):
    plan = Plan(tmp_path)
    for seed, risks in ((1, (C_1, C_1)), (2, (C_0, C_0))):
        plan.add("surv", "A", survival_folds(*risks), seed=seed)
    plan.add("surv", "A", survival_folds(C_1, C_1_2), model="abmil")
    plan.add("surv", "A", None, model="transmil")
    text = table_files(survival_table(load_results(plan.path)))["table1_logrank.csv"]
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["metric"] for line in lines] == [*FIGURES] * 3
    mico, abmil, transmil = (line for line in lines if line["metric"] == RELEASED)
    assert tuple(mico) == CSV_COLUMNS
    names = ("value", "lowest", "highest")
    assert [float(mico[name]) for name in names] == pytest.approx([(TWO + REVERSED) / 2, REVERSED, TWO], abs=1e-12)
    counts = ("star", "n_folds", "n_folds_planned", "n_seeds", "n_seeds_planned", "note")
    assert [mico[name] for name in counts] == ["*", "2", "2", "2", "2", "hazard ratio below 1 with 1 of 2 seeds"]
    assert (mico["dataset"], mico["n_clusters"], abmil["n_clusters"]) == ("A", "64", "")
    assert mico["run_dirs"] == "surv_A_mico_released_64_1;surv_A_mico_released_64_2"
    left_out = "1 of 2 folds; fold 1 left out (all risks equal)"
    assert [abmil[name] for name in counts] == ["", "1", "2", "1", "1", left_out]
    assert [transmil[name] for name in (*names, *counts)] == ["", "", "", "", "0", "2", "0", "1", "missing"]


def test_what_a_seed_lacks_is_said_with_its_number(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_1), seed=1)
    plan.add("surv", "A", survival_folds(C_1_2, C_1), seed=2)
    plan.add("surv", "A", survival_folds(C_1_2, C_1_2), seed=3)
    table = logrank_table(load_results(plan.path))
    assert table.rows[2].entries[0].text == "0.135 (0.045 to 0.225, 2 of 3 seeds, 3 of 4 trainings, note 2)"
    assert table.notes[1] == (
        "note 2: A, risk halves: fold 0 with seed 2 left out (all risks equal); fold 0 with seed 3 left out (all risks "
        "equal); fold 1 with seed 3 left out (all risks equal); undefined with seed 3 (no fold has two halves)"
    )


def _cell(*p: float, planned: int, n_folds: int = 4) -> GroupFigure:
    return GroupFigure(RELEASED, p, (), n_folds, 4, planned, n_folds * len(p), len(p), (), ())


@pytest.mark.parametrize(
    ("p", "planned", "text"),
    [
        ((0.0123,), 1, "0.012*"),
        ((0.05,), 1, "0.050"),  # a star is below 0.05, not at it
        ((0.0004,), 1, "<0.001*"),
        ((0.004, 0.012, 0.08), 3, "0.012 (3 seeds, 0.004 to 0.080)"),  # the star needs every seed
        ((0.004, 0.012, 0.03), 3, "0.012* (3 seeds, 0.004 to 0.030)"),
        ((0.0001, 0.0123), 2, "0.006* (2 seeds, <0.001 to 0.012)"),
        ((0.004, 0.012), 3, "0.008 (0.004 to 0.012, 2 of 3 seeds)"),  # a planned seed is not there yet
        ((0.004,), 2, "0.004 (1 of 2 seeds)"),
    ],
)
def test_the_text_of_a_cell(p: tuple[float, ...], planned: int, text: str):
    assert figure_text(_cell(*p, planned=planned)) == text


def test_a_star_of_the_wrong_direction_says_so():
    assert figure_text(replace(_cell(0.0123, planned=1), n_below_1=1)) == "0.012* (hazard ratio below 1)"
    assert figure_text(replace(_cell(0.2, planned=1), n_below_1=1)) == "0.200"  # nothing is claimed


def test_a_hazard_ratio_below_1_is_counted(tmp_path: Path):
    plan = Plan(tmp_path)
    turned = {number: cohort_fold(number).assign(risk=lambda table: -table["risk"]) for number in (0, 1)}
    plan.add("surv", "A", {number: cohort_fold(number) for number in (0, 1)})
    plan.add("surv", "A", turned, model="abmil")
    table = logrank_table(load_results(plan.path))
    upright, wrong = (table.rows[index].entries[0].text for index in (2, 5))
    assert upright.endswith("*")
    assert wrong.endswith("* (hazard ratio below 1)")


def test_folds_that_are_not_there_are_said():
    assert figure_text(_cell(0.0123, planned=1, n_folds=3)) == "0.012 (3 of 4 folds)"  # and so no star


def test_no_survival_run_no_column(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("cls", "X", classification_folds(RIGHT))
    table = logrank_table(load_results(plan.path))
    assert (table.header, table.rows, table.notes) == (("model", "figure"), (), ())


@pytest.mark.parametrize(
    ("ratios", "limits", "text"),
    [
        ((1.8,), ((1.2, 2.7),), "1.80, 1.20 to 2.70"),
        ((0.5,), ((0.004, 140.0),), "0.50, <0.01 to 140"),
        # The median of each: no seed has this interval.
        ((1.2, 2.4, 1.8), ((0.8, 1.9), (1.5, 3.5), (1.2, 2.7)), "1.80, 1.20 to 2.70 (3 seeds, 1.20 to 2.40)"),
    ],
)
def test_a_hazard_ratio_has_its_interval(ratios: tuple[float, ...], limits: tuple[tuple[float, float], ...], text: str):
    n_seeds = len(ratios)
    cell = GroupFigure(HAZARD_RATIO, ratios, limits, 4, 4, n_seeds, 4 * n_seeds, n_seeds, (), ())
    assert figure_text(cell) == text
    assert not cell.has_star


def test_the_hazard_ratio_in_the_csv_file_has_its_limits(tmp_path: Path):
    plan = Plan(tmp_path)
    plan.add("surv", "A", survival_folds(C_1, C_0))
    text = table_files(survival_table(load_results(plan.path)))["table1_logrank.csv"]
    ratio, stratified, _ = csv.DictReader(io.StringIO(text))
    # Fold 0: r / (2 r + 1) at 1 month, r / (r + 1) at 2; fold 1: 1 / (2 r + 1) at 1 month, and high cases alone later.
    # r^2 / ((2 r + 1)^2 (r + 1)) is highest where 2 / r = 4 / (2 r + 1) + 1 / (r + 1): 2 r^2 - r - 2 = 0.
    low, value, high = (float(ratio[name]) for name in ("low", "value", "high"))
    assert value == pytest.approx((1 + math.sqrt(17)) / 4)
    error = 1 / math.sqrt(2 * 2 * value / (2 * value + 1) ** 2 + value / (value + 1) ** 2)
    assert (low, high) == pytest.approx((value * math.exp(-1.959964 * error), value * math.exp(1.959964 * error)))
    assert stratified["low"] == stratified["high"] == ""
