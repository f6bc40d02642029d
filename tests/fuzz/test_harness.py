"""The harness finds what it is to find, tells faults apart, and makes equal inputs from equal seeds."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from random import Random

import pytest
import torch

from tests.fuzz.archive_mutations import mutate_pickle, mutate_zip
from tests.fuzz.harness import fuzz, keep, replay
from tests.fuzz.mutations import make_input
from tests.fuzz.targets._misbehaving import KINDS
from tests.fuzz.text_mutations import mutate_json, mutate_text

NAME = "_misbehaving"


@pytest.mark.parametrize("first", list(KINDS))
def test_what_no_reader_may_do_is_found(first: bytes, tmp_path: Path):
    """With the line that did it, and the inputs after it are read by another process."""
    files = [tmp_path / "1", tmp_path / "2", tmp_path / "3"]
    for path, content in zip(files, (b"fine", first + b"?", b"U"), strict=True):
        path.write_bytes(content)
    result = replay(NAME, files, slowest=0.2 if first == b"H" else 20)
    ((finding, data),) = result.findings.values()
    assert (finding.kind, data, finding.number) == (KINDS[first], first + b"?", 1)
    assert first == b"Q" or finding.where.startswith("tests/fuzz/targets/_misbehaving.py:")
    assert (result.tried, result.refused) == (3, 1)


def test_of_one_fault_the_smallest_input_is_kept(tmp_path: Path):
    files = [tmp_path / "1", tmp_path / "2"]
    for path, content in zip(files, (b"E" * 9, b"E"), strict=True):
        path.write_bytes(content)
    result = replay(NAME, files)
    assert result.repeated == 2
    (path,) = keep(result, tmp_path / "kept")
    assert path.read_bytes() == b"E"
    assert "ZeroDivisionError" in path.with_name(f"{path.name}.txt").read_text()


def test_a_run_over_damaged_files(tmp_path: Path):
    result = fuzz(NAME, inputs=60, seed=3, processes=2, slowest=0.2)
    assert result.tried == 60


def test_equal_seeds_make_equal_inputs_and_others_do_not():
    valid = [b"a,b\n1,2\n3,4\n", b'{"a": [1, 2.5], "b": {"c": null}}', zip_of({"x/data.pkl": b"abc", "x/1": b"1" * 40})]
    inputs = [make_input(valid, 0, number) for number in range(300)]
    assert inputs == [make_input(valid, 0, number) for number in range(300)]
    assert inputs != [make_input(valid, 1, number) for number in range(300)]
    assert len(set(inputs)) > 250


def zip_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_members_of_archives_are_damaged_behind_a_right_checksum():
    data, readable = zip_of({"x/data.pkl": b"abc" * 20, "x/data/0": b"1" * 40}), 0
    for seed in range(60):
        changed = mutate_zip(data, Random(seed), lambda content, rng: content + b"!")
        assert changed is not None
        try:
            with zipfile.ZipFile(io.BytesIO(changed)) as archive:
                readable += archive.testzip() is None
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
            continue  # a record of the directory was changed
    assert readable > 30


def test_numbers_within_a_pickle_of_torch_become_others(tmp_path: Path):
    torch.save(torch.zeros(3, 4), tmp_path / "t.pt")
    with zipfile.ZipFile(tmp_path / "t.pt") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        data = archive.read(name)
    changed = {mutate_pickle(data, Random(seed), lambda content, rng: content) for seed in range(40)}
    assert None not in changed
    assert len(changed) > 20


def test_text_and_json():
    assert mutate_text(b"\xff\xfe\0", Random(0)) is None
    assert mutate_json(b"no json", Random(0)) is None
    data = b'{"a": [1, 2.5], "b": {"c": null}}'
    assert len({mutate_json(data, Random(seed)) for seed in range(80)}) > 40
