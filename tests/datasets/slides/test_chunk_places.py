"""The places of chunks: what was found is found again from the text, and files are read by it as without."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from datasets.slides import h5_chunks, h5_remembered
from datasets.slides.chunk_places import decoded, encoded, places_found, use_places
from datasets.slides.features import read_rows, read_slide, write_slide
from datasets.slides.h5_chunks import Stretches


@pytest.fixture
def appended(tmp_path: Path) -> Path:
    """600 x 4 and their coords, appended in turn in chunks of one row, as CLAM does."""
    rng = np.random.default_rng(0)
    values = {"features": rng.normal(size=(600, 4)).astype(np.float16), "coords": rng.integers(0, 9**5, (600, 2))}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in values.items():
            file.create_dataset(
                name, (0, array.shape[1]), array.dtype, maxshape=(None, None), chunks=(1, array.shape[1])
            )
        for start in range(0, 600, 64):
            for name, array in values.items():
                part = array[start : start + 64]
                file[name].resize(start + len(part), axis=0)
                file[name][start:] = part
    return tmp_path / "a.h5"


@pytest.fixture(autouse=True)
def another_process(monkeypatch):
    """Nothing that was found before is known; the function lets go of it again."""

    def forget() -> None:
        monkeypatch.setattr(h5_remembered, "_found", OrderedDict())

    forget()
    return forget


def test_a_file_is_read_by_places_that_another_process_has_found(appended: Path, another_process, monkeypatch):
    expected, rows = read_slide(appended), np.arange(0, 600, 7)
    text = places_found(appended)
    assert [(name, places.n_rows) for name, places in decoded(text).items()] == [("features", 600), ("coords", 600)]
    assert len(text) < 500
    another_process()
    assert places_found(appended) == ""
    use_places(appended, text)
    assert places_found(appended) == text
    monkeypatch.setattr(h5_chunks, "_chunks_of", refuse)
    slide = read_slide(appended)
    assert torch.equal(slide.features, expected.features)
    assert torch.equal(slide.coords, expected.coords)
    assert torch.equal(read_rows(appended, rows), expected.features[torch.from_numpy(rows)])
    another_process()
    with pytest.raises(AssertionError, match="looked for chunks"):
        read_slide(appended)


def refuse(dataset: h5py.Dataset) -> None:
    raise AssertionError(f"looked for chunks of {dataset.name}")


def test_places_found_by_this_process_are_not_replaced(appended: Path):
    read_slide(appended)
    text = places_found(appended)
    use_places(appended, encoded({"features": Stretches(np.array([0]), np.array([0]), 600)}))
    assert places_found(appended) == text


def test_places_are_those_of_the_file_as_it_is(appended: Path):
    read_slide(appended)
    appended.touch()
    assert places_found(appended) == ""


def test_a_file_in_one_piece_has_none(tmp_path: Path):
    write_slide(tmp_path / "a.h5", torch.ones(3, 4), torch.ones(3, 2))
    read_slide(tmp_path / "a.h5")
    assert places_found(tmp_path / "a.h5") == places_found(tmp_path / "gone.h5") == ""
    text = encoded({"features": Stretches(np.array([0]), np.array([0]), 3)})
    use_places(tmp_path / "gone.h5", text)  # another process may have removed it: reading it says so
    use_places(tmp_path / "a.h5", "")
    assert read_slide(tmp_path / "a.h5").features.sum() == 12


def test_any_stretches_come_back():
    rng = np.random.default_rng(1)
    first = np.array([0, *np.sort(rng.choice(np.arange(1, 10**6), 99, replace=False))])
    stretches = Stretches(first, rng.integers(0, 2**62, 100), 2**40)
    (name, found), (other, single) = decoded(
        encoded({"feats": stretches, "coords": Stretches(np.array([0]), np.array([77]), 1)})
    ).items()
    assert (name, other, found.n_rows) == ("feats", "coords", 2**40)
    assert np.array_equal(found.first, stretches.first)
    assert np.array_equal(found.offset, stretches.offset)
    assert (single.first.tolist(), single.offset.tolist(), single.n_rows) == ([0], [77], 1)
    assert decoded("") == {}


@pytest.mark.parametrize("text", ["features", "features:1:??", "features:x:eJw=", "features:1:eJw="])
def test_another_text(text: str):
    with pytest.raises(ValueError, match=r"no places|not enough values|invalid literal"):
        decoded(text)
