from __future__ import annotations

import csv as csv_module
import io
from pathlib import Path
from typing import Any

import pytest

from tests.utils.clinical.gbsg2 import write_gbsg2
from tests.utils.run_folders import cells
from utils.clinical.analysis import analyse
from utils.clinical.sentences import verdict
from utils.clinical.settings import ClinicalSettings
from utils.clinical.text import csv, latex, markdown, methods_of, tables_of

ASKED = {"covariates": ("age", "tgrade"), "subgroups": ("menostat",)}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run_dir, table = write_gbsg2(tmp_path_factory.mktemp("run"), "surv")
    return analyse(run_dir, ClinicalSettings(clinical=table, **ASKED))


def test_the_page_answers_first_and_shows_every_table(result: dict[str, Any]):
    text = markdown(result)
    assert text.startswith(
        "# Clinical covariates of GBSG2: abmil\n\nBeyond age and tgrade, the risk has a hazard ratio of "
    )
    models, ranking, groups = (cells(text, table=index) for index in range(3))
    assert [row[0] for row in models[1:]] == [
        "model's risk, per SD",
        "age, per SD (10.1)",
        "tgrade I vs II",
        "tgrade III vs II",
    ]
    assert models[1][1] == "1.51 (1.35–1.69)"
    assert models[1][3:5] == ["", ""]
    assert [row[0] for row in ranking[1:4]] == ["risk alone", "covariates alone", "both"]
    assert ranking[1][1] == "0.634"
    assert ranking[4][1].startswith("+")
    assert [row[:2] for row in groups[1:]] == [["all cases", "686"], ["menostat Post", "396"], ["menostat Pre", "290"]]
    for sentence in ("10 p values in all", "share training cases", "in 1,000 cohorts like this one", "cross-fitted"):
        assert sentence in text, sentence
    assert "*" not in text.replace("**", "")  # no star of significance


def test_latex_has_a_table_for_each(result: dict[str, Any]):
    text = latex(result)
    assert text.count(r"\begin{table}") == text.count(r"\toprule") == len(tables_of(result)) == 3
    assert r"model's risk, per SD & 1.51 (1.35--1.69) & $<$0.001 &  &  &" in text
    assert r"\label{tab:clinical_3}" in text


def test_the_file_has_every_number_with_all_digits(result: dict[str, Any]):
    lines = list(csv_module.DictReader(io.StringIO(csv(result))))
    assert [line["part"] for line in lines] == (
        ["ratio"] * 8 + ["likelihood_ratio"] * 2 + ["c_index"] * 3 + ["c_index_difference"] * 2 + ["subgroups"] * 3
    )
    age = next(line for line in lines if line["model"] == "both" and line["name"].startswith("age"))
    term = result["models"]["both"]["terms"][1]
    assert float(age["value"]) == term["effect"]
    deviation = result["covariates"][0]["deviation"]
    assert float(age["value_per_unit"]) ** deviation == pytest.approx(term["effect"])


def test_a_model_without_an_estimate_is_a_dash_with_its_reason(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    lines = table.read_text().splitlines()
    double = [lines[0] + ",months", *(f"{line},{12 * float(line.split(',')[0])}" for line in lines[1:])]
    table.write_text("\n".join(double) + "\n")
    result = analyse(run_dir, ClinicalSettings(clinical=table, covariates=("age", "months")))
    text = markdown(result)
    assert cells(text)[2][3:] == ["–"] * 4
    assert "HR (covariates alone), HR (both): collinear" in text
    assert list(verdict(result)) == [
        f"Whether the risk says something beyond age and months cannot be told: {result['models']['both']['reason']}."
    ]
    assert result["tests"]["risk_added"]["p"] is None
    assert latex(result)
    assert csv(result)


def test_subgroups_alone_make_one_table(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "cls")
    result = analyse(run_dir, ClinicalSettings(clinical=table, subgroups=("horTh",)))
    assert list(tables_of(result)) == list(methods_of(result)) == ["AUC of the model within groups"]
    assert list(verdict(result)) == []
    assert markdown(result)
    assert latex(result).count(r"\begin{table}") == 1


def _with_cases_of(table: Path, n_folds: int) -> None:
    """Keep the rows of the test cases of the first folds; case i is of fold i mod 4."""
    header, *lines = table.read_text().splitlines()
    table.write_text("\n".join([header, *(line for i, line in enumerate(lines) if i % 4 < n_folds)]) + "\n")


@pytest.mark.parametrize("task", ["surv", "cls"])
def test_cases_of_one_fold_need_no_correction_and_have_no_ranking_of_covariates(tmp_path: Path, task: str):
    """Whether the run has one fold, or the table the cases of one."""
    run_dir, table = write_gbsg2(tmp_path, task)
    _with_cases_of(table, 1)
    result = analyse(run_dir, ClinicalSettings(clinical=table, **ASKED))
    assert result["folds"] == [0]
    text = markdown(result)
    for words in ("corrected for folds", "corrected (below)", "share training cases", "other 0", "other 3", "by fold"):
        assert words not in text, words
    answer = next(iter(verdict(result)))
    assert ("has a hazard ratio" if task == "surv" else "has an odds ratio") in answer
    assert f"p = {result['tests']['risk_added']['p']:.3f}." in answer or "p < 0.001." in answer
    assert [row[1] for row in cells(text, table=1)[2:]] == ["–"] * 4
    assert "the cases are all of fold 0, and there are none of others to fit the covariates to" in text
    assert csv(result)


def test_the_other_folds_are_those_of_the_analysed_cases(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    _with_cases_of(table, 2)
    text = markdown(analyse(run_dir, ClinicalSettings(clinical=table, **ASKED)))
    assert "fitted to the test cases of the other fold," in text
    assert "share training cases" in text


def test_a_ratio_per_unit_beyond_float64_is_left_blank(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    cells_of = [line.split(",") for line in table.read_text().splitlines()]
    for row in cells_of[1:]:
        row[1] = f"{row[1]}e-6"
    table.write_text("\n".join(",".join(row) for row in cells_of) + "\n")
    lines = csv_module.DictReader(
        io.StringIO(csv(analyse(run_dir, ClinicalSettings(clinical=table, covariates=("tsize",)))))
    )
    assert [line["value_per_unit"] for line in lines if line["name"].startswith("tsize")] == ["", ""]
