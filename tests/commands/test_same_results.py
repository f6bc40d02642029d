"""Options that say how a run is computed change no byte of its results, but for times and their own names."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.synthetic.cohort import Cohort
from tests.commands.conftest import Command, cls_arguments, surv_arguments
from tests.soak.comparison import contents

pytestmark = pytest.mark.slow

WAYS = (("--num_workers", "0"), ("--num_workers", "4"), ("--cache", "ram"))
PROTOCOL = ("--folds", "0", "--dropout", "0.3", "--max_patches", "20", "--weighted_sampling", "--batch_size", "2")


@pytest.mark.parametrize("form", ["released", "paper"])
@pytest.mark.parametrize("task", ["cls", "surv"])
def test_a_run(task: str, form: str, cls_cohort: Cohort, surv_cohort: Cohort, run_main: Command, tmp_path: Path):
    cohort, arguments = (cls_cohort, cls_arguments) if task == "cls" else (surv_cohort, surv_arguments)
    found = []
    for name, way in (("a", ()), ("again", ()), *((way[1], way) for way in WAYS)):
        more = (*PROTOCOL, "--formulation", form, "--run_name", "run", *way)
        run_main(*arguments(cohort, tmp_path / name, *more)).check()
        run_dir = tmp_path / name / task / "toy" / "run"
        found.append({path: data for path, data in contents(run_dir).items() if path != "run.json"})
    assert {"fold0/checkpoint.pt", "fold0/last.pt", "fold0/log.csv", "summary.json"} <= found[0].keys()
    assert all(other == found[0] for other in found[1:])


def test_anchors(cls_cohort: Cohort, run_clustering: Command, tmp_path: Path):
    fold = cls_cohort.splits_dir / "fold0.csv"
    found = []
    for name, workers in (("a", "4"), ("again", "4"), ("one", "1")):
        where = ("--dataset_name", "toy", "--input_dir", cls_cohort.features_dir, "--output_dir", tmp_path / name)
        run_clustering(*where, "--fold_csv", fold, "--n_clusters", "6", "--workers", workers).check()
        found.append(contents(tmp_path / name))
    assert len(found[0]) == len(cls_cohort.cases) + 3  # of each slide with one record, of the data set with another
    assert found[1] == found[0]
    assert found[2] == found[0]
