"""Predictions of slides as predictions of patients: the mean of the probabilities of a patient's slides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.runs.predictions import classification_table, output_columns, task_of
from utils.runs.tasks import CLASSIFICATION


@dataclass(frozen=True)
class PatientPredictions:
    """One row per patient.

    Attributes:
        table: a prediction table as of `utils.runs.predictions`, with the slides of a patient joined by `;`; it may be
            empty.
        left_out: the patients whose slides have different labels, and who have none therefore.
    """

    table: pd.DataFrame
    left_out: tuple[str, ...]


def has_patients_of_several_rows(table: pd.DataFrame) -> bool:
    """Whether a patient (`case_id`) has several rows, so that rows are slides and say something else than patients."""
    return bool(table["case_id"].duplicated().any())


def by_patient(table: pd.DataFrame) -> PatientPredictions:
    """The predictions of patients, in the order of their first rows.

    The probability of class c of a patient (`case_id`) with the rows R is `mean_{i in R} prob_ic`: each slide counts
    alike, whatever its number of patches. A patient with one row keeps it, digit by digit.

    Args:
        table: predictions of a classification run as of `utils.runs.predictions.read_predictions`.

    Raises:
        ValueError: for predictions of survival, whose rows are patients already.
    """
    if task_of(table) != CLASSIFICATION:
        raise ValueError("expected predictions of classification, got those of survival")
    prob = table[output_columns(table)].to_numpy()
    rows_of = {str(patient): rows for patient, rows in table.groupby("case_id", sort=False).indices.items()}
    label = table["label"].to_numpy()
    left_out = tuple(patient for patient, rows in rows_of.items() if len(set(label[rows])) > 1)
    mixed = set(left_out)
    kept = {patient: rows for patient, rows in rows_of.items() if patient not in mixed}
    slides = table["slide_ids"].to_numpy(dtype=object)
    patients = classification_table(
        list(kept),
        [";".join(slides[rows]).split(";") for rows in kept.values()],
        np.array([label[rows[0]] for rows in kept.values()], dtype=np.int64),
        np.array([prob[rows].mean(axis=0) for rows in kept.values()]).reshape(len(kept), prob.shape[1]),
    )
    return PatientPredictions(patients, left_out)
