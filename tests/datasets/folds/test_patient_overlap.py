from __future__ import annotations

from pathlib import Path

import pytest

from datasets.folds.patient_overlap import check_patients_of_file
from utils.errors import UserError

HEADERS = {
    "cls": "train_slide_id,train_label,val_slide_id,val_label,test_slide_id,test_label",
    "with cases": "train_slide_id,train_case_id,val_slide_id,val_case_id,test_slide_id,test_case_id",
}
SLIDE = "TCGA-2F-A9KO-01Z-00-DX{}"


def written(path: Path, kind: str, *lines: str) -> Path:
    path.write_text("\n".join([HEADERS[kind], *lines]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("kind", "line", "said"),
    [
        ("cls", f"{SLIDE.format(1)},0,b,1,{SLIDE.format(2)},0", "1 in train and test (TCGA-2F-A9KO)"),
        ("with cases", "a,P1,b,P2,c,P2", "1 in val and test (P2)"),
    ],
)
def test_a_patient_in_two_parts_is_refused_or_said(tmp_path: Path, kind: str, line: str, said: str):
    path = written(tmp_path / "fold0.csv", kind, line)
    with pytest.raises(UserError, match="--allow_patient_overlap") as refused:
        check_patients_of_file(path, allow_overlap=False)
    assert said in str(refused.value)
    (warning,) = check_patients_of_file(path, allow_overlap=True)
    assert said in warning


def test_patients_of_one_part_each_are_fine(tmp_path: Path):
    for kind, line in (("cls", "a,0,b,1,c,0"), ("with cases", "a,P1,b,P2,c,P3")):
        assert check_patients_of_file(written(tmp_path / "fold0.csv", kind, line), allow_overlap=False) == ()
