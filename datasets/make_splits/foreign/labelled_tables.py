"""TransMIL's splits: `fold{k}.csv` with a column of slides and one of labels for each part.

```
,train,train_label,val,val_label,test,test_label
0,normal_145,0,normal_144,0.0,test_001,1.0
```
"""

from __future__ import annotations

from pathlib import Path

from datasets.folds.cases import PARTS
from datasets.make_splits.foreign.foreign_fold import ForeignFold, numbered
from datasets.make_splits.label_table import LabelTable, read_label_table
from datasets.make_splits.vocabulary import is_missing

SLIDE, LABEL = "slide_id", "label"  # the columns of the table that a file is made into


def read_labelled_tables(place: Path) -> list[ForeignFold]:
    """Return the folds of a folder of `fold{k}.csv`, or of one such file.

    Raises:
        UserError: no such file, or one without the columns or ids.
    """
    paths = numbered(place, r"fold(\d+)\.csv", "fold0.csv, fold1.csv and so on")
    return [_fold(index, path) for index, path in paths.items()]


def _fold(index: int, path: Path) -> ForeignFold:
    table = read_label_table(path)
    parts = [part for part in PARTS if part in table.header]
    names = [name for part in parts for name in (part, f"{part}_label")]
    table.require(["train", "train_label", "test", "test_label", *names], "expected ids and labels of each part")
    found = [
        (part, row.line, row.cells[part], row.cells[f"{part}_label"])
        for part in parts
        for row in table.rows(names)
        if not is_missing(row.cells[part])
    ]
    ids = {part: tuple(slide for of, _, slide, _ in found if of == part) for part in parts}
    records = [(line, (slide, label)) for _, line, slide, label in found]
    labels = LabelTable(path, table.sha256, (SLIDE, LABEL), table.source, table.notes, lambda: records)
    return ForeignFold(index, {part: slides for part, slides in ids.items() if slides}, (path,), labels)
