"""Folders of other tools, and what is said where no feature file is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.slides.slide_files import find_slides
from utils.errors import UserError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_all_formats_are_slides_and_an_index_of_slideflow_is_none(tmp_path: Path):
    touch(
        tmp_path, "a.pt", "a.index.npz", "b.h5", "b.index.npy", "c.npy", "d.npz", "e.safetensors", "f.csv", "g.svs.h5"
    )
    assert list(find_slides([tmp_path])) == ["a", "b", "c", "d", "e", "g"]


def test_letter_case_of_an_ending_does_not_matter(tmp_path: Path):
    touch(tmp_path, "a.PT", "a.INDEX.NPZ", "b.svs.H5", "c.Npy")
    assert {slide: path.name for slide, path in find_slides([tmp_path]).items()} == {
        "a": "a.PT",
        "b": "b.svs.H5",
        "c": "c.Npy",
    }


def test_a_slide_with_and_without_the_ending_of_its_image_is_one_slide(tmp_path: Path):
    touch(tmp_path, "a.h5", "a.SVS.npy")
    with pytest.raises(UserError, match=r"slide a is in two files, .*a\.SVS\.npy and .*a\.h5"):
        find_slides([tmp_path])


def test_slide_ids_have_composed_letters_and_single_blanks(tmp_path: Path):
    touch(tmp_path, "Mu\u0308  1.pt")
    assert find_slides([tmp_path]) == {"Mü 1": tmp_path / "Mu\u0308  1.pt"}
    touch(tmp_path, "Mü 1.h5")
    with pytest.raises(UserError, match="slide Mü 1 is in two files"):
        find_slides([tmp_path])


def test_the_one_encoder_of_a_trident_folder_is_searched(tmp_path: Path):
    touch(tmp_path, "patches/a_patches.h5", "features_uni_v1/a.h5", "slide_features_titan/a.h5")
    assert find_slides([tmp_path]) == {"a": tmp_path / "features_uni_v1/a.h5"}
    assert list(find_slides([tmp_path, tmp_path / "features_uni_v1"])) == ["a"]
    touch(tmp_path, "b.h5")
    assert list(find_slides([tmp_path])) == ["b"]  # the folder itself comes first


def test_folders_with_features_are_named_where_a_choice_is_left(tmp_path: Path):
    touch(tmp_path, "20x/features_uni_v1/a.h5", "20x/features_conch_v15/a.h5", "20x/.tmp/a.h5", "logs/n.txt")
    for given in (tmp_path, tmp_path / "20x"):
        with pytest.raises(UserError) as caught:
            find_slides([given])
        expected = f"it holds {tmp_path}/20x/features_conch_v15 and {tmp_path}/20x/features_uni_v1: give one of these"
        assert expected in str(caught.value)


def test_the_nearest_name_of_a_missing_directory_is_named(tmp_path: Path):
    (tmp_path / "conch_v15").mkdir()
    with pytest.raises(UserError, match=r"conch_v5 does not exist \(is .*conch_v15 meant\?\)"):
        find_slides([tmp_path / "conch_v5"])
    with pytest.raises(UserError, match=r"other does not exist: give"):
        find_slides([tmp_path / "other"])
    with pytest.raises(UserError, match=r"place does not exist: give"):
        find_slides([tmp_path / "no" / "place"])
