"""The whole question on a real cohort, against R.

With `d <- read.csv(...)` of `sksurv.datasets.load_gbsg2()` and

    d$fold <- (seq_len(nrow(d)) - 1) %% 4
    standard <- function(x) (x - mean(x)) / sqrt(mean((x - mean(x))^2))
    d$risk <- ave(-log1p(d$progrec), d$fold, FUN = standard)
    d$a <- standard(d$age); d$s <- standard(d$tsize); d$g <- relevel(factor(d$tgrade), "II")
    S <- Surv(d$time / 30.4375, d$event)

R 4.2.2 with survival and pROC printed the figures below.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils.clinical.gbsg2 import write_gbsg2
from utils.clinical.analysis import analyse
from utils.clinical.settings import ClinicalSettings
from utils.errors import UserError

# coxph(S ~ risk + strata(fold), d), coxph(S ~ a + s + g + strata(fold), d), coxph(S ~ risk + a + s + g + strata(fold)):
# exp(coef), lower .95, upper .95, p
COX = {
    "risk": [[1.50986662463, 1.34859068148, 1.69042931667, 8.74842471028e-13]],
    "covariates": [
        [0.978361839444, 0.869439443667, 1.100929910477, 0.716412706275698],
        [1.210958622016, 1.095135185411, 1.339031750391, 0.000190216894526],
        [0.435750331559, 0.268448953045, 0.707316416398, 0.000776510850905],
        [1.292682389468, 0.992784563802, 1.683172584435, 0.056625080679874],
    ],
    "both": [
        [1.424952052995, 1.264225575125, 1.606112384757, 6.64366752693e-09],
        [0.987872388202, 0.877425917138, 1.112221369702, 8.40143090613e-01],
        [1.203626676502, 1.085999769266, 1.333994000169, 4.11919769065e-04],
        [0.543416815687, 0.331970715596, 0.889541823113, 1.52889153543e-02],
        [1.041440878845, 0.791934086795, 1.369557292980, 7.71372470790e-01],
    ],
}
COX_LIKELIHOODS = {"risk": -1349.09717017, "covariates": -1356.08129783, "both": -1339.47887553}
# anova(covariates, both), anova(risk, both)
COX_TESTS = {
    "risk_added": (33.2048446073, 1, 8.29436279729e-09),
    "covariates_added": (19.2365892817, 4, 0.000706126457737),
}
# concordance(S ~ risk + strata(fold), d, reverse = TRUE), and the same of X b with b of coxph(subset = fold != k).
C_INDEX_ERROR = 0.0167436164
C_INDEX = {"risk": 0.633747093, "covariates": 0.599136238712, "both": 0.645616260457}
# glm(event ~ risk + factor(fold), binomial, d, epsilon = 1e-14) and so on: exp(coef -+ 1.96 se), p.
ODDS = {
    "risk": [[1.55128657838, 1.32545157024, 1.81560013379, 4.50242798091e-08]],
    "covariates": [
        [1.016900682722, 0.871063825041, 1.187154108336, 0.831953635024837],
        [1.287872102079, 1.097368374264, 1.511447377391, 0.001950894822095],
        [0.354153282914, 0.202452426096, 0.619526029979, 0.000274701753436],
        [1.105847304099, 0.765867383387, 1.596749367464, 0.591410007787731],
    ],
    "both": [
        [1.473804974823, 1.243962137530, 1.74611512544, 7.34124352584e-06],
        [1.018944986457, 0.870412915794, 1.19282339058, 8.15397936883e-01],
        [1.285588331006, 1.092428076421, 1.51290267295, 2.49321032454e-03],
        [0.455463857842, 0.257183193374, 0.80661307249, 6.99740067740e-03],
        [0.872283385956, 0.591818566261, 1.28566143205, 4.89950299812e-01],
    ],
}
ODDS_LIKELIHOODS = {"risk": -453.380331567, "covariates": -454.70079552, "both": -444.295235868}
ODDS_TESTS = {"risk_added": (20.8111193051, 1), "covariates_added": (18.1701913987, 4)}  # anova(test = "LRT")
# pROC's auc of each fold, weighted by its pairs; of the covariates with coefficients of glm(subset = fold != k).
AUC = {"risk": 0.62347967705, "covariates": 0.581326449288}

QUESTION = {"covariates": ("age", "tsize", "tgrade"), "subgroups": ("menostat", "age")}


@pytest.fixture(scope="module")
def survival(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run_dir, table = write_gbsg2(tmp_path_factory.mktemp("surv"), "surv")
    return analyse(run_dir, ClinicalSettings(clinical=table, **QUESTION))


@pytest.fixture(scope="module")
def classification(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run_dir, table = write_gbsg2(tmp_path_factory.mktemp("cls"), "cls")
    return analyse(run_dir, ClinicalSettings(clinical=table, **QUESTION))


def _check_models(result: dict[str, Any], terms: dict[str, Any], likelihoods: dict[str, float]) -> None:
    for model, expected in terms.items():
        found = result["models"][model]
        values = [[term[name] for name in ("effect", "low", "high", "p")] for term in found["terms"]]
        np.testing.assert_allclose(values, expected, rtol=1e-6)
        assert found["log_likelihood"] == pytest.approx(likelihoods[model], abs=1e-7)
        assert found["reason"] is None


def test_hazard_ratios_are_those_of_r(survival: dict[str, Any]):
    _check_models(survival, COX, COX_LIKELIHOODS)
    for name, expected in COX_TESTS.items():
        assert [survival["tests"][name][key] for key in ("statistic", "df", "p")] == pytest.approx(expected, rel=1e-6)
    corrected = survival["tests"]["risk_added"]["p_corrected"]
    assert corrected == pytest.approx(math.erfc(math.sqrt(33.2048446073 / 2 / 2)), rel=1e-6)  # P(Z^2 > half of it)
    assert "p_corrected" not in survival["tests"]["covariates_added"]


def test_odds_ratios_are_those_of_r(classification: dict[str, Any]):
    _check_models(classification, ODDS, ODDS_LIKELIHOODS)
    for name, expected in ODDS_TESTS.items():
        assert [classification["tests"][name][key] for key in ("statistic", "df")] == pytest.approx(expected, rel=1e-6)


def test_the_ranking_is_that_of_r(survival: dict[str, Any], classification: dict[str, Any]):
    for result, expected in ((survival, C_INDEX), (classification, AUC)):
        found = result["discrimination"]["models"]
        assert {name: found[name]["value"] for name in expected} == pytest.approx(expected, abs=1e-8)
        if result is survival:
            _check_standard_error(found["risk"], C_INDEX_ERROR)
        added = result["discrimination"]["differences"]["risk_added"]
        assert added["value"] == pytest.approx(found["both"]["value"] - found["covariates"]["value"])
        assert added["low"] < added["value"] < added["high"]


def _check_standard_error(found: dict[str, float], expected: float) -> None:
    """R has the infinitesimal jackknife's, of independent folds; the limits are of the logit."""
    logits = [math.log(found[name] / (1 - found[name])) for name in ("low", "high")]
    error = (logits[1] - logits[0]) / 2 / 1.959964 * found["value"] * (1 - found["value"])
    assert error == pytest.approx(math.sqrt(2 - 1 / 4) * expected, rel=0.01)


