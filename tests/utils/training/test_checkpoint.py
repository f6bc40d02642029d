from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.utils.files.torch_archives import rewritten, with_number
from utils.errors import UserError
from utils.files.format_version import VERSION
from utils.files.tensors import save_tensors
from utils.training.checkpoint import load_checkpoint, save_checkpoint

STATE: dict[str, Any] = {
    "model": {"weight": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2, dtype=torch.bfloat16)},
    "epoch": 3,
    "progress": {"best_score": None, "finished": False, "log": [{"epoch": 1, "val_loss": 0.5}]},
}


def test_what_is_saved_is_loaded(tmp_path: Path):
    path = tmp_path / "fold0" / "checkpoint.pt"
    save_checkpoint(path, STATE)
    got = load_checkpoint(path)
    for name, expected in STATE["model"].items():
        torch.testing.assert_close(got["model"].pop(name), expected, rtol=0, atol=0)
    assert got == {"format": VERSION, **STATE, "model": {}}
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.pt"]


def test_equal_states_give_equal_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_checkpoint(tmp_path / "fold0" / "checkpoint.pt", STATE)
    monkeypatch.setattr("os.getpid", lambda: 1)
    save_checkpoint(tmp_path / "fold1" / "last.pt", STATE)
    assert (tmp_path / "fold0" / "checkpoint.pt").read_bytes() == (tmp_path / "fold1" / "last.pt").read_bytes()


def test_a_failed_save_keeps_the_old_file(tmp_path: Path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 1})
    with pytest.raises((AttributeError, TypeError)):
        save_checkpoint(path, {"epoch": 2, "function": lambda: None})  # cannot be pickled
    assert load_checkpoint(path) == {"format": VERSION, "epoch": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_checkpoint_of_a_later_version_is_refused(tmp_path: Path):
    save_tensors(tmp_path / "last.pt", {"format": VERSION + 1})
    with pytest.raises(
        UserError, match=r"last\.pt was written by a later version of this code .*: update this checkout"
    ):
        load_checkpoint(tmp_path / "last.pt")


def test_a_missing_checkpoint_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"no checkpoint at .*checkpoint\.pt: train this fold first"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def refusal(path: Path) -> str:
    with pytest.raises(UserError, match="remove it and train this fold again") as raised:
        load_checkpoint(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, STATE)
    whole = path.read_bytes()
    for n in range(0, len(whole) - 1, 97):
        path.write_bytes(whole[:n])
        refusal(path)


@pytest.mark.parametrize("content", [b"\x80\x02", b"epoch,train_loss\n1,0.5\n", b"K\x01.", b"c\xff\xfe\nx\n."])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    refusal(tmp_path / "checkpoint.pt")


def test_a_tensor_alone_is_no_checkpoint(tmp_path: Path):
    torch.save(torch.ones(2), tmp_path / "checkpoint.pt")
    assert "holds Tensor, expected a dict" in refusal(tmp_path / "checkpoint.pt")


class Touch:
    """A pickle that would create a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_a_pickle_that_would_run_something_is_refused_before_it_runs(tmp_path: Path):
    path, victim = tmp_path / "checkpoint.pt", tmp_path / "victim"
    torch.save({**STATE, "trap": Touch(victim)}, path)
    refusal(path)
    assert not victim.exists()
    torch.load(path, weights_only=False)
    assert victim.exists()  # it would have


def test_a_checkpoint_whose_numbers_are_not_all_there_is_refused(tmp_path: Path):
    path = rewritten(tmp_path / "checkpoint.pt", {"model": torch.zeros(7, 11)}, pickled=with_number(77, 10**12))
    assert "it declares 4,000,000,000,000 bytes of numbers and has 308 bytes" in refusal(path)


@pytest.mark.parametrize(
    "tensor", [torch.eye(3).to_sparse(), torch._neg_view(torch.ones(3)), torch.ones(3, device="meta")], ids=range(3)
)
def test_tensors_whose_numbers_do_not_lie_in_memory_are_refused(tmp_path: Path, tensor: torch.Tensor):
    torch.save({"optimizer": {"state": [{"m": tensor}]}}, tmp_path / "last.pt")
    assert "it holds a" in refusal(tmp_path / "last.pt")
