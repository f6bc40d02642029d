"""How the log of a job ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from utils.runs.status.job_logs import JobLogs, error_at_the_end

TRACEBACK = """fold 0 epoch 1  train_loss 0.7
Traceback (most recent call last):
  File "main.py", line 3, in work
    train()
    ~~~~~^^
{}"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("\n\n", None),
        ("fold 0 epoch 1  train_loss 0.7\n", None),
        ("main.py: error: a.pt: holds NaN\n", "main.py: error: a.pt: holds NaN"),
        ("main.py: error: a.pt: holds NaN\nfold 0 epoch 1\n", None),  # gone on since
        ("main.py: stopped by SIGTERM; the same command with --resume goes on\n", None),
        ("warning: no error: in the middle\n", None),
        (TRACEBACK.format("ValueError: got 3\n"), "ValueError: got 3"),
        (TRACEBACK.format("torch.OutOfMemoryError: CUDA\n"), "torch.OutOfMemoryError: CUDA"),
        (TRACEBACK.format("KeyError\n"), "KeyError"),
        (TRACEBACK.format("ValueError: got 3\nfold 0 epoch 1\ndone\n"), None),
        (
            "Fatal Python error: Bus error\n\nThread 0x1 (most recent call first):\n  File 'a.py', line 1 in b\n",
            "Fatal Python error: Bus error",
        ),
    ],
)
def test_the_error_at_the_end_of_a_log(text: str, expected: str | None):
    assert error_at_the_end(text) == expected


def test_the_end_of_a_long_log(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/cls_toy_abmil.log").write_text("ä line\n" * 10_000 + "main.py: error: the last line")
    logs = JobLogs(tmp_path)
    assert logs.failure(logs.take("cls_toy_abmil")) == "main.py: error: the last line"


def test_an_error_before_the_last_call_of_a_run_no_longer_counts(tmp_path: Path):
    log = tmp_path / "logs/cls_toy_abmil.log"
    log.parent.mkdir()
    log.write_text("main.py: error: one\n")
    os.utime(log, (100.0, 100.0))
    logs = JobLogs(tmp_path)
    assert logs.failure(["cls_toy_abmil.log"], since=99.0) == "main.py: error: one"
    assert logs.failure(["cls_toy_abmil.log"], since=101.0) is None


def test_logs_of_folds_belong_to_their_run_and_others_to_nobody(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    for name in ("cls_toy_abmil_fold0", "cls_toy_abmil_fold1", "cls_toy_abmil_2", "cls_toy_anchors_16"):
        (tmp_path / f"logs/{name}.log").write_text(f"main.py: error: {name}\n")
    (tmp_path / "logs/well.log").write_text("done\n")
    (tmp_path / "logs/no_log.txt").write_text("main.py: error: not a log\n")
    logs = JobLogs(tmp_path)
    names = logs.take("cls_toy_abmil")
    assert names == ["cls_toy_abmil_fold0.log", "cls_toy_abmil_fold1.log"]
    assert logs.failure(names) == "main.py: error: cls_toy_abmil_fold1"
    assert list(logs.others()) == [
        ("logs/cls_toy_abmil_2.log", "main.py: error: cls_toy_abmil_2"),
        ("logs/cls_toy_anchors_16.log", "main.py: error: cls_toy_anchors_16"),
    ]


def test_no_logs(tmp_path: Path):
    logs = JobLogs(tmp_path)
    assert logs.take("any") == []
    assert logs.failure([]) is None
    assert not list(logs.others())
