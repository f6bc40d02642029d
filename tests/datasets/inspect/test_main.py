"""The command on files and folders made to the layouts of other tools."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from datasets.inspect.__main__ import main
from datasets.slides.features import write_slide

CELLS = np.stack([np.arange(30) % 6, np.arange(30) // 6], axis=1)


def write_trident(folder: Path, name: str, n_patches: int = 30) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / f"{name}.h5", "w") as file:
        file["features"] = np.ones((n_patches, 1024), dtype=np.float16)
        coords = file.create_dataset("coords", data=CELLS[:n_patches] * 512)
        coords.attrs.update({"patch_size_level0": 512, "level0_magnification": 40, "target_magnification": 20})


def run(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str]:
    code = main([str(each) for each in arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_a_folder_of_trident(tmp_path: Path, capsys: pytest.CaptureFixture):
    folder = tmp_path / "job" / "20x_256px_0px_overlap" / "features_uni_v1"
    for name, n_patches in (("a", 30), ("b", 12), ("c", 6)):
        write_trident(folder, name, n_patches)
    with h5py.File(tmp_path / "job" / "x_patches.h5", "w") as file:
        file["coords"] = CELLS
    patches = folder.parent / "patches"
    patches.mkdir()
    (tmp_path / "job" / "x_patches.h5").rename(patches / "a_patches.h5")
    code, text = run(capsys, tmp_path / "job")
    assert code == 0
    lines = [line.strip() for line in text.splitlines()]
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert lines == [
        f"{folder}: 3 files, 3 readable slides, {size / 1e3:.0f} kB",
        "format       .h5 of TRIDENT (encoder uni_v1) (3)",
        "width        1,024 (3): can be UNI, ResNet-50 cut after its third block (CLAM), Phikon-v2, MUSK, GPFM, "
        "Hibou-L or Kaiko ViT-L, among others",
        "numbers      float16 (3)",
        "patches      6 to 30 in a slide, median 12; 48 in all",
        "coordinates  in 3 of 3 files",
        "patch size   512 level-0 pixels by attribute patch_size_level0 (3)",
        "values       not read; --values looks for NaN and infinity",
        "",
        "problems: none",
    ]


def test_a_file_of_stamp(tmp_path: Path, capsys: pytest.CaptureFixture):
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file["feats"], file["coords"] = np.ones((30, 512), dtype=np.float16), CELLS * 256.0
        file.attrs.update({"unit": "um", "tile_size_um": 256.0, "extractor": "conch", "stamp_version": "2.2.0"})
    code, text = run(capsys, path)
    assert code == 0
    assert "format       .h5, written by STAMP 2.2.0 (encoder conch)" in text
    assert "features     30 patches x 512, float16" in text
    assert "width        512: can be CONCH or PLIP, among others" in text
    assert "coordinates  micrometres, x 0 to 1,280, y 0 to 1,024, 256 apart" in text
    assert "patch size   256 micrometres by attribute tile_size_um, coordinates in micrometres" in text


def test_the_physical_size_of_a_patch(tmp_path: Path, capsys: pytest.CaptureFixture):
    attributes = {"patch_size_level0": 512.0, "mpp": 0.25}
    write_slide(tmp_path / "s.h5", torch.ones(30, 6), torch.from_numpy(CELLS) * 512, attributes)
    _, text = run(capsys, tmp_path / "s.h5")
    assert "patch size   512 level-0 pixels = 128 micrometres by attribute patch_size_level0" in text
    assert "no encoder of this width is known here" in text


def test_problems_are_listed_with_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture):
    coords = torch.from_numpy(CELLS) * 512
    for name in ("a", "b", "c"):
        write_slide(tmp_path / f"{name}.pt", torch.ones(30, 6), coords)
    write_slide(tmp_path / "d.pt", torch.ones(4, 8), torch.tensor([[0, 0], [0, 0], [0, 0], [-5, 1]]))
    write_slide(tmp_path / "e.pt", torch.ones(1, 6))
    (tmp_path / "f.h5").write_bytes(b"no HDF5 at all")
    np.save(tmp_path / "a.svs.npy", np.full((9, 6), np.nan, dtype=np.float32))
    code, text = run(capsys, tmp_path)
    assert code == 1
    assert "7 files, 5 readable slides" in text
    assert "f.h5 cannot be read as HDF5" in text
    assert "d.pt: 2 patches of 4 at the position of another: extracted twice?" in text
    assert "d.pt: 1 patch of 4 at a negative position" in text
    assert "e.pt: one patch only" in text
    assert "2 files of 6 without coordinates, such as a.svs.npy" in text
    assert "1 file unlike the others: d.pt of width 8, where 5 of 6 have 6" in text
    assert "1 slide in more than one file, such as a in" in text
    assert "NaN" not in text.split("problems:")[1]
    _, text = run(capsys, tmp_path, "--values")
    assert "9 of 9 rows of" in text.split("problems:")[1]
    assert "values       all finite in 5 of 7 files" in text


def test_values_that_are_all_finite(tmp_path: Path, capsys: pytest.CaptureFixture):
    for name in ("a", "b"):
        write_slide(tmp_path / f"{name}.pt", torch.arange(180.0).view(30, 6), torch.from_numpy(CELLS) * 512)
    code, text = run(capsys, tmp_path, "--values")
    assert (code, text.splitlines()[-3:]) == (0, ["  values       all finite in 2 of 2 files", "", "problems: none"])
    code, text = run(capsys, tmp_path / "a.pt", "--values")
    assert (code, text.splitlines()[-3:]) == (0, ["  values       all finite", "", "problems: none"])


def test_values_that_were_not_written(tmp_path: Path, capsys: pytest.CaptureFixture):
    features = torch.arange(180.0).view(30, 6)
    features[20:] = 0
    write_slide(tmp_path / "a.pt", features, torch.zeros(30, 2))
    code, text = run(capsys, tmp_path / "a.pt", "--values")
    assert code == 1
    assert f"{tmp_path / 'a.pt'}: 10 of 30 rows that are 0: were all features written, or are these background?" in text
    assert "29 patches of 30 at the position of another: extracted twice?" in text
    assert "10 of 30" not in run(capsys, tmp_path / "a.pt")[1]  # values are not read


def test_a_size_that_is_taken_from_the_spacing_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture):
    write_slide(tmp_path / "a.pt", torch.zeros(30, 6), torch.from_numpy(CELLS) * 512)
    lines = run(capsys, tmp_path / "a.pt")[1].splitlines()
    at = lines.index("  patch size   512 level-0 pixels by spacing of the patches")
    assert lines[at + 1].startswith("               the size of a patch is taken from their spacing (512 apart), since")


def test_slides_of_two_folders_and_patches_of_two_sizes(tmp_path: Path, capsys: pytest.CaptureFixture):
    coords = torch.from_numpy(CELLS) * 512
    for place in ("one", "two"):
        for name in ("a", "b"):
            (tmp_path / place).mkdir(exist_ok=True)
            attributes = {"patch_size_level0": 512.0, "mpp": 0.25 if name == "a" or place == "one" else 0.5}
            write_slide(tmp_path / place / f"{name}.pt", torch.ones(30, 6), coords, attributes)
    code, text = run(capsys, tmp_path / "one", tmp_path / "two")
    assert code == 1
    one, two = tmp_path / "one" / "a.pt", tmp_path / "two" / "a.pt"
    assert f"2 slides in more than one file, such as a in {one} and {two}: give --features_dir the folders" in text
    assert "1 file unlike the others: b.pt with patches of 256 micrometres, where 1 of 2 have 128 micrometres" in text


def test_only_the_first_ten_problems_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture):
    for number in range(14):
        (tmp_path / f"{number}.pt").write_bytes(b"")
    code, text = run(capsys, tmp_path)
    assert code == 1
    assert text.splitlines()[0] == f"{tmp_path}: 14 files, 0 readable slides, 0 kB"
    assert text.count("is an empty file") == 10
    assert "... and 4 more" in text


def test_a_path_that_does_not_exist_or_holds_nothing_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "uni").mkdir()
    code, text = run(capsys, tmp_path / "uno")
    assert code == 2
    assert f"{tmp_path}/uno does not exist (is {tmp_path}/uni meant?)" in text
    code, text = run(capsys, tmp_path)
    assert code == 2
    assert "holds no feature file, and neither do the folders in it" in text
    (tmp_path / "n.txt").write_text("x")
    code, text = run(capsys, tmp_path / "n.txt")
    assert code == 1
    assert "does not end in .pt, .h5, .npy, .npz, .safetensors" in text
