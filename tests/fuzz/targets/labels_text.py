"""A label table as text: .csv, .tsv, with semicolons, in UTF-16, in other encodings."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from datasets.make_splits.label_options import LabelOptions
from datasets.make_splits.labelled_cases import labelled_cases
from utils.errors import UserError

SUFFIX = ".csv"

_CLS = (
    "slide_id,case_id,label\n" + "".join(f"S{i}.svs,P{i // 2},{'AB'[i % 2]}\n" for i in range(8)) + "S9,P9,[Unknown]\n"
)
_SURV = "# from cBioPortal\nPATIENT_ID\tslide\tOS_MONTHS\tOS_STATUS\n" + "".join(
    f"TCGA-AA-000{i}\tTCGA-AA-000{i}-01Z-00-DX1.{i}\t{i}.5\t{i % 2}:{('LIVING', 'DECEASED')[i % 2]}\n" for i in range(6)
)
_GERMAN = "Müller;label;Überlebenszeit\n" + "".join(f"{i};{i % 2};{i},5\n" for i in range(6))


def seeds(folder: Path) -> list[Path]:
    """One of each separator and encoding."""
    contents = [
        _CLS.encode(),
        _SURV.encode(),
        _CLS.encode("utf-16"),
        _GERMAN.encode("cp1252"),
        b"\xef\xbb\xbf" + _CLS.encode(),
    ]
    paths = [folder / f"{number}{SUFFIX}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def read(path: Path) -> None:
    """As `datasets.make_splits` does for each task."""
    with suppress(UserError):
        labelled_cases(LabelOptions(labels=path), "surv")
    labelled_cases(LabelOptions(labels=path), "cls", slide_ids=["S1", "s2", "TCGA-AA-0001-01Z-00-DX1.1"])
