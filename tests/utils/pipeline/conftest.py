"""A small cohort on disk, and what a fold of it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from tests.utils.pipeline.short_training import CPU, STEPWISE, run
from utils.pipeline.inputs import AnchorSource, FoldInputs, load_inputs, read_folds
from utils.pipeline.train_fold import Computation, TrainingProtocol

SMALL = {"n_folds": 2, "dim": 8, "patches_per_slide": (12, 30)}


@pytest.fixture(scope="session")
def surv_cohort(tmp_path_factory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("surv"), CohortSettings(task="surv", n_cases=24, n_bins=2, **SMALL))


@pytest.fixture(scope="session")
def cls_cohort(tmp_path_factory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("cls"), CohortSettings(task="cls", n_cases=16, **SMALL))


@pytest.fixture(scope="session")
def mico_fold(surv_cohort) -> FoldInputs:
    """What a short training takes."""
    return inputs_of(surv_cohort, "surv", AnchorSource("random", 8, None), 1)[0]


@pytest.fixture(scope="session")
def unstopped(mico_fold, tmp_path_factory) -> Callable[..., Path]:
    """The folder of a short training that nothing stopped, made once for each protocol."""
    places: dict[Any, Path] = {}

    def folder(protocol: TrainingProtocol = STEPWISE, computation: Computation = CPU) -> Path:
        key = (protocol, computation.precision, computation.num_workers)
        if key not in places:
            places[key] = tmp_path_factory.mktemp("unstopped")
            run(mico_fold, places[key], protocol, computation)
        return places[key]

    return folder


def inputs_of(cohort: Cohort, task: str, source: AnchorSource, *folds: int) -> list[FoldInputs]:
    found = read_folds(cohort.splits_dir, folds or None, task, n_bins=2, allow_patient_overlap=False)
    return load_inputs(found, [cohort.features_dir], source, on_missing="error")
