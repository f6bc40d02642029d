"""PANTHER's splits: a file for each part, with the labels and outcomes of its slides.

```
survival/TCGA_BLCA_overall_survival_k=0/train.csv, val.csv, test.csv     fold 0; k=1, k=2 and so on beside it
classification/NSCLC/train.csv, val.csv, test.csv                         one fold
```

The columns `case_id` and `slide_id` stand before labels (`OncoTreeCode`) and outcomes (`os_survival_days`,
`os_censorship`, `dss_survival_days` ...). Folds of survival are of train and test; where a `val.csv` is beside them, it
is the test part once more. Further test parts, such as `test_cptac.csv`, are other cohorts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from datasets.make_splits.foreign.foreign_fold import ForeignFold, numbered
from datasets.make_splits.id_columns import find_id_columns
from datasets.make_splits.label_options import LabelOptions
from datasets.make_splits.label_table import LabelTable, TableRow, read_label_table
from utils.errors import UserError
from utils.files.phrases import listed

_EXPECTED = "train.csv with val.csv or test.csv, in folders NAME_k=0, NAME_k=1 and so on, or in one folder"
SAME = "val.csv holds the slides of test.csv, so that it is no validation part"
OVERALL = ("os_survival_days", "os_censorship")  # PANTHER's overall survival


@dataclass(frozen=True)
class JoinedTable(LabelTable):
    """The rows of several files as one table; the header is that of the first."""

    tables: tuple[LabelTable, ...] = ()

    def rows(self, columns: Iterable[str]) -> tuple[TableRow, ...]:
        """Return the rows of all files; each knows its own file and line."""
        names = list(columns)
        return tuple(row for table in self.tables for row in table.rows(names))


def read_part_tables(place: Path, options: LabelOptions) -> list[ForeignFold]:
    """Return the folds of a folder of folders, of `PATH` where `PATH_k=0` is such a folder, or of one fold's folder.

    Raises:
        UserError: no such folder, or files without ids.
    """
    if (place / "train.csv").exists():
        match = re.fullmatch(r".*_k=(\d+)", place.name)
        return [_fold(int(match.group(1)) if match else 0, place, options)]
    if place.exists():
        folders = numbered(place, r".*_k=(\d+)", _EXPECTED, folders=True)
    else:
        beside = numbered(place.parent, rf"{re.escape(place.name)}_k=(\d+)", f"{place.name}_k=0", folders=True)
        folders = {index: path for index, path in beside.items() if (path / "train.csv").exists()}
    return [_fold(index, path, options) for index, path in folders.items()]


def _fold(index: int, folder: Path, options: LabelOptions) -> ForeignFold:
    tables = {
        part: read_label_table(folder / f"{part}.csv", separator=options.separator, encoding=options.encoding)
        for part in ("train", "val", "test")
        if (folder / f"{part}.csv").exists()
    }
    if "train" not in tables or len(tables) == 1:
        found = listed(sorted(path.name for path in folder.glob("*.csv"))) or "no .csv file"
        raise UserError(f"{folder} holds {found}: expected train.csv, with val.csv or test.csv")
    column = find_id_columns(tables["train"], options.slide_column, options.case_column).slide
    if column is None:
        raise UserError(f"{tables['train'].path} has no column of slides: name yours with --slide_column")
    ids = {part: tuple(row.cells[column] for row in table.rows([column])) for part, table in tables.items()}
    notes = []
    if "test" not in ids:
        ids["test"], tables["test"] = ids.pop("val"), tables.pop("val")
        notes.append(f"{folder.name} has no test.csv: val.csv is its test part")
    elif set(ids.get("val", ())) == set(ids["test"]):
        del ids["val"], tables["val"]
        notes.append(SAME)
    others = sorted(path.name for path in folder.glob("test_*.csv"))
    if others:
        notes.append(f"not read, since of other cohorts: {listed(others)} of {folder.name}")
    return ForeignFold(
        index, ids, tuple(table.path for table in tables.values()), _joined(folder, tables), tuple(notes)
    )


def _joined(folder: Path, tables: dict[str, LabelTable]) -> JoinedTable:
    first = tables["train"]
    digest = hashlib.sha256("".join(table.sha256 for table in tables.values()).encode()).hexdigest()
    notes = tuple(dict.fromkeys(note for table in tables.values() for note in table.notes))
    return JoinedTable(folder, digest, first.header, first.source, notes, first.records, tuple(tables.values()))
