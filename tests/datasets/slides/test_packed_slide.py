"""Packs that are not whole, not as they were, or none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.pack.pack_cohort import pack_cohort
from datasets.pack.settings import PackSettings
from datasets.slides.features import find_slides, open_slide, read_header, read_slide
from datasets.slides.pack_folder import SLIDES, TABLE, is_pack
from datasets.slides.pack_table import read_pack_table, table_body, write_pack_table
from datasets.slides.packed_slide import first_line, open_pack
from utils.errors import UserError


@pytest.fixture
def pack(tmp_path: Path, monkeypatch) -> Path:
    """A pack of two slides, 4 x 3 without coords, whose files are gone."""
    monkeypatch.setattr("datasets.pack.pack_cohort._settled", settled)
    monkeypatch.setattr("datasets.slides.feature_index.is_young", lambda state: False)
    features = tmp_path / "features"
    features.mkdir()
    for number, name in enumerate("ab"):
        np.save(features / f"{name}.npy", np.full((4, 3), number, np.float32))
    pack_cohort(PackSettings(features_dir=(features,), output_dir=tmp_path / "pack"))
    for path in features.iterdir():
        path.unlink()
    return tmp_path / "pack"


def settled(paths: dict[str, Path]) -> dict[str, tuple[int, int]]:
    return {name: (path.stat().st_size, path.stat().st_mtime_ns) for name, path in paths.items()}


def test_a_slide_by_its_path(pack):
    assert is_pack(pack)
    assert not is_pack(pack.parent)
    slide = read_slide(pack / "b.packed")
    assert (slide.slide_id, slide.features.tolist(), slide.coords, slide.attributes) == ("b", [[1.0] * 3] * 4, None, {})
    for read in (read_slide, read_header):
        with pytest.raises(UserError, match=r"the pack .*pack does not hold slide c: pack the features again"):
            read(pack / "c.packed")
        with pytest.raises(UserError, match="is no pack: give one"):
            read(pack.parent / "b.packed")


def test_rows_are_not_mapped(pack):
    with open_slide(pack / "b.packed") as slide:
        assert (slide.n_patches, slide.width, slide.dtype) == (4, 3, torch.float32)
        rows = slide.load_rows(np.array([0, 3]))
        assert rows.tolist() == [[1.0] * 3] * 2
        with pytest.raises(ValueError, match=r"within 0\.\.3"):
            slide.load_rows(np.array([4]))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda content: content[:-1], r"slides\.bin has 255 bytes where pack\.csv says 256: if it was cut short"),
        (lambda content: content + b"\0", r"slides\.bin has 257 bytes where pack\.csv says 256"),
        (lambda content: b"", r"slides\.bin does not belong to pack\.csv beside it: copy both files"),
        (lambda content: first_line("0" * 64) + content[128:], r"does not belong to pack\.csv beside it"),
    ],
)
def test_slides_that_are_not_whole(pack, damage, sentence: str):
    path = pack / SLIDES
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=sentence):
        find_slides([pack])


def test_no_slides(pack):
    (pack / SLIDES).unlink()
    with pytest.raises(UserError, match=r"slides\.bin cannot be read \(No such file or directory\)"):
        find_slides([pack])


def test_changed_numbers_are_found_where_values_are_looked_at(pack):
    content = bytearray((pack / SLIDES).read_bytes())
    content[128 + 17] ^= 1  # a row that the fingerprint does not see
    (pack / SLIDES).write_bytes(content)
    read_slide(pack / "a.packed", known_finite=True)
    with pytest.raises(UserError, match=r"slides\.bin does not hold slide a as it was packed \(its digest differs\)"):
        read_slide(pack / "a.packed")
    read_slide(pack / "b.packed")


def test_a_table_that_points_elsewhere(pack):
    """Right digest, wrong places: no memory beyond the file is touched."""
    slides, _ = read_pack_table(pack / TABLE)
    for begin in (-64, 100, 64 * 10**16):
        body = table_body([slides[0]._replace(begin=begin), slides[1]])
        write_pack_table(pack / TABLE, body)
        digest = hashlib.sha256(body).hexdigest()
        (pack / SLIDES).write_bytes(first_line(digest) + (pack / SLIDES).read_bytes()[128:])
        with pytest.raises(UserError, match="pack"):
            open_pack(pack, as_it_is=True)


def test_many_slides_need_no_open_files(pack):
    """A mapping holds a descriptor of its own only as long as somebody has the slide."""
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(50):
        read_slide(pack / "a.packed")
    after = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0
    assert after <= before + 3
