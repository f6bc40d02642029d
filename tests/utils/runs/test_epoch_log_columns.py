"""The quick reader of `log.csv` reads what the strict one reads, whatever the file holds."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from utils.runs import epoch_log
from utils.runs.epoch_log import log_columns, log_if_whole, write_log

ROOT = Path(__file__).parents[3]
LOG = """epoch,train_loss,val_loss,val_f1,lr,seconds,best
1,0.30000000000000004,1.0,,0.0002,3.5,1
2,0.25,nan,0.5,2e-04,3.0,0
3,inf,-1.5,0.5,0.0002,3.25,0
"""


def check_same(path: Path) -> None:
    quick, strict = log_columns(path), log_if_whole(path)
    assert (quick is None) == (strict is None)
    if quick is not None and strict is not None:
        assert list(quick) == list(strict)
        for name in strict:
            np.testing.assert_array_equal(quick[name], strict[name])


def test_a_log_as_it_is_written_needs_no_second_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "log.csv"
    rows = [
        {"epoch": k, "train_loss": 0.1 * k, "val_loss": 1e-9, "val_f1": None, "seconds": 3.5, "best": 0} for k in (1, 2)
    ]
    write_log(path, rows)
    check_same(path)
    monkeypatch.setattr(epoch_log, "log_if_whole", None)
    columns = log_columns(path)
    assert columns is not None
    assert columns["train_loss"] == [0.1, 0.2]
    assert columns["seconds"] == [3.5, 3.5]


@pytest.mark.parametrize(
    "text",
    [
        LOG,
        LOG.replace("\n", "\r\n"),
        "\ufeff" + LOG,
        LOG.replace("1,0.3", "1, 0.3"),
        LOG.replace("3.5", '"3.5"'),
        LOG.replace("3.25,0\n", "3.25,0"),
        LOG.replace("\n2", "\n\n2"),
        LOG.replace("2,0.25", "4,0.25"),
        LOG.replace("3.5", "3_5"),
        LOG.replace("3.5", "٣"),
        LOG.replace("3.5", "quick"),
        LOG.replace(",nan,", ",none,"),
        LOG.replace("seconds", "lr"),
        LOG.replace("val_loss", "loss"),
        LOG.replace(",3.5,1", ",3.5"),
        LOG.splitlines(keepends=True)[0],
        "",
    ],
)
def test_it_reads_what_the_strict_reader_reads(tmp_path: Path, text: str):
    (tmp_path / "log.csv").write_bytes(text.encode())
    check_same(tmp_path / "log.csv")


def test_so_it_does_for_damaged_logs(tmp_path: Path):
    generator = random.Random(1)
    letters = [ord(letter) for letter in '0123456789.,\n\r"- +_eEnainfx'] + [0, 255]
    for _ in range(200):
        content = bytearray(LOG.encode())
        for _ in range(generator.randint(1, 3)):
            at = generator.randrange(len(content))
            content[at : at + generator.randint(0, 3)] = bytes(generator.choices(letters, k=generator.randint(0, 2)))
        (tmp_path / "log.csv").write_bytes(content)
        check_same(tmp_path / "log.csv")


def test_a_log_that_is_not_there(tmp_path: Path):
    assert log_columns(tmp_path / "log.csv") is None
    (tmp_path / "log.csv").mkdir()
    assert log_columns(tmp_path / "log.csv") is None


def test_reading_it_imports_neither_pandas_nor_torch():
    code = "import sys, utils.runs.fold_state; sys.exit(bool({'pandas', 'torch'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
