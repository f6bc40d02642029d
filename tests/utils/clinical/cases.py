"""Predicted cases in memory."""

from __future__ import annotations

import numpy as np

from utils.clinical.predicted_cases import PredictedCases


def survival_cases(
    event: np.ndarray, time: np.ndarray, fold: np.ndarray, score: np.ndarray, case_id: list[str] | None = None
) -> PredictedCases:
    """A survival run's test cases."""
    run = {"task": "surv", "dataset": "toy", "model": "mico", "formulation": "released", "settings": {}}
    ids = np.array(case_id if case_id is not None else [f"P{index}" for index in range(len(event))])
    return PredictedCases(run, ids, fold, score, np.asarray(event) == 1, np.asarray(time, dtype=float), {}, (), {})


def class_cases(positive: np.ndarray, fold: np.ndarray, score: np.ndarray) -> PredictedCases:
    """A classification run's test cases."""
    run = {"task": "cls", "dataset": "toy", "model": "mico", "formulation": "released", "settings": {}}
    ids = np.array([f"P{index}" for index in range(len(fold))])
    return PredictedCases(run, ids, fold, score, np.asarray(positive), None, {}, (), {})