def test_cases_tests_and_covariates_are_counted(survival: dict[str, Any]):
    assert survival["cases"] == {"predicted": 686, "in_table": 686, "analysed": 686, "events": 299}
    assert survival["n_tests"] == 1 + 4 + 5 + 2
    assert [one["name"] for one in survival["covariates"]] == ["age", "tsize", "tgrade"]
    assert survival["covariates"][2]["levels"] == {"II": 444, "I": 81, "III": 161}
    assert survival["covariates"][2]["terms"] == ["tgrade I vs II", "tgrade III vs II"]
    assert survival["warnings"] == []
    assert survival["sites"] == []
    assert json.dumps(survival, allow_nan=False)


def test_groups_are_those_of_the_options(survival: dict[str, Any]):
    rows = {f"{row['column']} {row['level']}".strip(): row for row in survival["subgroups"]}
    assert list(rows) == ["all cases", "menostat Post", "menostat Pre", "age up to 53", "age above 53"]
    assert rows["menostat Post"]["n"] + rows["menostat Pre"]["n"] == rows["all cases"]["n"] == 686
    assert rows["all cases"]["value"] == pytest.approx(C_INDEX["risk"], abs=1e-8)


def test_models_have_the_cases_with_all_values(tmp_path: Path):
    """Of 686 patients one is not in the table, ten have no age, and four others a grade of their own."""
    run_dir, table = write_gbsg2(tmp_path, "surv")
    lines = table.read_text().splitlines()
    cells = [line.split(",") for line in lines]
    for row in cells[1:11]:
        row[0] = "[Not Available]"
    for row in cells[11:15]:
        row[2] = "IV"
    table.write_text("\n".join(",".join(row) for row in cells[:-1]) + "\n")
    result = analyse(run_dir, ClinicalSettings(clinical=table, **QUESTION))
    assert result["cases"]["in_table"] == 685
    assert result["cases"]["analysed"] == 685 - 10 - 4
    assert result["missing"]["age"] == {"[Not Available]": 10}
    assert any("1 of 686 test cases is not in clinical.csv: P685" in note for note in result["notes"])
    assert any("4 cases of tgrade 'IV' (fewer than 5)" in note for note in result["notes"])


def test_more_coefficients_than_deaths_carry_is_a_warning(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:101]) + "\n")
    result = analyse(run_dir, ClinicalSettings(clinical=table, covariates=("age", "tsize", "tgrade", "menostat")))
    (warning,) = result["warnings"]
    assert warning.startswith(f"{result['cases']['events']} deaths are few for 6 coefficients")


def test_subgroups_alone_need_no_covariates(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    result = analyse(run_dir, ClinicalSettings(clinical=table, subgroups=("horTh",)))
    assert "models" not in result
    assert [row["level"] for row in result["subgroups"]] == ["", "no", "yes"]


def test_a_table_of_other_patients_is_an_error(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    table.write_text(table.read_text().replace("P", "Q"))
    with pytest.raises(UserError, match="none of the 686 test cases"):
        analyse(run_dir, ClinicalSettings(clinical=table, covariates=("age",)))


def test_odd_columns_are_said_of_covariates_and_subgroups(tmp_path: Path):
    run_dir, table = write_gbsg2(tmp_path, "surv")
    cells = [line.split(",") for line in table.read_text().splitlines()]
    for row in cells[1:4]:
        row[0], row[4] = "-999", row[4].upper()
    table.write_text("\n".join(",".join(row) for row in cells) + "\n")
    settings = ClinicalSettings(clinical=table, covariates=("age",), subgroups=("horTh", "age"))
    result = analyse(run_dir, settings)
    assert [text[:29] for text in result["warnings"]] == ["Column age is -999 for 3 cases"[:29]]
    assert any("which differ in letter case only" in note for note in result["notes"])
    assert [row["level"] for row in result["subgroups"][1:3]] == ["no", "yes"]
    named = analyse(run_dir, ClinicalSettings(clinical=table, covariates=("age",), missing=("-999",)))
    assert (named["warnings"], named["missing"]["age"]) == ([], {"-999": 3})
