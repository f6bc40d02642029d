"""One slide in every format that is read: the same numbers, rows, fingerprint and errors."""

from __future__ import annotations

import fcntl
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from datasets.slides.features import read_rows, read_shape, read_slide
from datasets.slides.fingerprint import fingerprint
from utils.errors import UserError

Writer = Callable[[Path, np.ndarray, np.ndarray], Path]
COORDS = np.stack([np.arange(40) % 8, np.arange(40) // 8], axis=1) * 448


def features_of(dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).standard_normal((40, 6)).astype(dtype)


def pt_tensors(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    torch.save({"features": torch.from_numpy(features), "coords": torch.from_numpy(coords)}, folder / "s.pt")
    return folder / "s.pt"


def pt_feats(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    content = {"feats": torch.from_numpy(features), "coords": torch.from_numpy(coords), "model_name": "uni"}
    torch.save(content, folder / "s.pt")
    return folder / "s.pt"


def pt_arrays(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    torch.save({"features": features, "coords": coords}, folder / "s.pt")
    return folder / "s.pt"


def pt_pickle(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    (folder / "s.pt").write_bytes(pickle.dumps({"features": features, "coords": coords}))
    return folder / "s.pt"


def pt_slideflow(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    torch.save(torch.from_numpy(features), folder / "s.pt")
    np.savez(folder / "s.index.npz", coords + 224)
    return folder / "s.pt"


def npz(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    np.savez(folder / "s.npz", features=features, coords=coords)
    return folder / "s.npz"


def npz_packed(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    np.savez_compressed(folder / "s.npz", feats=features, coords=coords)
    return folder / "s.npz"


def npz_unnamed(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    np.savez(folder / "s.npz", features, coords=coords)
    return folder / "s.npz"


def safetensors(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    content = {"features": torch.from_numpy(features.copy()), "coords": torch.from_numpy(coords.copy())}
    save_file(content, folder / "s.safetensors")
    return folder / "s.safetensors"


def h5_feats(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    with h5py.File(folder / "s.h5", "w") as file:
        file["feats"], file["coords"] = features, coords
    return folder / "s.h5"


def h5_batch(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    with h5py.File(folder / "s.h5", "w") as file:
        file["features"], file["coords"] = features[None], coords[None]
    return folder / "s.h5"


def npy(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    np.save(folder / "s.npy", features)
    return folder / "s.npy"


AS_PT = [pt_tensors, pt_feats, pt_arrays, pt_pickle, pt_slideflow]
WITH_COORDS = [*AS_PT, npz, npz_packed, npz_unnamed, safetensors, h5_feats, h5_batch]
WRITERS = [*WITH_COORDS, npy]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("write", WRITERS)
def test_each_format_gives_the_same_slide(tmp_path: Path, write: Writer, dtype: str):
    features = features_of(dtype)
    path = write(tmp_path, features, COORDS)
    slide = read_slide(path)
    assert slide.slide_id == "s"
    assert slide.features.numpy().dtype == dtype
    np.testing.assert_array_equal(slide.features.numpy(), features)
    assert read_shape(path) == (40, 6)
    if write in WITH_COORDS:
        assert slide.coords is not None
        assert slide.coords.dtype == torch.int64
        np.testing.assert_array_equal(slide.coords.numpy(), COORDS)
    else:
        assert slide.coords is None


@pytest.mark.parametrize("rows", [[0], [39], [3, 4, 5, 20], list(range(40)), []], ids=len)
@pytest.mark.parametrize("write", WRITERS)
def test_each_format_gives_its_rows(tmp_path: Path, write: Writer, rows: list[int]):
    path = write(tmp_path, features_of(), COORDS)
    np.testing.assert_array_equal(read_rows(path, np.array(rows, dtype=np.int64)).numpy(), features_of()[rows])


@pytest.mark.parametrize("write", WRITERS)
def test_letter_case_of_an_ending_does_not_matter(tmp_path: Path, write: Writer):
    path = write(tmp_path, features_of(), COORDS)
    path = path.rename(path.with_suffix(path.suffix.upper()))
    slide = read_slide(path)
    assert slide.slide_id == "s"
    assert (slide.coords is not None) == (write in WITH_COORDS)
    np.testing.assert_array_equal(slide.features.numpy(), features_of())
    assert read_shape(path) == (40, 6)
    np.testing.assert_array_equal(read_rows(path, np.array([3, 4, 20])).numpy(), features_of()[[3, 4, 20]])


def test_all_formats_have_one_fingerprint(tmp_path: Path):
    prints = set()
    for write in WRITERS:
        folder = tmp_path / write.__name__
        folder.mkdir()
        prints.add(fingerprint(write(folder, features_of(), COORDS)))
    assert len(prints) == 1


@pytest.mark.parametrize("write", WRITERS)
def test_rows_with_nan_are_counted_in_each_format(tmp_path: Path, write: Writer):
    features = features_of()
    features[[3, 17], 2] = np.nan, np.inf
    path = write(tmp_path, features, COORDS)
    with pytest.raises(UserError, match=r"2 of 40 rows of .* hold NaN or infinity"):
        read_slide(path)
    with pytest.raises(UserError, match="1 of 2 rows"):
        read_rows(path, np.array([3, 5]))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((40, 6), dtype=np.int32), r"features of type int32: expected float16"),
        (np.zeros((0, 6), dtype=np.float32), "holds no features"),
        (np.zeros(6, dtype=np.float32), "one vector, as slide encoders write"),
        (np.zeros((2, 40, 6), dtype=np.float32), r"features of shape \(2, 40, 6\)"),
        (np.zeros((40, 6), dtype=np.complex64), r"features of type complex64"),
    ],
)
@pytest.mark.parametrize("write", [pt_tensors, pt_arrays, pt_pickle, npz, npz_packed, safetensors, h5_feats, npy])
def test_other_features_are_refused_in_each_format(tmp_path: Path, write: Writer, features: np.ndarray, message: str):
    path = write(tmp_path, features, COORDS)
    for read in (read_slide, read_shape):
        with pytest.raises(UserError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("coords", "message"),
    [
        (COORDS[:39], r"(coords|locations) of shape \((1, )?39, 2\)"),
        (np.full((40, 2), np.nan), "coords that are no finite numbers"),
        (COORDS.astype(bool), "coords of type bool: expected numbers"),
    ],
)
@pytest.mark.parametrize("write", WITH_COORDS)
def test_other_coords_are_refused_in_each_format(tmp_path: Path, write: Writer, coords: np.ndarray, message: str):
    if write is pt_slideflow and coords.dtype == bool:
        coords = coords.astype("S1")
        write = pt_slideflow_text
        message = "coords of type"
    with pytest.raises(UserError, match=message):
        read_slide(write(tmp_path, features_of(), coords))


def pt_slideflow_text(folder: Path, features: np.ndarray, coords: np.ndarray) -> Path:
    torch.save(torch.from_numpy(features), folder / "s.pt")
    np.savez(folder / "s.index.npz", coords)
    return folder / "s.pt"


@pytest.mark.parametrize("dtype", ["S16", np.dtype([("x", "i4"), ("y", "i4")])])
def test_coords_of_texts_or_fields_are_refused(tmp_path: Path, dtype: Any):
    shape = (40, 2) if dtype == "S16" else (40,)
    path = h5_feats(tmp_path, features_of(), np.zeros(shape, dtype=dtype))
    with pytest.raises(UserError, match=r"s\.h5 holds coords of type"):
        read_slide(path)
    if dtype == "S16":
        with pytest.raises(UserError, match=r"s\.npz holds coords of type"):
            read_slide(npz(tmp_path, features_of(), np.zeros(shape, dtype=dtype)))


@pytest.mark.parametrize("ending", ["pt", "h5", "npy", "npz", "safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"x", b"hello world, these are no features at all" * 9, b"\x80\x02.", b"PK\x03\x04"]
)
def test_files_of_something_else_are_refused(tmp_path: Path, ending: str, content: bytes):
    path = tmp_path / f"bad.{ending}"
    path.write_bytes(content)
    for read in (read_slide, read_shape, lambda p: read_rows(p, np.array([0]))):
        with pytest.raises(UserError, match=rf"bad\.{ending}"):
            read(path)


# numpy says so of an array whose pickled type has a wrong flag when it is thrown away.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("write", WRITERS)
def test_a_file_cut_anywhere_or_with_a_byte_changed_is_read_or_refused(tmp_path: Path, write: Writer):
    """Never another error than a UserError, and never a wrong shape."""
    path = write(tmp_path, features_of(), COORDS)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.choice(len(whole), size=25, replace=False):
        path.write_bytes(whole[:cut])
        with pytest.raises(UserError, match=path.name):
            read_slide(path)
    messages = []
    for position in rng.choice(min(len(whole), 2000), size=60, replace=False):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        for read in (read_slide, lambda p: read_rows(p, np.array([1, 20]))):
            try:
                read(path)
            except UserError as error:
                messages.append(str(error))
    assert messages
    assert all("s." in message for message in messages)


class Payload:
    """Creates a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.target,)


@pytest.mark.parametrize("ending", ["npy", "npz", "pt"])
def test_python_objects_are_never_loaded(tmp_path: Path, ending: str):
    target, path = tmp_path / "ran", tmp_path / f"evil.{ending}"
    values = np.array([[Payload(target)] * 2] * 3, dtype=object)
    if ending == "npz":
        np.savez(path, features=values)
    elif ending == "npy":
        np.save(path, values, allow_pickle=True)
    else:
        torch.save({"features": np.zeros((3, 2)), "values": values}, path)
    for read in (read_slide, read_shape):
        with pytest.raises(UserError, match=r"evil\..* holds Python objects.*never loaded"):
            read(path)
    assert not target.exists()


class Renamed(torch.Tensor):
    """A tensor of a class that only this test knows."""


def test_tensors_of_other_classes_are_read_as_tensors(tmp_path: Path):
    features = torch.from_numpy(features_of())
    for content in (
        features.as_subclass(Renamed),
        torch.nn.Parameter(features),
        {"features": features.as_subclass(Renamed)},
    ):
        torch.save(content, tmp_path / "s.pt")
        slide = read_slide(tmp_path / "s.pt")
        assert type(slide.features) is torch.Tensor
        assert not slide.features.requires_grad
        assert torch.equal(slide.features, features)
        assert torch.equal(read_rows(tmp_path / "s.pt", np.array([1, 7])), features[[1, 7]])


def test_what_a_system_says_is_in_the_message(tmp_path: Path):
    path = h5_feats(tmp_path, features_of(), COORDS)
    with path.open("rb+") as writer:  # as HDF5 does while another program writes
        fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(UserError, match=r"unable to lock file.*wait until the program"):
            read_slide(path)
    (tmp_path / "gone.h5").mkdir()
    with pytest.raises(UserError, match="does not exist"):
        read_slide(tmp_path / "gone.h5")
