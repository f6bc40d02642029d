"""The file of the index: what is written is read back, and what was not written like that tells nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from datasets.slides.index_table import COLUMNS, IndexedSlide, UnusableIndexError, read_table, write_table
from datasets.slides.slide_values import SlideValues

PLAIN = IndexedSlide(15_360_128, 1_764_283_667_123_456_789, 10_000, 768, "float16", "0123456789abcdef")
WHOLE = PLAIN._replace(
    chunks="features:9:eJw=", has_coords=True, values=SlideValues(1 / 3, 112.5, "2 of 9 rows that are 0", None)
)
TABLE = {
    "a.h5": PLAIN,
    "b.h5": WHOLE,
    "TCGA-2F-A9KO-01Z-00-DX1.195576CF.pt": PLAIN._replace(has_coords=False),
    'a "b", c\n\r\n d.pt': WHOLE._replace(values=SlideValues(1e-300, None, None, "9 patches at 1 position")),
    os.fsdecode(b"no text \xff\xc3.pt"): PLAIN._replace(has_coords=True),
    "# ü.npy": PLAIN,
}


def test_what_is_written_is_read_back(tmp_path: Path):
    write_table(tmp_path / "i.csv", TABLE)
    assert read_table(tmp_path / "i.csv") == TABLE
    write_table(tmp_path / "i.csv", {})
    assert read_table(tmp_path / "i.csv") == {}
    assert read_table(tmp_path / "none.csv") == {}


def test_the_file_as_it_is_documented(tmp_path: Path):
    write_table(tmp_path / "i.csv", {"b.h5": WHOLE, "a.h5": PLAIN})
    first, *lines = (tmp_path / "i.csv").read_text().splitlines()
    assert first.startswith("# index of features, format 1, sha256 ")
    assert lines == [
        "name,size,mtime_ns,patches,width,dtype,fingerprint,coords,finite,mean_length,patch_um,repeated_rows,"
        "repeated_places,chunks",
        "a.h5,15360128,1764283667123456789,10000,768,float16,0123456789abcdef,,,,,,,",
        "b.h5,15360128,1764283667123456789,10000,768,float16,0123456789abcdef,yes,yes,0.3333333333333333,112.5,"
        "2 of 9 rows that are 0,,features:9:eJw=",
    ]


def test_a_damaged_file_tells_nothing(tmp_path: Path):
    path = tmp_path / "i.csv"
    write_table(path, {"a.h5": PLAIN, "b.h5": WHOLE})
    content = path.read_bytes()
    for length in range(0, len(content), 5):
        path.write_bytes(content[:length])
        with pytest.raises(UnusableIndexError, match="is damaged"):
            read_table(path)
    for place in range(0, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(UnusableIndexError):  # of another format, where its number is what changed
            read_table(path)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "name,size\na,1\n",
        f"{','.join(COLUMNS)}\na.h5,1,1\n",
        f"{','.join(COLUMNS)}\na.h5,x,1,1,1,float16,f,,,,,,,\n",
        f"{','.join(COLUMNS)}\na.h5,1,1,1,1,float16,f,maybe,,,,,,\n",
        f"{','.join(COLUMNS)}\na.h5,1,1,1,1,float16,f,yes,yes,,,,,\n",
        f'{",".join(COLUMNS)}\n"a.h5,1,1\n',
        f"{','.join(COLUMNS)}\n" + "a" * 200_000,
    ],
)
def test_nor_does_one_of_another_hand(tmp_path: Path, body: str):
    digest = hashlib.sha256(body.encode()).hexdigest()
    (tmp_path / "i.csv").write_text(f"# index of features, format 1, sha256 {digest}\n{body}")
    with pytest.raises(UnusableIndexError, match="is damaged"):
        read_table(tmp_path / "i.csv")


@pytest.mark.parametrize(("number", "word"), [(0, "an earlier"), (2, "a later"), (123456789, "a later")])
def test_other_formats(tmp_path: Path, number: int, word: str):
    (tmp_path / "i.csv").write_text(f"# index of features, format {number}, sha256 {'0' * 64}\nother,columns\n")
    said = rf"was written by {word} version of this code \(format {number}, here 1\)"
    with pytest.raises(UnusableIndexError, match=said):
        read_table(tmp_path / "i.csv")


def test_what_is_no_file(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):  # neither is waited for
        with pytest.raises(UnusableIndexError, match="is no file"):
            read_table(path)


@pytest.mark.parametrize(
    ("dtype", "has_coords", "n_bytes"),
    [("float16", False, 60), ("bfloat16", True, 140), ("float32", None, 120), ("float64", True, 320)],
)
def test_bytes_in_memory(dtype: str, has_coords: bool | None, n_bytes: int):
    assert IndexedSlide(1, 1, 5, 6, dtype, "f", has_coords).n_bytes == n_bytes
