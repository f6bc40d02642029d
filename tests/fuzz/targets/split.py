"""A fold file `fold0.csv`, read for both tasks and for its training slides alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from datasets.folds.patient_overlap import check_patients_of_file
from datasets.folds.splits import keep_available, read_fold, read_training_slides
from utils.errors import UserError

NAME = "fold0.csv"

_CLS = """,train_slide_id,train_label,val_slide_id,val_label,test_slide_id,test_label
0,,,001.svs,1,TCGA-2F-A9KO-01Z-00-DX1.195576CF,0.0
1,a,0,,,e.h5,1
2,"b ü",1,,,,
"""
_SURV = """\
train_slide_id,train_survival_months,train_censorship,train_case_id,train_disc_label,val_slide_id,val_survival_months,\
val_censorship,val_case_id,val_disc_label,test_slide_id,test_survival_months,test_censorship,test_case_id,test_disc_label
s1,1.5,0,p1,0,s6,7,1,p5,1,s7,3,0,p6,0
s2,2,0,p2,1,,,,,,s8,3,0,p6,0
s3,2.0,0.0,p2,1.0,,,,,,,,,,
s4,8e0,0,p3,2,,,,,,,,,,
s5,9,1,p4,3,,,,,,,,,,
"""


def seeds(folder: Path) -> list[Path]:
    """A file of each task."""
    paths = [folder / name / NAME for name in ("cls", "surv")]
    for path, text in zip(paths, (_CLS, _SURV), strict=True):
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    return paths


def read(path: Path) -> None:
    """As main.py and run_clustering.py do, one after the other: each may refuse what another takes."""
    for task in ("cls", "surv"):
        with suppress(UserError):
            keep_available(read_fold(path, task, allow_patient_overlap=True), {"a", "s1", "S-5"}, "drop")
    with suppress(UserError):
        check_patients_of_file(path, allow_overlap=False)
    read_training_slides(path)
