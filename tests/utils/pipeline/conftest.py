"""A small cohort on disk, and what a fold of it needs."""

from __future__ import annotations

import pytest

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from utils.pipeline.inputs import AnchorSource, FoldInputs, load_inputs, read_folds

SMALL = {"n_folds": 2, "dim": 8, "patches_per_slide": (12, 30)}


@pytest.fixture(scope="session")
def surv_cohort(tmp_path_factory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("surv"), CohortSettings(task="surv", n_cases=24, n_bins=2, **SMALL))


@pytest.fixture(scope="session")
def cls_cohort(tmp_path_factory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("cls"), CohortSettings(task="cls", n_cases=16, **SMALL))


def inputs_of(cohort: Cohort, task: str, source: AnchorSource, *folds: int) -> list[FoldInputs]:
    found = read_folds(cohort.splits_dir, folds or None, task, n_bins=2, allow_patient_overlap=False)
    return load_inputs(found, [cohort.features_dir], source, on_missing="error")
