from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from utils.errors import UserError
from utils.files.tensors import save_tensors
from utils.pipeline import partial_logits
from utils.pipeline.partial_logits import PartialLogits


def test_what_was_written_is_used_by_the_same_models_only(tmp_path: Path):
    first = PartialLogits(tmp_path, "models")
    first.write()
    assert list(tmp_path.iterdir()) == []  # nothing to keep yet
    first.add("batch", torch.ones(2, 1, 3))
    first.write()
    again = PartialLogits(tmp_path, "models")
    again.load()
    assert torch.equal(again.batches["batch"], torch.ones(2, 1, 3))
    with pytest.raises(UserError, match="is of other folds, weights or another precision"):
        PartialLogits(tmp_path, "others").load()


def test_it_is_written_every_half_minute(tmp_path: Path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(partial_logits.time, "monotonic", lambda: now[0])
    kept = PartialLogits(tmp_path, "models")
    for second, is_there in ((10, False), (29, False), (31, True)):
        now[0] = second
        kept.add(str(second), torch.zeros(1))
        assert (tmp_path / "partial.pt").exists() is is_there


def test_a_damaged_file_is_one_sentence(tmp_path: Path):
    (tmp_path / "partial.pt").write_bytes(b"no")
    with pytest.raises(UserError, match="begin again with --overwrite"):
        PartialLogits(tmp_path, "models").load()


@pytest.mark.parametrize(
    "batches",
    [
        None,
        [1],
        {"a": 1},
        {"a": torch.zeros(2, 3)},
        {"a": torch.full((1, 2, 3), torch.nan)},
        {"a": torch.zeros(1, 2, 3).int()},
    ],
    ids=range(6),
)
def test_what_is_no_logits_is_refused(tmp_path: Path, batches: object):
    save_tensors(tmp_path / "partial.pt", {"digest": "models", "batches": batches})
    with pytest.raises(UserError, match=r"partial\.pt cannot be read .*begin again with --overwrite"):
        PartialLogits(tmp_path, "models").load()


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "partial.pt")
    with pytest.raises(UserError, match="no regular file"):
        PartialLogits(tmp_path, "models").load()
