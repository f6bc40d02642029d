from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from benchmarks.timing import PeakMemory
from datasets.slides.features import (
    check_widths,
    find_slides,
    read_rows,
    read_shape,
    read_slide,
    slide_id_of,
    write_slide,
)
from utils.errors import UserError

TCGA = "TCGA-2F-A9KO-01Z-00-DX1.195576CF-B739-4BD9-B15B-4A70AE287D3E"


def numbers(n_patches: int = 7, width: int = 3, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.arange(n_patches * width).reshape(n_patches, width).to(dtype) / 4


def grid(n_patches: int = 7) -> torch.Tensor:
    return torch.stack([torch.arange(n_patches) * 448, torch.arange(n_patches) * 896], dim=1)


def write_h5(path: Path, features: np.ndarray, coords: np.ndarray | None = None, **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=features, **options)
        if coords is not None:
            file.create_dataset("coords", data=coords)
    return path


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str, int]]:
        return os.mkdir, (str(self.target), 0o755)


@pytest.mark.parametrize(
    ("name", "slide_id"),
    [
        (f"{TCGA}.pt", TCGA),
        (f"pt_files/{TCGA}.h5", TCGA),
        (TCGA, TCGA),
        ("a.svs.pt", "a"),
        ("a.b.NDPI.npz", "a.b"),
        ("a.index.npy.h5", "a.index"),
        ("a.svs", "a"),
        ("a.tiff.svs.H5", "a"),
        ("a.b", "a.b"),
    ],
)
def test_only_a_known_ending_is_an_ending(name: str, slide_id: str) -> None:
    assert slide_id_of(name) == slide_id
    assert slide_id_of(Path(name)) == slide_id


