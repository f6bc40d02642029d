from __future__ import annotations

from pathlib import Path

from tests.utils.report.report_folders import write_run
from utils.tables.concordance_text import concordance_within_folds
from utils.tables.summary import summarise
from utils.tables.summary_text import format_summary


def test_the_c_index_over_all_pairs_stands_beside_the_mean(tmp_path: Path):
    summary = summarise(write_run(tmp_path / "LUAD" / "mico", "surv"))
    within, mean = summary["c_index_within_folds"], summary["mean"]["c_index"]
    said = concordance_within_folds(summary)
    assert f"within the fold only: {within['c_index']:.3f} ({within['n_pairs']} comparable pairs in 2 folds)" in said
    assert f"the mean of the folds is {mean:.3f}" in said
    nothing = {"c_index": None, "n_pairs": 0, "folds": [], "reason": "no comparable pair in any fold"}
    assert concordance_within_folds(summary | {"c_index_within_folds": nothing}).endswith("in any fold.")
    text = format_summary(summary)
    assert text.index(said) < text.index("## Risk groups")  # below the table that has the mean


def test_one_fold_has_one_c_index(tmp_path: Path):
    assert concordance_within_folds(summarise(write_run(tmp_path / "LUAD" / "mico", "surv", n_folds=1))) == ""
    assert concordance_within_folds(summarise(write_run(tmp_path / "BRCA" / "mico", "cls"))) == ""
