"""Features and coords of an .h5 file lie in it, all of them, or the file is refused before a number is read."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from datasets.slides import h5_datasets
from datasets.slides.features import read_header, read_rows, read_shape, read_slide
from utils.errors import UserError

FEATURES = np.random.default_rng(0).standard_normal((40, 8)).astype("f4")
COORDS = np.arange(80).reshape(40, 2)
WAYS = (read_slide, read_header, read_shape, lambda path: read_rows(path, np.array([0, 5])))
OF_COORDS = WAYS[:2]  # the others do not read them


def write(folder: Path, fill: Callable[[Any], None]) -> Path:
    with h5py.File(folder / "s.h5", "w") as file:
        fill(file)
    return folder / "s.h5"


def assert_refused(path: Path, message: str, ways: tuple[Callable[[Path], Any], ...] = WAYS) -> None:
    for way in ways:
        with pytest.raises(UserError, match=message) as caught:
            way(path)
        assert str(path) in str(caught.value)


def pipe_in(folder: Path) -> Path:
    """What waits for ever when it is opened for reading."""
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


class TestOtherFiles:
    def test_an_external_link_is_not_followed(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["features"] = FEATURES
        path = write(tmp_path, lambda file: file.update({"features": h5py.ExternalLink("other.h5", "/features")}))
        assert_refused(path, r"'features' as a link to another file \(other\.h5\), which is not followed")

    def test_no_part_of_a_link_may_leave_the_file(self, tmp_path: Path) -> None:
        def fill(file: Any) -> None:
            file["elsewhere"] = h5py.ExternalLink(str(pipe_in(tmp_path)), "/")
            file["features"] = h5py.SoftLink("/elsewhere/features")

        assert_refused(write(tmp_path, fill), r"'features' as a link to another file \(.*pipe\)")

    def test_links_within_the_file_are_followed(self, tmp_path: Path) -> None:
        def fill(file: Any) -> None:
            file["a/b/numbers"] = FEATURES
            file["a/here"] = h5py.SoftLink("b")
            file["features"] = h5py.SoftLink("a/./here/numbers")

        path = write(tmp_path, fill)
        assert torch.equal(read_slide(path).features, torch.from_numpy(FEATURES))
        assert read_shape(path) == (40, 8)

    @pytest.mark.parametrize("target", ["/features", "/nowhere", "nowhere/numbers"])
    def test_a_link_that_leads_nowhere(self, tmp_path: Path, target: str) -> None:
        path = write(tmp_path, lambda file: file.update({"features": h5py.SoftLink(target)}))
        assert_refused(path, "'features' as a link (that leads to itself|to /nowhere, which does not exist)")

    @pytest.mark.parametrize("name", ["features", "coords"])
    def test_external_storage_is_not_read(self, tmp_path: Path, name: str) -> None:
        def fill(file: Any) -> None:
            if name == "coords":
                file["features"] = FEATURES
            shape = (40, 8) if name == "features" else (40, 2)
            file.create_dataset(name, shape=shape, dtype="f4", external=[(str(pipe_in(tmp_path)), 0, 1280)])

        path = write(tmp_path, fill)
        ways = WAYS if name == "features" else OF_COORDS
        assert_refused(path, rf"keeps the numbers of '{name}' in another file \(.*pipe\)", ways)

    @pytest.mark.parametrize("length", [40, None])
    def test_virtual_datasets_are_not_read(self, tmp_path: Path, length: int | None) -> None:
        """Not even the length of one without a limit, which HDF5 looks up in the other file."""

        def fill(file: Any) -> None:
            layout = h5py.VirtualLayout((40, 8), "f4", maxshape=(length, 8))
            source = h5py.VirtualSource(str(pipe_in(tmp_path)), "features", (40, 8), maxshape=(length, 8))
            layout[:] = source
            file.create_virtual_dataset("features", layout)

        assert_refused(write(tmp_path, fill), "'features' as a virtual dataset")


class TestNeverWritten:
    """HDF5 reads zeros, or the fill value, where nothing was written."""

    ROWS = "rows 12 to 43 of 200 of 'features' were never written"

    @pytest.mark.parametrize("options", [{}, {"compression": "gzip"}, {"compression": "lzf"}, {"fillvalue": 2.5}])
    @pytest.mark.parametrize("chunks", [(1, 8), (4, 8), (4, 3)])
    def test_some_rows(self, tmp_path: Path, options: dict[str, Any], chunks: tuple[int, int]) -> None:
        def fill(file: Any) -> None:
            dataset = file.create_dataset("features", shape=(200, 8), dtype="f4", chunks=chunks, **options)
            dataset[:12] = dataset[44:] = 1

        path = write(tmp_path, fill)
        for way in (
            read_slide,
            read_header,
            lambda p: read_rows(p, np.array([0])),
            lambda p: read_rows(p, np.arange(200)),
        ):
            assert_refused(path, self.ROWS, (way,))
        assert read_shape(path) == (200, 8)  # looks at the header alone

    def test_some_columns(self, tmp_path: Path) -> None:
        def fill(file: Any) -> None:
            dataset = file.create_dataset("features", shape=(200, 8), dtype="f4", chunks=(4, 4))
            dataset[:12] = dataset[44:] = 1
            dataset[:, 4:] = 1

        assert_refused(write(tmp_path, fill), self.ROWS, (read_slide,))

    def test_many_gaps_are_counted(self, tmp_path: Path) -> None:
        def fill(file: Any) -> None:
            dataset = file.create_dataset("features", shape=(50, 8), dtype="f4", chunks=(1, 8))
            for row in range(0, 50, 10):
                dataset[row + 2 : row + 10] = 1
                dataset[row] = 1

        message = "rows 1, 11, 21 and 2 more stretches of 50 of 'features' were never written"
        assert_refused(write(tmp_path, fill), message, (read_slide,))

    @pytest.mark.parametrize("options", [{}, {"chunks": (1, 8)}, {"chunks": (1, 8), "compression": "gzip"}])
    def test_all_rows(self, tmp_path: Path, options: dict[str, Any]) -> None:
        path = write(tmp_path, lambda file: file.create_dataset("features", shape=(40, 8), dtype="f4", **options))
        assert_refused(path, "rows 0 to 39 of 40 of 'features' were never written", (read_slide,))

    @pytest.mark.parametrize("options", [{}, {"chunks": (1, 2)}])
    def test_coords(self, tmp_path: Path, options: dict[str, Any]) -> None:
        def fill(file: Any) -> None:
            file["features"] = FEATURES
            file.create_dataset("coords", shape=(40, 2), dtype="i8", **options)

        path = write(tmp_path, fill)
        assert_refused(path, "rows 0 to 39 of 40 of 'coords' were never written", OF_COORDS)
        assert torch.equal(read_rows(path, np.arange(40)), torch.from_numpy(FEATURES))

    def test_a_file_that_is_filled_later_is_read_then(self, tmp_path: Path) -> None:
        path = write(tmp_path, lambda file: file.create_dataset("features", shape=(40, 8), dtype="f4", chunks=(1, 8)))
        assert_refused(path, "never written", (read_slide,))
        with h5py.File(path, "a") as file:
            file["features"][...] = FEATURES
        assert torch.equal(read_slide(path).features, torch.from_numpy(FEATURES))

    def test_zeros_that_were_written_are_numbers(self, tmp_path: Path) -> None:
        for options in ({}, {"chunks": (1, 8)}, {"chunks": (8, 8), "compression": "gzip"}):
            path = write(tmp_path, lambda file, how=options: file.create_dataset("features", data=FEATURES * 0, **how))
            assert not read_slide(path).features.any()


class TestDeclaredSizes:
    @pytest.mark.parametrize(
        "options",
        [{}, {"chunks": (1, 1024)}, {"chunks": (1, 1024), "compression": "gzip"}],
        ids=["piece", "rows", "gzip"],
    )
    def test_more_than_the_file_has(self, tmp_path: Path, options: dict[str, Any]) -> None:
        shape = (10**10, 1024)
        path = write(tmp_path, lambda file: file.create_dataset("features", shape=shape, dtype="f4", **options))
        assert_refused(path, "rows 0 to 9999999999 of 10000000000 of 'features' were never written")

    def test_more_than_written_numbers_can_be(self, tmp_path: Path) -> None:
        """The number of rows in the header is changed in a file that has all it declares."""
        path = write(tmp_path, lambda file: file.create_dataset("features", data=FEATURES))
        content = path.read_bytes()
        shape = np.array([40, 8], dtype="<u8").tobytes()
        assert content.count(shape) >= 1
        path.write_bytes(content.replace(shape, np.array([10**12, 8], dtype="<u8").tobytes()))
        assert_refused(path, r"cannot be read as HDF5 \(.*(1000000000000, 8\) takes 32,000,000,000,000 bytes|size)")

    def test_chunks_larger_than_the_file(self, tmp_path: Path) -> None:
        def fill(file: Any) -> None:
            options = {"maxshape": (None, 8), "chunks": (10**8, 8), "compression": "gzip"}
            file.create_dataset("features", shape=(40, 8), dtype="f4", **options)

        assert_refused(write(tmp_path, fill), "never written")

    @pytest.mark.parametrize("chunks", [(10_000, 1024), (1000, 1024)])
    def test_a_small_file_that_unpacks_to_far_more_is_refused(self, tmp_path: Path, chunks: tuple[int, int]) -> None:
        """One chunk is unpacked beside the array, so that less of it is let through."""

        def fill(file: Any) -> None:
            shape, options = (60_000, 1024), {"chunks": chunks, "compression": "gzip"}
            dataset = file.create_dataset("features", shape=shape, dtype="f4", **options)
            packed = zlib.compress(bytes(4 * math.prod(chunks)))
            for row in range(0, shape[0], chunks[0]):
                dataset.id.write_direct_chunk((row, 0), packed)

        message = (
            r"'features' of shape \(60000, 1024\), 245,760,000 bytes in memory, in a compressed file of .*: if that"
        )
        assert_refused(write(tmp_path, fill), message)

    @pytest.mark.parametrize("rows", [64, 30_000])
    def test_features_most_of_which_are_zero_are_read(
        self, tmp_path: Path, rows: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nine in ten, in small chunks or in one, and however little memory is free."""
        monkeypatch.setattr(h5_datasets, "_FREE_BYTES", 0)
        rng = np.random.default_rng(0)
        values = np.where(rng.random((30_000, 64)) < 0.9, 0, rng.standard_normal((30_000, 64))).astype("f4")
        options = {"chunks": (rows, 64), "compression": "gzip"}
        path = write(tmp_path, lambda file: file.create_dataset("features", data=values, **options))
        assert values.nbytes > 5 * path.stat().st_size
        assert torch.equal(read_slide(path).features, torch.from_numpy(values))

    def test_what_compresses_well_is_read(self, tmp_path: Path) -> None:
        values = np.ones((2000, 1024), dtype="f4")
        path = write(
            tmp_path, lambda file: file.create_dataset("features", data=values, chunks=(1000, 1024), compression="gzip")
        )
        assert path.stat().st_size < values.nbytes / 300
        assert torch.equal(read_slide(path).features, torch.from_numpy(values))

    def test_the_length_of_coords_is_compared_before_they_are_read(self, tmp_path: Path) -> None:
        def fill(file: Any) -> None:
            file["features"] = FEATURES
            file.create_dataset("coords", shape=(10**11, 2), dtype="i8", chunks=(1024, 2), compression="gzip")

        assert_refused(write(tmp_path, fill), r"coords of shape \(100000000000, 2\) for 40 patches", OF_COORDS)


