from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from tests.utils.report.cohorts import survival_fold
from tests.utils.run_folders import C_1, C_1_2, Plan, cells
from tests.utils.run_folders import survival_fold as three_cases
from utils.statistics.group_effect import HAZARD_RATIO, group_effect
from utils.statistics.risk_groups import pooled_halves, risk_groups
from utils.tables.risk_groups import risk_group_summary
from utils.tables.summary import summarise, write_summary


@pytest.fixture
def tables() -> dict[int, pd.DataFrame]:
    return {fold: survival_fold(fold) for fold in (0, 1, 4)}


def test_each_fold_and_all_stratified(tables: dict[int, pd.DataFrame]):
    found = risk_group_summary(tables, pooled_halves(tables))
    assert [row["fold"] for row in found["folds"]] == [0, 1, 4]
    parts = {fold: risk_groups(table) for fold, table in tables.items()}
    for row, part in zip(found["folds"], parts.values(), strict=True):
        effect = group_effect(part.event, part.time, part.high)
        assert [row[name] for name in HAZARD_RATIO] == [effect.hazard_ratio, effect.low, effect.high]
        assert row["logrank_p"] == effect.p
        assert (row["n_high"], row["n_low"]) == (part.high.sum(), (~part.high).sum())
        assert (row["deaths_high"], row["deaths_low"]) == (part.event[part.high].sum(), part.event[~part.high].sum())
    stratified = found["stratified"]
    # Between the ratios of the folds, and nearer to 1 than a test of one fold in its uncertainty.
    ratios = [row["hazard_ratio"] for row in found["folds"]]
    assert min(ratios) < stratified["hazard_ratio"] < max(ratios)
    assert stratified["n_high"] + stratified["n_low"] == 180
    assert stratified["logrank_p"] < min(row["logrank_p"] for row in found["folds"])


def test_a_fold_without_halves_has_its_reason():
    tables = {0: three_cases(C_1), 1: three_cases(C_1_2, fold=1)}
    found = risk_group_summary(tables, pooled_halves(tables))
    assert found["folds"][1]["reasons"] == dict.fromkeys(("hazard_ratio", "logrank_p"), "all risks equal")
    assert found["folds"][1]["n_high"] == 0
    assert found["stratified"]["n_high"] == 2
    tables = {1: three_cases(C_1_2), 2: three_cases(C_1_2, fold=1)}
    nothing = risk_group_summary(tables, pooled_halves(tables))
    assert set(nothing["stratified"]["reasons"].values()) == {"no fold has two halves"}


def test_the_block_of_the_summary_and_the_columns_of_the_csv_file(tmp_path: Path, tables: dict[int, pd.DataFrame]):
    run_dir = Plan(tmp_path).add("surv", "A", tables)
    summary = write_summary(run_dir)
    text = (run_dir / "summary.md").read_text()
    assert "## Risk groups" in text
    header, *rows = cells(text, table=1)
    assert header == [
        "fold",
        "high: cases (deaths)",
        "low: cases (deaths)",
        "hazard ratio",
        "95 % interval",
        "log-rank p",
    ]
    first, stratified = summary["risk_groups"]["folds"][0], summary["risk_groups"]["stratified"]
    assert [row[0] for row in rows] == ["0", "1", "4", "stratified by fold", "released: pooled, not stratified"]
    assert rows[0][1:4] == [
        f"{first['n_high']} ({first['deaths_high']})",
        f"{first['n_low']} ({first['deaths_low']})",
        f"{first['hazard_ratio']:.2f}",
    ]
    limits = [stratified[name] for name in HAZARD_RATIO[1:]]
    assert rows[3][4] == f"{limits[0]:.2f} to {limits[1]:.2f}"
    assert rows[4][5] == "<0.001*"
    assert "share training cases" in text
    assert "may be turned around" not in text
    lines = {line["fold"]: line for line in csv.DictReader((run_dir / "summary.csv").read_text().splitlines())}
    assert [float(lines["0"][name]) for name in HAZARD_RATIO] == [first[name] for name in HAZARD_RATIO]
    assert [float(lines["stratified"][name]) for name in HAZARD_RATIO] == [stratified[name] for name in HAZARD_RATIO]
    assert float(lines["stratified"]["logrank_p"]) == stratified["logrank_p"]
    assert lines["pooled"]["hazard_ratio"] == lines["mean"]["hazard_ratio"] == ""


def test_a_risk_that_is_turned_around_is_said(tmp_path: Path, tables: dict[int, pd.DataFrame]):
    turned = {fold: table.assign(risk=-table["risk"]) for fold, table in tables.items()}
    run_dir = Plan(tmp_path).add("surv", "A", turned)
    summary = write_summary(run_dir)
    assert summary["risk_groups"]["stratified"]["hazard_ratio_high"] < 1
    assert summary["below_chance"].startswith("worse than chance: the 95 % interval of the mean C-index")
    assert all("worse than chance" in row["warnings"][-1] for row in summary["folds"])
    text = (run_dir / "summary.md").read_text()
    assert "- worse than chance: the 95 % interval of the mean C-index lies below 0.5" in text
    assert "- folds 0, 1 and 4: worse than chance" in text
    assert "the half that the model calls high-risk lives longer" in text


def test_one_fold_has_no_caveat_of_several(tmp_path: Path, tables: dict[int, pd.DataFrame]):
    run_dir = Plan(tmp_path).add("surv", "A", {0: tables[0]})
    write_summary(run_dir)
    assert "share training cases, so that over several folds" not in (run_dir / "summary.md").read_text()
    assert summarise(run_dir)["below_chance"] == ""
