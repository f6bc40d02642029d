from __future__ import annotations

import pytest

from datasets.folds.cases import patient_of


@pytest.mark.parametrize(
    ("identifier", "patient"),
    [
        ("TCGA-2F-A9KO", "TCGA-2F-A9KO"),
        ("tcga-2f-a9ko-01z-00-dx1.195576cf", "TCGA-2F-A9KO"),
        ("Tcga-2F-a9KO_slide", "TCGA-2F-A9KO"),
        ("TCGA-2F-A9KOX", "TCGA-2F-A9KOX"),
        ("xTCGA-2F-A9KO", "xTCGA-2F-A9KO"),
        ("C3L-00001-21", "C3L-00001"),
        ("c3n-00704.svs", "C3N-00704"),
        ("C3N-007041", "C3N-007041"),
        ("C3X-00704-1", "C3X-00704-1"),
        ("P1_2", "P1_2"),
    ],
)
def test_the_patient_of_a_barcode(identifier: str, patient: str):
    assert patient_of(identifier) == patient
