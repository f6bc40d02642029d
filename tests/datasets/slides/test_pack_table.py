"""The table of a pack: read as it was written, and refused where it is not as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.slides.pack_table import PackedSlide, cells_of, parsed, read_pack_table, table_body, write_pack_table
from utils.errors import UserError

FULL = PackedSlide(
    *("/data/BLCA, new", 'sl"i\nde.svs.h5', 15_000_000, 1_700_000_000_123_456_789, 10_000, 768, "bfloat16", "0" * 16),
    *(True, 0.1 + 0.2, 112.5, "2 of 3 rows", "1, or 2", {"patch_size_level0": 512.0, "mpp": 1 / 3}, 128, "f" * 32),
)
BARE = PackedSlide(
    *("/d", "s\udcff.pt", 1, -5, 1, 3, "float64", "f" * 16, False, 1e-300, None, None, None, {}, 99_968, "0" * 32)
)


def test_it_is_read_as_it_was_written(tmp_path: Path):
    path = tmp_path / "pack.csv"
    write_pack_table(path, table_body([FULL, BARE]))
    slides, digest = read_pack_table(path)
    assert slides == [FULL, BARE]
    assert digest in path.read_text(errors="surrogateescape").splitlines()[0]


def test_where_the_parts_of_a_slide_lie():
    assert FULL.slide_id == 'sl"i de'
    assert FULL.source == Path("/data/BLCA, new", FULL.name)
    assert FULL.state == (15_000_000, 1_700_000_000_123_456_789)
    assert (FULL.features_bytes, FULL.coords_begin) == (15_360_000, 15_360_128)
    assert (FULL.coords_bytes, FULL.end) == (160_000, 15_520_128)
    assert (BARE.features_bytes, BARE.coords_begin, BARE.end) == (24, 100_032, 100_032)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        *((0, "/a\0b"), (2, "x"), (4, "0"), (5, "-1"), (6, "int64"), (9, ""), (9, "nan"), (10, "inf"), (14, "1.5")),
        *((13, "["), (13, "3"), (13, '{"a": null}'), (13, '{"a": NaN}'), (14, "-64"), (14, "100")),
    ],
)
def test_other_cells_are_none(column: int, text: str):
    cells = cells_of(FULL)
    assert parsed(cells) == FULL
    cells[column] = text
    with pytest.raises((ValueError, TypeError)):
        parsed(cells)


def test_what_is_not_as_it_was_is_refused(tmp_path: Path):
    path = tmp_path / "pack.csv"
    with pytest.raises(UserError, match=r"pack\.csv cannot be read \(No such file"):
        read_pack_table(path)
    write_pack_table(path, table_body([FULL, BARE]))
    content = path.read_bytes()
    for damaged in (content[:-9], content.replace(b"99968", b"99904"), b"", b"x\n", content.split(b"\n", 1)[1]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"is not as datasets\.pack wrote it \(its digest differs\)"):
            read_pack_table(path)
    path.write_bytes(content.replace(b"format 1", b"format 2"))
    with pytest.raises(UserError, match="is of a pack of format 2, and this version reads format 1"):
        read_pack_table(path)
    write_pack_table(path, b"a,b\n1,2\n")
    with pytest.raises(UserError, match="is not as"):
        read_pack_table(path)
    write_pack_table(path, table_body([FULL])[:-40] + b"\n")
    with pytest.raises(UserError, match="is not as"):
        read_pack_table(path)
