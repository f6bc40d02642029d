from __future__ import annotations

import numpy as np
import pytest

from tests.utils.clinical.cases import class_cases, survival_cases
from utils.clinical.column_values import read_columns
from utils.clinical.subgroups import site_rows, subgroup_rows
from utils.statistics.survival_stats import concordance


def _texts(values: object) -> np.ndarray:
    return np.array([str(value) for value in values], dtype=object)  # type: ignore[attr-defined]


@pytest.fixture
def numbers() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    score = rng.normal(size=60)
    return {"event": rng.random(60) < 0.7, "time": rng.exponential(np.exp(-score)), "score": score}


def test_each_group_has_its_own_concordance(numbers: dict[str, np.ndarray]):
    cases = survival_cases(**numbers, fold=np.zeros(60, dtype=int))
    sex = np.array(["f", "m"] * 30)
    rows = subgroup_rows(cases, read_columns({"sex": _texts(sex)}, ()))
    assert [(row["column"], row["level"], row["n"]) for row in rows] == [
        ("all cases", "", 60),
        ("sex", "f", 30),
        ("sex", "m", 30),
    ]
    for row in rows[1:]:
        own = sex == row["level"]
        of_group = [numbers[name][own] for name in ("event", "time", "score")]
        assert row["value"] == pytest.approx(concordance(*of_group))
        assert row["events"] == numbers["event"][own].sum()
        assert row["low"] < row["value"] < row["high"]


def test_numbers_are_divided_at_their_median(numbers: dict[str, np.ndarray]):
    cases = survival_cases(**numbers, fold=np.zeros(60, dtype=int))
    ages = [*range(41, 100), ""]
    _, low, high = subgroup_rows(cases, read_columns({"age": _texts(ages)}, ()))
    assert (low["level"], low["n"], high["level"], high["n"]) == ("up to 70", 30, "above 70", 29)
    skewed = [1, 2, *[3] * 58]
    _, low, high = subgroup_rows(cases, read_columns({"grade": _texts(skewed)}, ()))
    assert (low["level"], low["n"], high["level"], high["n"]) == ("below 3", 2, "from 3 on", 58)


def test_small_groups_say_too_few(numbers: dict[str, np.ndarray]):
    numbers["event"] = np.arange(60) >= 30
    cases = survival_cases(**numbers, fold=np.zeros(60, dtype=int))
    stage = ["I"] * 9 + ["II"] * 23 + ["III"] * 28
    _, few_cases, few_deaths, enough = subgroup_rows(cases, read_columns({"stage": _texts(stage)}, ()))
    assert few_cases["reason"] == few_deaths["reason"] == "too few: fewer than 10 cases or 3 deaths"
    assert few_cases["value"] is None
    assert enough["value"] is not None


def test_classes_need_three_of_each():
    fold, score = np.zeros(24, dtype=int), np.arange(24.0)
    positive = np.array([True] * 10 + [False] * 2 + [True, False] * 6)
    _, one_sided, mixed = subgroup_rows(
        class_cases(positive, fold, score), read_columns({"g": _texts(["a"] * 12 + ["b"] * 12)}, ())
    )
    assert one_sided["reason"] == "too few: fewer than 10 cases or 3 cases of each class"
    assert mixed["value"] == pytest.approx(
        15 / 36
    )  # each of the six beats the other class's before it: 0 + 1 + ... + 5


def test_sites_are_those_of_barcodes_with_ten_cases(numbers: dict[str, np.ndarray]):
    ids = [f"TCGA-{site}-{index:04d}" for index, site in enumerate(["2F"] * 25 + ["XF"] * 26 + ["ZZ"] * 9)]
    cases = survival_cases(**numbers, fold=np.zeros(60, dtype=int), case_id=ids)
    rows, left_out = site_rows(cases)
    assert [(row["level"], row["n"]) for row in rows] == [("2F", 25), ("XF", 26)]
    assert left_out == "Not shown: 1 site of fewer than 10 cases each, 9 in all."


def test_ids_of_another_source_have_no_sites(numbers: dict[str, np.ndarray]):
    cases = survival_cases(**numbers, fold=np.zeros(60, dtype=int))
    assert site_rows(cases) == ([], "")
    one_site = survival_cases(**numbers, fold=np.zeros(60, dtype=int), case_id=[f"TCGA-2F-{i:04d}" for i in range(60)])
    assert site_rows(one_site) == ([], "")
