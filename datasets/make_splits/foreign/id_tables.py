"""CLAM's, Patch-GCN's, MCAT's and SurvPath's splits: `splits_{k}.csv` with a column of ids for each part.

```
,train,val,test            ,train,val
0,slide_3,slide_7,slide_1  0,TCGA-4Z-AA7M,TCGA-2F-A9KO
```

CLAM has three parts of slides. The others have two parts of patients, of which `val` is what they report: the test
part. The files `splits_{k}_bool.csv` and `splits_{k}_descriptor.csv` say the same in other words and are not read.
"""

from __future__ import annotations

from pathlib import Path

from datasets.make_splits.foreign.foreign_fold import ForeignFold, numbered
from datasets.make_splits.label_table import read_label_table
from datasets.make_splits.vocabulary import is_missing
from utils.errors import UserError

NO_TEST = "the splits have train and val only: val is what is reported with them, and becomes the test part"


def read_id_tables(place: Path) -> list[ForeignFold]:
    """Return the folds of a folder of `splits_{k}.csv`, or of one such file.

    Raises:
        UserError: no such file, or one without the columns or ids.
    """
    paths = numbered(place, r"splits_(\d+)\.csv", "splits_0.csv, splits_1.csv and so on")
    return [_fold(index, path) for index, path in paths.items()]


def _fold(index: int, path: Path) -> ForeignFold:
    table = read_label_table(path)
    table.require(["train", "val"], "expected the columns train and val of ids, and test where there is one")
    names = [name for name in ("train", "val", "test") if name in table.header]
    rows = table.rows(names)
    ids = {name: tuple(row.cells[name] for row in rows if not is_missing(row.cells[name])) for name in names}
    if not ids["train"]:
        raise UserError(f"{path} has no id in its column train: expected those of the training part")
    if ids.get("test"):
        return ForeignFold(index, {name: found for name, found in ids.items() if found}, (path,))
    return ForeignFold(index, {"train": ids["train"], "test": ids["val"]}, (path,), notes=(NO_TEST,))
