"""Every reader: its valid files are read, every input that once was a finding is none, and damaged files find nothing.

`python -m tests.fuzz --reader all --seconds 600` is the long version.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.harness import Result, fuzz, import_once, replay, seed_files
from tests.fuzz.target import CORPUS, load_target, target_names

NAMES = target_names()
INPUTS = 200


@pytest.fixture(scope="module", autouse=True)
def _imported_once() -> None:
    import_once(NAMES)


def told(result: Result) -> list[str]:
    return [f"{finding.kind} at {finding.where}\n{finding.told}" for finding, _ in result.findings.values()]


@pytest.mark.parametrize(
    "name", [name if load_target(name).cheap else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_valid_files_are_read(name: str, tmp_path: Path):
    valid = seed_files(load_target(name), tmp_path / "valid")
    result = replay(name, valid)
    assert told(result) == []
    assert result.tried == len(valid)
    assert result.refused < len(valid)  # a table without labels is a valid file of the other task


@pytest.mark.parametrize("name", [name for name in NAMES if load_target(name).corpus()])
def test_what_once_was_a_finding_is_none(name: str):
    corpus = load_target(name).corpus()
    result = replay(name, corpus)
    assert told(result) == []
    assert result.tried == len(corpus)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if load_target(name).cheap])
def test_damaged_files(name: str):
    result = fuzz(name, inputs=INPUTS, with_corpus=False)
    assert told(result) == []
    assert result.tried == INPUTS


def test_the_corpus_belongs_to_targets():
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= set(NAMES)
