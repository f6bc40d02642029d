"""Equal bytes for equal content; centroid files of the released code, and pickles that only look like them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from utils.anchors.anchor_files import read_anchors
from utils.errors import UserError
from utils.files.tensors import NamelessTensor, load_tensor_or_array, load_tensors, save_tensors

OLD, NEW = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"


def dump(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value, protocol=2))


def dump_newest(value: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(value))


def save(value: Any, path: Path) -> None:
    torch.save(value, path)


def save_legacy(value: Any, path: Path) -> None:
    """As torch before 1.6 did."""
    torch.save(value, path, _use_new_zipfile_serialization=False)


CONTENT: dict[str, Any] = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "half": torch.ones(2, dtype=torch.bfloat16),
    "log": [{"epoch": 1, "val_loss": None}],
}


def test_equal_content_gives_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever the file is called and whichever process writes it: digests of files are compared between runs."""
    save_tensors(tmp_path / "a.pt", CONTENT)
    monkeypatch.setattr("os.getpid", lambda: 1)  # the name of the temporary file holds it
    save_tensors(tmp_path / "other" / "name.pt", {**CONTENT, "weight": CONTENT["weight"].clone()})
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "other" / "name.pt").read_bytes()
    save_tensors(tmp_path / "b.pt", {**CONTENT, "weight": CONTENT["weight"] + 1})
    assert (tmp_path / "a.pt").read_bytes() != (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("mmap", [False, True])
def test_what_is_saved_is_loaded(tmp_path: Path, mmap: bool):
    save_tensors(tmp_path / "a.pt", CONTENT)
    got = load_tensors(tmp_path / "a.pt", mmap=mmap)
    for name in ("weight", "half"):
        torch.testing.assert_close(got.pop(name), CONTENT[name], rtol=0, atol=0)
    assert got == {"log": CONTENT["log"]}
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]


WRITERS = [dump, dump_newest, save, save_legacy]


def array(dtype: str) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((4, 3)).astype(dtype)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_pickled_arrays_are_read(tmp_path: Path, write: Callable, dtype: str, order: Any):
    value = np.asarray(array(dtype), order=order)
    write(value, tmp_path / "a.pt")
    got = read_anchors(tmp_path / "a.pt", 4, 3)
    assert got.dtype == torch.float32
    np.testing.assert_array_equal(got.numpy(), value.astype(np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("legacy", [True, False])
def test_arrays_load_under_both_names_of_numpy_core(tmp_path: Path, dtype: str, legacy: bool):
    """Numpy 1 wrote numpy.core, numpy 2 writes numpy._core; in a file of pickle.dump, and in one of old torch.save."""
    value = array(dtype)
    (save_legacy if legacy else dump)(value, tmp_path / "a.pt")
    written = (tmp_path / "a.pt").read_bytes()
    start = b"" if legacy else b"\x80\x02"
    assert written.startswith(start)
    assert (NEW in written) != (OLD in written)
    for name in (OLD, NEW):
        (tmp_path / "b.pt").write_bytes(written.replace(OLD, name).replace(NEW, name))
        assert name in (tmp_path / "b.pt").read_bytes()
        np.testing.assert_array_equal(read_anchors(tmp_path / "b.pt", 4, 3).numpy(), value.astype(np.float32))


def test_big_endian_arrays_are_read(tmp_path: Path):
    dump(array("float64").astype(">f8"), tmp_path / "a.pt")
    np.testing.assert_array_equal(read_anchors(tmp_path / "a.pt", 4, 3).numpy(), array("float64").astype("f4"))


class Touch:
    """A pickle that would create a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


class Run:
    """The same through a function that runs text."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return exec, (f"import pathlib; pathlib.Path({str(self.path)!r}).touch()",)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("kind", [Touch, Run])
@pytest.mark.parametrize("wrap", ["bare", "list", "array"])
def test_a_pickle_that_would_run_something_is_refused_before_it_runs(
    tmp_path: Path, write: Callable, kind: type, wrap: str
):
    victim, path = tmp_path / "victim", tmp_path / "a.pt"
    trap: Any = kind(victim)
    trap = {"bare": trap, "list": [trap, 1.0], "array": np.array([trap, 1.0], dtype=object)}[wrap]
    write(trap, path)
    with pytest.raises(UserError, match="is refused as an anchor file") as raised:
        read_anchors(path, 4, 3)
    assert str(path) in str(raised.value)
    assert not victim.exists()


def test_the_trap_works_when_nobody_stops_it(tmp_path: Path):
    """Otherwise the test above would prove nothing."""
    for kind in (Touch, Run):
        victim = tmp_path / kind.__name__
        pickle.loads(pickle.dumps(kind(victim)))
        assert victim.exists()


@pytest.mark.parametrize("write", WRITERS)
def test_an_object_array_is_refused(tmp_path: Path, write: Callable):
    write(np.array([[1.0, None], [2.0, 3.0]], dtype=object), tmp_path / "a.pt")
    with pytest.raises(UserError, match=r"a\.pt (holds ndarray of object, expected|is refused as an anchor file)"):
        read_anchors(tmp_path / "a.pt", 2, 2)


def test_the_refusal_names_what_the_pickle_asked_for(tmp_path: Path):
    dump(Touch(tmp_path / "victim"), tmp_path / "a.pt")
    with pytest.raises(pickle.UnpicklingError, match="no part of a numpy array"):
        load_tensor_or_array(tmp_path / "a.pt")


def test_the_allow_list_is_gone_after_loading(tmp_path: Path):
    save(array("float32"), tmp_path / "a.pt")
    load_tensor_or_array(tmp_path / "a.pt")
    assert np.ndarray not in torch.serialization.get_safe_globals()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "a.pt", weights_only=True)


class Own(torch.Tensor):
    """A class that no file may import."""


def test_a_tensor_of_an_unknown_class_comes_without_the_class(tmp_path: Path):
    value = torch.arange(6.0).reshape(2, 3).as_subclass(Own)
    value.note = "kept by the class"
    save({"features": value, "plain": torch.ones(2)}, tmp_path / "a.pt")
    for mmap in (False, True):
        got = load_tensor_or_array(tmp_path / "a.pt", mmap=mmap)
        assert type(got["features"]) is NamelessTensor
        assert not hasattr(got["features"], "note")
        assert torch.equal(got["features"].as_subclass(torch.Tensor), torch.arange(6.0).reshape(2, 3))
        assert type(got["plain"]) is torch.Tensor
    assert NamelessTensor not in torch.serialization.get_safe_globals()


def test_the_refusal_names_what_an_archive_asked_for(tmp_path: Path):
    save(Run(tmp_path / "victim"), tmp_path / "a.pt")
    with pytest.raises(pickle.UnpicklingError, match=r"it names (builtins|__builtin__)\.exec, which is no part"):
        load_tensor_or_array(tmp_path / "a.pt")


def test_threads_that_load_arrays_do_not_take_the_allow_list_from_each_other(tmp_path: Path):
    save(array("float32"), tmp_path / "a.pt")
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(load_tensor_or_array, [tmp_path / "a.pt"] * 200):
            np.testing.assert_array_equal(got, array("float32"))
