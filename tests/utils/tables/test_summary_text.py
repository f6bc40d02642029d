from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from utils.runs.tasks import METRIC_WORDS, SURVIVAL, TASKS
from utils.tables.risk_groups_text import RELEASED_ROW
from utils.tables.summary_text import format_summary


def _interval(value: float | None, low: float | None, high: float | None, reason: str | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "reason": reason}


def _survival_row(fold: int, **more: Any) -> dict[str, Any]:
    row = {
        "fold": fold, "n_test": 20, "c_index": 0.61234, "c_index_low": 0.5, "c_index_high": 0.7, "logrank_p": 0.0004,
        "n_events": 9, "c_index_ipcw": 0.598, "td_auc": 0.634, "ibs": 0.1874,
        "reasons": {}, "predictions": f"fold{fold}/predictions_test.csv",
        "split_sha256": f"digest{fold}",
    }  # fmt: skip
    return row | more


def _survival_summary(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    summary = {
        "task": "surv", "dataset": "BLCA", "model": "mico", "formulation": "paper",
        "ablate": [], "run_name": None, "seed": 5, "unit": "case",
        "folds": list(rows), "missing_folds": [], "warnings": [], "anchors": {"sha256": "feed"},
        "mean": {"c_index": 0.6, "c_index_low": 0.5, "c_index_high": 0.7, "logrank_p": 0.1, "n_events": 8.5,
                 "c_index_ipcw": 0.59, "td_auc": 0.63, "ibs": 0.19},
        "std": {"c_index": 0.0123, "c_index_low": 0.0, "c_index_high": 0.0, "logrank_p": 0.0, "n_events": 0.5,
                "c_index_ipcw": 0.01, "td_auc": 0.02, "ibs": 0.03},
        "sample_std": {"n_events": 0.7, "c_index": 0.0174, "logrank_p": 0.1},
        "n_defined": dict.fromkeys(SURVIVAL.metrics, len(rows)),
        "intervals": {"c_index": {"folds": [], "mean": _interval(0.6, 0.52, 0.67)}},
        "pooled": {"logrank_p": 0.0321, "n_cases": 40, "n_high": 20, "deaths_high": 11, "deaths_low": 6,
                   "folds": [0, 1], "left_out": {}, "reason": None},
    }  # fmt: skip
    return summary | more


def _cells(text: str, first: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_fold_and_the_mean():
    text = format_summary(_survival_summary(_survival_row(0), _survival_row(1)))
    assert text.startswith("# BLCA: mico (paper), survival\n")
    assert _cells(text, "fold") == [
        "fold", "test cases", "deaths", "C-index", "95 % interval", "log-rank p", "Uno's C", "AUC(t)", "IBS",
    ]  # fmt: skip
    assert _cells(text, "0") == ["0", "20", "9", "0.612", "0.500 to 0.700", "<0.001", "0.598", "0.634", "0.187"]
    # A mean of p values is no p value: that cell stays empty. The mean has an interval of its own.
    assert _cells(text, "mean")[:6] == ["mean ± std", "", "8.5 ± 0.5", "0.600 ± 0.012", "0.520 to 0.670", ""]
    assert _cells(text, "mean")[6:] == ["0.590 ± 0.010", "0.630 ± 0.020", "0.190 ± 0.030"]
    assert _cells(text, "sample") == ["sample std", "", "0.7", "0.017", *[""] * 5]
    assert "std: over folds, population standard deviation (divided by the number of folds n); sample std: " in text


def test_folds_of_one_reason_share_a_footnote():
    lacking = {"c_index_ipcw": None, "reasons": {"c_index_ipcw": "not there"}}
    other = {"ibs": None, "reasons": {"ibs": "no edges"}}
    rows = (_survival_row(0, **lacking), _survival_row(1, **other), _survival_row(2, **lacking))
    text = format_summary(_survival_summary(*rows))
    assert [_cells(text, str(fold))[6] for fold in range(3)] == ["– (1)", "0.598", "– (1)"]
    assert "- (1) folds 0 and 2: Uno's C undefined: not there\n- (2) fold 1: IBS undefined: no edges\n" in text


def _group_row(**more: Any) -> dict[str, Any]:
    row = {"n_high": 10, "n_low": 10, "deaths_high": 6, "deaths_low": 3, "logrank_p": 0.03, "reasons": {}}
    return row | {"hazard_ratio": 1.8, "hazard_ratio_low": 1.2, "hazard_ratio_high": 2.7} | more


def _with_groups(n_folds: int, **pooled: Any) -> str:
    summary = _survival_summary(*(_survival_row(fold) for fold in range(n_folds)))
    summary["pooled"] |= pooled
    groups = {"folds": [{"fold": fold} | _group_row() for fold in range(n_folds)], "stratified": _group_row()}
    return format_summary(summary | {"risk_groups": groups})


def test_the_pooled_logrank_stands_once_among_the_risk_groups():
    text = _with_groups(2)
    assert not [line for line in text.splitlines() if line.startswith("| pooled")]
    assert _cells(text, RELEASED_ROW)[-1] == "0.032*"
    assert text.count("0.032") == 1
    assert "log-rank test between the halves of the fold's test cases (high: risk >= median of the fold)." in text
    assert "Released, pooled: one log-rank test over the test cases of all folds, not stratified; the p value" in text
    assert _cells(_with_groups(2, logrank_p=0.05), RELEASED_ROW)[-1] == "0.050"
    assert _cells(_with_groups(2, logrank_p=1e-9), RELEASED_ROW)[-1] == "<0.001*"


def test_what_the_pooled_logrank_lacks_has_a_footnote():
    left_out = {"1": "all risks equal", "2": "missing", "3": "all risks equal"}
    text = _with_groups(2, logrank_p=None, reason="no events", left_out=left_out)
    assert _cells(text, RELEASED_ROW)[-1] == "– (1) (2) (3)"
    assert (
        "- (1) pooled log-rank p undefined: no events\n- (2) pooled: without folds 1 and 3 (all risks equal)\n"
        "- (3) pooled: without fold 2 (missing)\n" in text
    )
    assert len({len(line) for line in text.split("## Risk groups")[1].splitlines() if line.startswith("|")}) == 1


def test_nothing_repeats_a_single_fold():
    block = _with_groups(1, folds=[0]).split("## Risk groups")[1]
    assert [line.split("|")[1].strip() for line in block.splitlines() if line.startswith("| ")] == ["fold", "0"]
    assert "tratified" not in block
    assert "eleased" not in block


def test_a_summary_of_before_the_pooled_logrank_can_still_be_printed():
    summary = _survival_summary(_survival_row(0))
    del summary["pooled"]
    assert "pooled" not in format_summary(summary)


def test_a_new_metric_of_the_task_is_a_column(monkeypatch: pytest.MonkeyPatch):
    """Only its line in the Task and its printed name: there is no other list of columns."""
    monkeypatch.setitem(TASKS, "surv", replace(SURVIVAL, metrics=(*SURVIVAL.metrics, "slope")))
    monkeypatch.setitem(METRIC_WORDS, "slope", "calibration slope")
    summary = _survival_summary(_survival_row(0, slope=0.98765))
    for name in ("mean", "std", "n_defined"):
        summary[name]["slope"] = 1
    text = format_summary(summary)
    assert _cells(text, "fold")[-2:] == ["IBS", "calibration slope"]
    assert _cells(text, "0")[-2:] == ["0.187", "0.988"]
    assert _cells(text, "mean")[-2:] == ["0.190", "1.000"]


def test_every_line_of_the_table_is_equally_wide():
    text = format_summary(_survival_summary(_survival_row(0), missing_folds=[1]))
    assert len({len(line) for line in text.splitlines() if line.startswith("|")}) == 1


def test_nulls_have_footnotes_and_missing_folds_stand_in_the_table():
    no_events = ("c_index", "c_index_low", "c_index_high", "logrank_p")
    no_outcomes = ("c_index_ipcw", "td_auc", "ibs")
    reasons = dict.fromkeys(no_events, "no events") | dict.fromkeys(no_outcomes, "not there")
    row = _survival_row(2, **dict.fromkeys(reasons), n_events=0, reasons=reasons)
    text = format_summary(
        _survival_summary(
            _survival_row(0),
            row,
            missing_folds=[1],
            n_defined=dict.fromkeys(SURVIVAL.metrics, 1) | {"n_events": 2},
            n_test=dict.fromkeys(SURVIVAL.metrics, 20),
            n_events=dict.fromkeys(SURVIVAL.metrics, 9),
        )
    )
    assert _cells(text, "0")[4] == "0.500 to 0.700"
    assert _cells(text, "1") == ["1", "missing", *[""] * 7]
    assert _cells(text, "2") == ["2", "20", "0", "– (1)", "– (1)", "– (1)", "– (2)", "– (2)", "– (2)"]
    assert "(1) fold 2: C-index, 95 % interval and log-rank p undefined: no events" in text
    assert "(2) fold 2: Uno's C, AUC(t) and IBS undefined: not there" in text
    assert _cells(text, "mean")[1] == "40 in 2 of 3 folds"
    assert _cells(text, "mean")[3] == "0.600 (1 of 2 folds, 20 cases, 9 deaths)"
    assert "- fold 1 is missing: it has no predictions_test.csv yet" in text


def test_warnings_and_sources_are_listed():
    text = format_summary(_survival_summary(_survival_row(0), warnings=["two\nlines"]))
    assert "Warnings:\n\n- two lines\n" in text
    assert "- seed 5\n" in text
    assert "- fold 0: fold0/predictions_test.csv; split file sha256 digest0\n" in text
    assert "- anchors, sha256: feed\n" in text


def test_anchors_may_be_recorded_per_fold_or_as_a_word():
    per_fold = {"fold0": {"path": "a.pt", "sha256": "feed"}}
    assert "- anchors, fold0: path a.pt, sha256 feed\n" in format_summary(
        _survival_summary(_survival_row(0), anchors=per_fold)
    )
    assert "anchors" not in format_summary(_survival_summary(_survival_row(0), anchors={"fold0": None}))
    assert "- anchors: random\n" in format_summary(_survival_summary(_survival_row(0), anchors="random"))


def test_an_unknown_digest_is_said_to_be_unknown():
    text = format_summary(_survival_summary(_survival_row(0, split_sha256=None), anchors=None))
    assert "split file digest not recorded" in text
    assert "anchors" not in text


def _classification_row(fold: int, **more: Any) -> dict[str, Any]:
    row = {"fold": fold, "n_test": 9, "acc": 0.5, "balanced_acc": 0.5, "f1": 0.25, "auc": 0.75, "reasons": {}}
    return row | {"predictions": f"fold{fold}/predictions_test.csv", "split_sha256": None} | more


def _averages(**values: float) -> dict[str, Any]:
    names = ("acc", "balanced_acc", "f1", "auc")
    mean = dict.fromkeys(names, 0.5) | values
    deviation = {"std": dict.fromkeys(names, 0.0), "sample_std": dict.fromkeys(names)}
    return {"mean": mean, **deviation, "n_defined": dict.fromkeys(names, 1), "n_test": dict.fromkeys(names, 6)}


def test_classes_are_named_below_the_table():
    summary = _survival_summary(_classification_row(0), intervals={}) | {"task": "cls", **_averages()}
    del summary["pooled"]
    assert "Classes" not in format_summary(summary)
    text = format_summary(summary | {"class_names": ["benign", "malignant"]})
    assert "beyond two classes. Classes: 0 = benign, 1 = malignant. mean ± std: over folds" in text


def test_intervals_of_the_means_and_why_there_is_none():
    of_folds = [{"fold": fold, **_interval(1.0, None, None, "no variance")} for fold in (0, 2)]
    intervals = {
        "auc": {"folds": [], "mean": _interval(0.75, 0.6, 0.86)},
        "acc": {"folds": [], "mean": _interval(0.5, 0.4, 0.6)},
        "f1": {"folds": of_folds, "mean": _interval(1.0, None, None, "nothing varies")},
    }
    rows = (_classification_row(0), _classification_row(1))
    summary = _survival_summary(*rows, intervals=intervals) | {"task": "cls", **_averages()}
    del summary["pooled"]
    text = format_summary(summary)
    assert "95 % intervals of the mean over folds: AUC 0.600 to 0.860, ACC 0.400 to 0.600." in text
    one_fold = format_summary(summary | {"folds": [_classification_row(0)]})
    assert "95 % intervals of the fold: AUC 0.600 to 0.860, ACC 0.400 to 0.600." in one_fold
    assert "95 % intervals: of the accuracy Wilson's" in text
    assert (
        "- no interval of the macro F1: no variance (folds 0 and 2)\n- no interval of the mean macro F1: nothing varies"
        in text
    )


def test_a_mean_c_index_without_limits_says_why():
    intervals = {"c_index": {"folds": [], "mean": _interval(1.0, None, None, "a value of 1 has no variance")}}
    text = format_summary(_survival_summary(_survival_row(0), intervals=intervals))
    assert _cells(text, "mean")[4] == "–"
    assert "- no interval of the mean C-index: a value of 1 has no variance" in text


def test_a_summary_of_before_the_intervals_can_still_be_printed():
    summary = _survival_summary(_survival_row(0))
    del summary["intervals"]
    assert _cells(format_summary(summary), "mean")[4] == ""


def test_a_second_table_by_patient():
    left_out = [f"P{number}" for number in range(7)]
    patients = {
        "folds": [
            {**_classification_row(0, n_test=6, auc=0.875), "left_out": left_out},
            {**_classification_row(2, n_test=1, auc=None), "left_out": ["P9"], "reasons": {"auc": "only class 1"}},
        ],
        **_averages(auc=0.625),
    }
    summary = _survival_summary(_classification_row(0), _classification_row(2), missing_folds=[1], intervals={})
    del summary["pooled"]
    summary |= {"task": "cls", "unit": "slide", "by_patient": patients, **_averages()}
    text = format_summary(summary)
    slides, of_patients = text.split("## By patient (mean of the slides' probabilities)\n")
    assert _cells(slides, "fold")[1] == "test slides"
    assert _cells(slides, "0") == ["0", "9", "0.500", "0.500", "0.250", "0.750"]
    assert _cells(of_patients, "fold") == ["fold", "test patients", "ACC", "balanced ACC", "macro F1", "AUC"]
    assert _cells(of_patients, "0") == ["0", "6 (1)", "0.500", "0.500", "0.250", "0.875"]
    assert _cells(of_patients, "1")[:2] == ["1", "missing"]
    assert _cells(of_patients, "2") == ["2", "1 (2)", "0.500", "0.500", "0.250", "– (3)"]
    assert _cells(of_patients, "mean")[5] == "0.625 (1 of 2 folds, 6 patients)"
    assert (
        "\n\n".join(
            [
                "The probabilities of a patient are the mean of those of the patient's test slides; each slide counts "
                "alike.",
                "- (1) fold 0: 7 patients have slides of different labels and are left out: P0, P1, P2, P3, P4, ...\n"
                "- (2) fold 2: 1 patient has slides of different labels and is left out: P9\n"
                "- (3) fold 2: AUC undefined: only class 1",
                "Warnings:\n",
            ]
        )
        in of_patients
    )
