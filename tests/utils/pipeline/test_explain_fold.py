"""Which test cases are explained; what is written of them is tested in tests/commands/test_explain.py."""

from __future__ import annotations

import pytest
import torch

from tests.utils.pipeline.conftest import inputs_of
from utils.errors import UserError
from utils.pipeline.explain_fold import EXPLAINED_CASES, Explanation, check_what_is_explained, chosen_cases
from utils.pipeline.inputs import AnchorSource
from utils.pipeline.prediction_table import prediction_table


def explanation(cases=None, slides=None) -> Explanation:
    return Explanation(
        cases=cases, slides=slides, slides_dir=None, mpp=None, patch_size=None, geojson="patches", run="D: run"
    )


@pytest.fixture(scope="module")
def folds(cls_cohort):
    return inputs_of(cls_cohort, "cls", AnchorSource("random", None, None))


def test_only_test_slides_are_explained(folds):
    tested = folds[1].fold.slides("test")[0]
    check_what_is_explained(explanation(slides=(tested,)), folds)
    with pytest.raises(UserError, match=r"got --explain_slides other, which none of the folds tests .* of fold 0, 1"):
        check_what_is_explained(explanation(slides=(tested, "other")), folds)


def test_three_cases_of_each_kind_by_default_and_none_beside_chosen_slides(folds):
    cases = folds[0].fold.test
    predictions = prediction_table("cls", cases, torch.linspace(-3, 3, 2 * len(cases)).reshape(-1, 2))
    assert len(chosen_cases(explanation(), predictions)) == 2 * EXPLAINED_CASES
    assert len(chosen_cases(explanation(cases=1), predictions)) == 2
    slides = (cases[0].slide_ids[0],)
    assert [case.slide_ids for case in chosen_cases(explanation(slides=slides), predictions)] == [slides]
    assert len(chosen_cases(explanation(cases=1, slides=slides), predictions)) == 3
