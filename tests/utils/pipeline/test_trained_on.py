from __future__ import annotations

import pandas as pd

from datasets.folds.cases import Case
from utils.pipeline.trained_on import cases_of_table, digest_of_name, digests_of_cases, trained_on


def test_a_case_is_known_by_any_of_its_names():
    known = digests_of_cases([Case("TCGA-2F-A9KO", ("TCGA-2F-A9KO-01Z-00-DX1.ABC",)), Case("P7", ("slide7", "slide8"))])
    cohort = [
        Case("someone", ("tcga-2f-a9ko-01z-00-dx9.xyz",)),  # another slide of the patient, in small letters
        Case("P7", ("other",)),
        Case("P8", ("slide8",)),
        Case("P9", ("slide9",)),
    ]
    assert trained_on(cohort, known) == ["someone", "P7", "P8"]


def test_digests_hold_no_name():
    (digest,) = digests_of_cases([Case("P7", ("P7",))])
    assert digest == digest_of_name("p7")
    assert len(digest) == 32
    assert set(digest) <= set("0123456789abcdef")


def test_cases_of_a_prediction_table():
    table = pd.DataFrame({"case_id": ["a"], "slide_ids": ["s;t"]})
    assert cases_of_table(table) == [Case("a", ("s", "t"))]