class TestTypes:
    @pytest.mark.parametrize(
        ("dtype", "word"),
        [
            ("S16", "text"),
            (h5py.string_dtype(), "text"),
            (np.dtype([("x", "i4"), ("y", "i4")]), "compound"),
            ("V8", "opaque"),
            ("c8", "(compound|complex64)"),
            (h5py.ref_dtype, "reference"),
            (h5py.regionref_dtype, "reference"),
            (h5py.vlen_dtype("i4"), "lists of variable length"),
            (np.dtype(("i4", (2,))), "array"),
            ("?", "bool"),
        ],
        ids=str,
    )
    def test_what_is_no_number_is_named(self, tmp_path: Path, dtype: Any, word: str) -> None:
        def fill(file: Any) -> None:
            file.create_dataset("features", shape=(40, 8), dtype=dtype)

        assert_refused(write(tmp_path, fill), f"holds features of type {word}: expected")

        def fill_coords(file: Any) -> None:
            file["features"] = FEATURES
            file.create_dataset("coords", shape=(40, 2), dtype=dtype)

        assert_refused(write(tmp_path, fill_coords), f"holds coords of type {word}: expected", OF_COORDS)

    @pytest.mark.parametrize("name", ["features", "coords"])
    def test_times_are_no_numbers(self, tmp_path: Path, name: str) -> None:
        def fill(file: Any) -> None:
            h5py.h5d.create(file.id, name.encode(), h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((40, 2)))
            if name == "coords":
                file["features"] = FEATURES

        ways = WAYS if name == "features" else OF_COORDS
        assert_refused(write(tmp_path, fill), f"holds {name} of type time: expected numbers", ways)

    @pytest.mark.parametrize("kind", ["i4", "u8", ">f4", ">i4", "f2", "longdouble"])
    def test_coords_of_every_type_of_number_are_read(self, tmp_path: Path, kind: str) -> None:
        path = write(tmp_path, lambda file: file.update({"features": FEATURES, "coords": COORDS.astype(kind)}))
        assert read_slide(path).coords.tolist() == COORDS.tolist()

    @pytest.mark.parametrize(
        ("features", "message"),
        [
            (h5py.Empty("f4"), r"features of shape \(0,\)"),
            (np.float32(3), r"features of shape \(\)"),
            (FEATURES.astype("longdouble"), "features of type float128"),
            (FEATURES.astype("u8"), "features of type uint64"),
            (np.dtype("f4"), "'features' as a data type"),
        ],
    )
    def test_other_features(self, tmp_path: Path, features: Any, message: str) -> None:
        assert_refused(write(tmp_path, lambda file: file.update({"features": features})), message)

    @pytest.mark.parametrize(
        ("coords", "message"),
        [
            (h5py.Empty("i8"), r"coords of shape \(0,\) for 40 patches"),
            (3, r"coords of shape \(\) for 40 patches"),
            (np.dtype("i8"), "'coords' as a data type"),
        ],
    )
    def test_other_coords(self, tmp_path: Path, coords: Any, message: str) -> None:
        fill = {"features": FEATURES, "coords": coords}
        assert_refused(write(tmp_path, lambda file: file.update(fill)), message, OF_COORDS)

    def test_groups(self, tmp_path: Path) -> None:
        assert_refused(write(tmp_path, lambda file: file.update({"features/uni": FEATURES})), "'features' as a group")
        fill = {"features": FEATURES, "coords/level0": COORDS}
        assert_refused(write(tmp_path, lambda file: file.update(fill)), "'coords' as a group", OF_COORDS)

    def test_of_two_names_that_of_clam_counts(self, tmp_path: Path) -> None:
        path = write(tmp_path, lambda file: file.update({"feats": FEATURES + 1, "features": FEATURES}))
        assert torch.equal(read_slide(path).features, torch.from_numpy(FEATURES))

    def test_names_that_are_found_are_a_few(self, tmp_path: Path) -> None:
        path = write(tmp_path, lambda file: file.update({f"n{index}": 1 for index in range(9)}))
        assert_refused(path, r"no dataset 'features' \(found n0, n1, n2, n3, n4\)")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("layout", ["compact", "early", "single"])
