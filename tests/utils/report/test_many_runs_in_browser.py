from __future__ import annotations

from pathlib import Path

import pytest

from tests.utils.report.browser import chromium, complaints, open_page
from tests.utils.report.report_folders import write_run
from utils.report.all_runs_page import write_all_runs_report

pytestmark = pytest.mark.slow

MODELS = ("mico", "abmil", "clam_sb", "dsmil", "transmil", "dtfdmil", "patchgcn", "meanpool")
COHORTS = [("cls", f"CLS{index}") for index in range(4)] + [("surv", f"SURV{index}") for index in range(5)]


def test_nine_cohorts_of_eight_models_open_in_two_seconds(tmp_path: Path):
    for task, dataset in COHORTS:
        for noise, model in enumerate(MODELS):
            write_run(tmp_path / task / dataset / model, task, n_folds=4, n_cases=100, model=model, noise=noise)
    path = write_all_runs_report(tmp_path, n_resamples=30)
    assert path.stat().st_size < 15e6
    with chromium(tmp_path / "profile") as browser:
        open_page(browser, path)
        assert complaints(browser) == []
        loaded, painted = browser.execute_script(
            "return [performance.timing.loadEventEnd - performance.timing.navigationStart,"
            " performance.getEntriesByName('first-contentful-paint')[0].startTime]"
        )
        assert 0 < loaded < 2000
        assert 0 < painted < 2000
        n_charts = browser.execute_script("return document.querySelectorAll('svg.chart').length")
        assert n_charts == len(COHORTS) * (1 + len(MODELS) * 4)  # a forest; outcome, loss, metric, calibration
