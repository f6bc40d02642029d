from __future__ import annotations

import time
from pathlib import Path

import pytest

from datasets.folds.missing_slides import missing_in_words


@pytest.mark.parametrize(
    ("missing", "file", "words"),
    [
        ("00123", "123.h5", "00123, nearest 123.h5: leading zeros"),
        ("123", "00123.h5", "123, nearest 00123.h5: leading zeros"),
        ("12345.0", "12345.pt", "12345.0, nearest 12345.pt: decimals"),
        ("12345", "12345.0.pt", "12345, nearest 12345.0.pt: decimals"),
        ("s1_a", "S1_A.h5", "s1_a, nearest S1_A.h5: letter case"),
        ("s1 a", "s1_a.h5", "s1 a, nearest s1_a.h5: punctuation"),
        (
            "TCGA-2F-A9KO-01Z",
            "TCGA-2F-A9KO-01Z.1955.pt",
            "TCGA-2F-A9KO-01Z, nearest TCGA-2F-A9KO-01Z.1955.pt: what follows",
        ),
        ("S1.ome", "S1.h5", "S1.ome, nearest S1.h5: what follows"),
        ("tumour_7", "tumor_7.h5", "tumour_7, nearest tumor_7.h5"),
        ("s_1_01", "s_11.h5", "s_1_01"),
        ("slide_6", "slide_7.h5", "slide_6"),
    ],
)
def test_the_nearest_file(missing: str, file: str, words: str):
    assert missing_in_words([missing], {Path(file).stem: Path(file)}) == words


def test_each_missing_slide_has_its_own_but_no_file_of_another_slide():
    available = {name: Path(f"{name}.h5") for name in ("1", "2", "3")}
    assert missing_in_words(["01", "02", "03"], available, used=["02", "2", "03", "01"]) == (
        "01, nearest 1.h5: leading zeros; 02; 03, nearest 3.h5: leading zeros"
    )
    assert missing_in_words(["x", "y"], ["a"]) == "x, y"
    assert missing_in_words(["x", "01"], ["1"]) == "x; 01, nearest 1: leading zeros"


def test_ten_thousand_slides_beside_ten_thousand_files_take_seconds():
    missing = [f"{number:06d}" for number in range(10_000)]
    available = {str(number): Path(f"{number}.h5") for number in range(100, 10_100)}
    start = time.process_time()
    first, more = (
        "000000, 000001, 000002, 000003, 000004, ...",
        "differ from files in leading zeros (000100 and 100.h5)",
    )
    assert missing_in_words(missing, available) == f"{first}; of all 10000, 9900 {more}"
    alike = ["abcdefghijklmnopqrst" + "uv" * (number % 50) + "wxyz" * (number // 50) for number in range(2000)]
    assert missing_in_words(alike, [name.replace("k", "kk") for name in alike]).startswith("abcdef")
    assert time.process_time() - start < 20  # about 1 s alone