def test_other_layouts_are_read(tmp_path: Path, libver: str, layout: str) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if layout == "compact":
        plist.set_layout(h5py.h5d.COMPACT)
    else:
        plist.set_chunk((1, 8) if layout == "early" else (40, 8))
    if layout == "early":
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    with h5py.File(tmp_path / "s.h5", "w", libver=libver) as file:
        space = h5py.h5s.create_simple((40, 8))
        h5py.Dataset(h5py.h5d.create(file.id, b"features", h5py.h5t.IEEE_F32LE, space, plist))[...] = FEATURES
    assert torch.equal(read_slide(tmp_path / "s.h5").features, torch.from_numpy(FEATURES))
    assert torch.equal(read_rows(tmp_path / "s.h5", np.array([3, 9])), torch.from_numpy(FEATURES[[3, 9]]))


def test_a_filter_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """The number of deflate, in the header, becomes that of Zstandard, of which HDF5 has no plugin here."""
    path = write(
        tmp_path, lambda file: file.create_dataset("features", data=FEATURES, chunks=(40, 8), compression="gzip")
    )
    content = bytearray(path.read_bytes())
    place = content.index(b"deflate") - 8
    assert content[place : place + 2] == b"\x01\x00"
    content[place : place + 2] = (32015).to_bytes(2, "little")
    path.write_bytes(content)
    assert_refused(path, r"cannot be read as HDF5 \(filter 32015, deflate, is not installed\): set HDF5_PLUGIN_PATH")