class TestFindSlides:
    def test_looks_into_each_directory_and_its_clam_folders(self, tmp_path: Path) -> None:
        names = [
            "one/b.pt",
            "one/h5_files/c.h5",
            "two/pt_files/a.1.pt",
            "one/.hidden.pt",
            "one/deep/x/d.pt",
            "one/n.txt",
        ]
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        found = find_slides([tmp_path / "one", tmp_path / "two"])
        assert list(found) == ["a.1", "b", "c"]
        assert found["c"] == tmp_path / "one/h5_files/c.h5"

    def test_a_directory_given_twice_is_searched_once(self, tmp_path: Path) -> None:
        (tmp_path / "pt_files").mkdir()
        (tmp_path / "pt_files/a.pt").write_bytes(b"x")
        assert list(find_slides([tmp_path, tmp_path / "pt_files", tmp_path])) == ["a"]

    def test_the_same_slide_in_two_places_names_both(self, tmp_path: Path) -> None:
        for name in ("pt_files/a.pt", "h5_files/a.h5", "pt_files/b.pt"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"x")
        with pytest.raises(UserError) as caught:
            find_slides([tmp_path])
        assert str(tmp_path / "pt_files/a.pt") in str(caught.value)
        assert str(tmp_path / "h5_files/a.h5") in str(caught.value)
        assert "slide a is" in str(caught.value)

    def test_refuses_nothing_found_and_no_directory(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(UserError, match=f"no feature file found in {tmp_path}"):
            find_slides([tmp_path])
        with pytest.raises(UserError, match=r"absent does not exist"):
            find_slides([tmp_path / "absent"])
        with pytest.raises(UserError, match=r"notes.txt does not exist"):
            find_slides([tmp_path / "notes.txt"])


class TestRoundTrip:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_pt_tensor(self, tmp_path: Path, dtype: torch.dtype) -> None:
        path = tmp_path / f"{TCGA}.pt"
        write_slide(path, numbers(dtype=dtype))
        slide = read_slide(path)
        assert slide.slide_id == TCGA
        assert slide.features.dtype == dtype
        assert torch.equal(slide.features, numbers(dtype=dtype))
        assert slide.coords is None
        assert slide.attributes == {}
        assert isinstance(torch.load(path, weights_only=True), torch.Tensor)
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]  # no temporary file is left

    @pytest.mark.parametrize("ending", ["pt", "h5"])
    def test_coords_and_attributes(self, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"s.{ending}"
        write_slide(path, numbers(dtype=torch.float16), grid(), {"patch_size_level0": 448})
        slide = read_slide(path)
        assert torch.equal(slide.features, numbers(dtype=torch.float16))
        assert slide.features.dtype == torch.float16
        assert slide.coords is not None
        assert torch.equal(slide.coords, grid())
        assert slide.coords.dtype == torch.int64
        assert slide.attributes == {"patch_size_level0": 448.0}
        assert read_shape(path) == (7, 3)

    def test_a_view_is_written_without_the_rest_of_its_storage(self, tmp_path: Path) -> None:
        write_slide(tmp_path / "s.pt", torch.zeros(100_000, 4)[:3])
        assert (tmp_path / "s.pt").stat().st_size < 10_000

    def test_equal_content_gives_equal_bytes(self, tmp_path: Path) -> None:
        for name in ("a.pt", "b.pt", "a.h5", "b.h5"):
            write_slide(tmp_path / name, numbers(), grid())
        assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()

    def test_changing_what_was_read_leaves_the_file(self, tmp_path: Path) -> None:
        for name in ("a.pt", "a.h5"):
            write_slide(tmp_path / name, numbers())
            read_slide(tmp_path / name).features.zero_()
            assert torch.equal(read_slide(tmp_path / name).features, numbers())

    def test_write_refuses_what_read_would_refuse(self, tmp_path: Path) -> None:
        bad = numbers()
        bad[2, 1] = float("nan")
        with pytest.raises(UserError, match="1 of 7 rows"):
            write_slide(tmp_path / "s.pt", bad)
        with pytest.raises(UserError, match="bfloat16"):
            write_slide(tmp_path / "s.h5", numbers(dtype=torch.bfloat16))
        with pytest.raises(UserError, match="attributes without coords"):
            write_slide(tmp_path / "s.h5", numbers(), None, {"patch_size_level0": 448})
        with pytest.raises(UserError, match=r"does not end in .pt or .h5"):
            write_slide(tmp_path / "s.npy", numbers())
        assert list(tmp_path.iterdir()) == []


class TestFormats:
    def test_pt_with_a_leading_one_and_with_a_dict(self, tmp_path: Path) -> None:
        torch.save(numbers()[None], tmp_path / "a.pt")
        torch.save({"features": numbers()[None], "coords": grid()[None].to(torch.int32)}, tmp_path / "b.pt")
        torch.save({"features": numbers()}, tmp_path / "c.pt")
        for name in ("a", "b", "c"):
            assert torch.equal(read_slide(tmp_path / f"{name}.pt").features, numbers())
            assert read_shape(tmp_path / f"{name}.pt") == (7, 3)
            assert torch.equal(read_rows(tmp_path / f"{name}.pt", np.array([1, 5])), numbers()[[1, 5]])
        coords = read_slide(tmp_path / "b.pt").coords
        assert coords is not None
        assert torch.equal(coords, grid())

    def test_pt_of_the_format_before_zip(self, tmp_path: Path) -> None:
        torch.save(numbers(), tmp_path / "a.pt", _use_new_zipfile_serialization=False)
        assert torch.equal(read_slide(tmp_path / "a.pt").features, numbers())

    def test_a_parameter_is_read_without_gradient(self, tmp_path: Path) -> None:
        torch.save(torch.nn.Parameter(numbers()), tmp_path / "a.pt")
        assert not read_slide(tmp_path / "a.pt").features.requires_grad

    @pytest.mark.parametrize("options", [{}, {"chunks": (1, 3)}, {"chunks": (4, 2), "compression": "gzip"}])
    def test_h5_layouts(self, tmp_path: Path, options: dict[str, Any]) -> None:
        values = numbers().numpy()
        path = write_h5(tmp_path / "a.h5", values, grid().numpy().astype(np.int32), **options)
        assert torch.equal(read_slide(path).features, numbers())
        assert torch.equal(read_rows(path, np.array([0, 3, 4, 6])), numbers()[[0, 3, 4, 6]])
        assert read_rows(path, np.array([], dtype=np.int64)).shape == (0, 3)
        if "chunks" in options:
            options = {**options, "chunks": (1, *options["chunks"])}
        path = write_h5(tmp_path / "b.h5", values[None], grid().numpy()[None], **options)
        assert read_shape(path) == (7, 3)
        assert torch.equal(read_slide(path).features, numbers())
        assert torch.equal(read_rows(path, np.array([2, 6])), numbers()[[2, 6]])

    def test_h5_of_the_other_byte_order(self, tmp_path: Path) -> None:
        path = write_h5(tmp_path / "a.h5", numbers().numpy().astype(">f4"))
        assert torch.equal(read_slide(path).features, numbers())
        assert torch.equal(read_rows(path, np.array([2])), numbers()[[2]])

    def test_only_single_numbers_among_the_attributes_count(self, tmp_path: Path) -> None:
        path = write_h5(tmp_path / "a.h5", numbers().numpy(), grid().numpy())
        with h5py.File(path, "a") as file:
            attributes = {"patch_size_level0": np.int64(896), "mpp": np.array([0.25]), "name": "x", "size": [3, 4]}
            file["coords"].attrs.update(attributes)
        assert read_slide(path).attributes == {"patch_size_level0": 896.0, "mpp": 0.25}

    @pytest.mark.parametrize("ending", ["pt", "h5"])
    @pytest.mark.parametrize("rows", [[3, 1], [1, 1], [-1, 2], [5, 7], [[1, 2]]])
    def test_rows_must_be_sorted_unique_and_inside(self, tmp_path: Path, ending: str, rows: list[Any]) -> None:
        write_slide(tmp_path / f"a.{ending}", numbers())
        with pytest.raises(ValueError, match=r"sorted, unique and within 0\.\.6"):
            read_rows(tmp_path / f"a.{ending}", np.array(rows))


@pytest.mark.parametrize("ending", ["pt", "h5"])
def test_a_large_slide_stays_in_its_file(tmp_path: Path, ending: str) -> None:
    """31 MB of float16 are read and checked in 4 MB of anonymous memory."""
    path = tmp_path / f"large.{ending}"
    write_slide(path, torch.ones(20_000, 768, dtype=torch.float16))
    read_slide(path)  # what h5py and torch allocate at their first call is not the slide's
    with PeakMemory() as peak:
        slide = read_slide(path)
        time.sleep(0.02)  # sampled every 5 ms
    assert slide.features.nbytes > 30e6
    assert peak.bytes < 4e6


class TestRefusals:
    @pytest.mark.parametrize("ending", ["pt", "h5"])
    def test_rows_with_nan_or_infinity_are_counted(self, tmp_path: Path, ending: str) -> None:
        bad = torch.zeros(5000, 2)
        bad[[3, 4500], 0], bad[4999, 1], bad[7] = float("nan"), float("inf"), float("-inf")
        path = tmp_path / f"bad.{ending}"
        if ending == "pt":
            torch.save(bad, path)
        else:
            write_h5(path, bad.numpy())
        with pytest.raises(UserError, match=rf"4 of 5000 rows of .*bad\.{ending} hold NaN or infinity"):
            read_slide(path)
        with pytest.raises(UserError, match="1 of 2 rows"):
            read_rows(path, np.array([3, 5]))
        assert read_rows(path, np.array([0, 4])).tolist() == [[0, 0], [0, 0]]

    def test_large_finite_numbers_are_no_infinity(self, tmp_path: Path) -> None:
        torch.save(torch.full((10, 4), 3e38), tmp_path / "a.pt")
        torch.save(torch.full((10, 4), 65504.0, dtype=torch.float16), tmp_path / "b.pt")
        assert read_slide(tmp_path / "a.pt").features.shape == (10, 4)
        assert read_slide(tmp_path / "b.pt").features.shape == (10, 4)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (torch.zeros(3), r"shape \(3,\)"),
            (torch.zeros(2, 3, 4), r"shape \(2, 3, 4\)"),
            (torch.zeros(0, 4), "holds no features"),
            (torch.zeros(1, 0, 4), "holds no features"),
            (torch.zeros(3, 4, dtype=torch.int64), "type int64: expected float16"),
            ([torch.zeros(3, 4)], "holds a list"),
            ({"embeddings": torch.zeros(3, 4)}, r"without a tensor 'features' \(found embeddings\)"),
            ({"features": torch.zeros(3, 4), "coords": torch.zeros(2, 2)}, r"coords of shape \(2, 2\) for 3 patches"),
            ({"features": torch.zeros(3, 4), "coords": torch.full((3, 2), torch.nan)}, "coords that are no finite"),
            ({"features": torch.zeros(3, 4), "coords": [1, 2]}, "'coords' as a list"),
            (np.zeros((3, 4), dtype=np.int32), "features of type int32"),
            (np.zeros((3, 4), dtype="S2"), r"features of type \|S2: expected float16"),
            ({"features": np.zeros((3, 4)), "coords": np.array([["a"] * 2] * 3)}, "coords of type <U1"),
            (torch.eye(3).to_sparse(), "holds a sparse tensor: expected a dense tensor"),
            (torch.zeros(3, 4, device="meta"), "a tensor without numbers"),
            (torch.zeros(1).expand(10**15, 1024), r"shape \(1000000000000000, 1024\) in 4 bytes"),
            ({"features": torch.zeros(3, 4), "coords": torch.eye(3).to_sparse()}, "'coords' as a sparse tensor"),
            (torch.zeros(768), "one vector, as slide encoders write"),
            ({"features": torch.zeros(1, 4), "coords": torch.zeros(9, 2)}, "for 1 patch .*embedding of the whole"),
        ],
    )
    def test_other_content_of_a_pt(self, tmp_path: Path, content: Any, message: str) -> None:
        torch.save(content, tmp_path / "odd.pt")
        with pytest.raises(UserError, match=message) as caught:
            read_slide(tmp_path / "odd.pt")
        assert str(tmp_path / "odd.pt") in str(caught.value)

    @pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
    @pytest.mark.filterwarnings("ignore:.*quantiz:UserWarning")
    @pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
    @pytest.mark.filterwarnings("ignore:.*quantiz:DeprecationWarning")
    def test_nested_and_quantized_tensors(self, tmp_path: Path) -> None:
        parts = [torch.zeros(2, 3), torch.zeros(1, 3)]
        for layout in (torch.strided, torch.jagged):
            torch.save(torch.nested.nested_tensor(parts, layout=layout), tmp_path / "odd.pt")
            with pytest.raises(UserError, match=r"odd\.pt holds a nested tensor: expected a dense tensor"):
                read_slide(tmp_path / "odd.pt")
        torch.save(torch.quantize_per_tensor(torch.zeros(3, 4), 0.1, 0, torch.qint8), tmp_path / "odd.pt")
        with pytest.raises(UserError, match=r"odd\.pt holds a quantized tensor"):
            read_slide(tmp_path / "odd.pt")

    @pytest.mark.parametrize("kind", ["zip", "legacy", "inside a dict", "plain pickle"])
    def test_a_malicious_pickle_is_refused_without_running_it(self, tmp_path: Path, kind: str) -> None:
        target, path = tmp_path / "ran", tmp_path / "evil.pt"
        if kind == "plain pickle":
            path.write_bytes(pickle.dumps(Payload(target)))
        elif kind == "inside a dict":
            torch.save({"features": torch.zeros(3, 2), "extra": Payload(target)}, path)
        else:
            torch.save(Payload(target), path, _use_new_zipfile_serialization=kind == "zip")
        with pytest.raises(UserError, match=r"evil.pt"):
            read_slide(path)
        with pytest.raises(UserError):
            read_shape(path)
        assert not target.exists()
        pickle.loads(pickle.dumps(Payload(target)))  # it would have run
        assert target.exists()

    @pytest.mark.parametrize("ending", ["pt", "h5"])
    @pytest.mark.parametrize("kind", ["empty", "text", "half", "absent", "directory"])
    def test_unreadable_files(self, tmp_path: Path, ending: str, kind: str) -> None:
        path = tmp_path / f"bad.{ending}"
        if kind == "half":
            write_slide(path, torch.zeros(500, 8))
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif kind == "directory":
            path.mkdir()
        elif kind != "absent":
            path.write_text("" if kind == "empty" else "hello world, these are no features at all")
        for read in (read_slide, read_shape, lambda p: read_rows(p, np.array([0]))):
            with pytest.raises(UserError, match=rf"bad\.{ending}"):
                read(path)

    def test_half_a_legacy_pt(self, tmp_path: Path) -> None:
        path = tmp_path / "bad.pt"
        torch.save(torch.zeros(500, 8), path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(UserError, match=r"bad.pt cannot be read"):
            read_slide(path)

    def test_other_content_of_an_h5(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["embeddings"] = np.zeros((3, 4))
        with pytest.raises(UserError, match=r"no dataset 'features' \(found embeddings\)"):
            read_slide(tmp_path / "a.h5")
        write_h5(tmp_path / "b.h5", np.zeros((3, 4), dtype=np.int32))
        with pytest.raises(UserError, match="type int32"):
            read_shape(tmp_path / "b.h5")
        write_h5(tmp_path / "c.h5", np.zeros((0, 4), dtype=np.float32))
        for read in (read_slide, read_shape):
            with pytest.raises(UserError, match="holds no features"):
                read(tmp_path / "c.h5")
        write_h5(tmp_path / "d.h5", np.zeros((3, 4)), np.zeros((4, 2)))
        with pytest.raises(UserError, match=r"coords of shape \(4, 2\) for 3 patches"):
            read_slide(tmp_path / "d.h5")


class TestWidths:
    def test_names_the_odd_file_and_both_widths(self, tmp_path: Path) -> None:
        for name, width in (("a.pt", 5), ("b.h5", 4), ("c.pt", 4)):
            write_slide(tmp_path / name, torch.zeros(2, width))
        paths = find_slides([tmp_path])
        widths = {path: read_shape(path)[1] for path in paths.values()}
        with pytest.raises(UserError, match=r"a\.pt has features of width 5 where 2 of 3 files have 4 \(1 such"):
            check_widths(widths)
        with pytest.raises(UserError, match=r"b\.h5 has features of width 4 where 5 was expected \(2 such"):
            check_widths(widths, expected=5)
        assert check_widths({paths[name]: widths[paths[name]] for name in ("b", "c")}) == 4
        assert check_widths({paths["a"]: 5}, expected=5) == 5

    def test_without_slides(self) -> None:
        with pytest.raises(UserError, match="no slide given"):
            check_widths({})
