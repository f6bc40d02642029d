from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
from pathlib import Path

import faiss
import pytest
import torch

from utils.files import provenance
from utils.files.provenance import digest, git_commit, package_versions


@pytest.mark.parametrize("content", [b"", b"abc", b"x" * ((1 << 20) + 7)])
def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path, content: bytes):
    (tmp_path / "file").write_bytes(content)
    assert digest(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_the_digest_of_a_directory_is_that_of_names_and_contents(tmp_path: Path):
    (tmp_path / "b.pt").write_bytes(b"two")
    (tmp_path / "a.pt").write_bytes(b"one")
    (tmp_path / "folder").mkdir()
    one, two = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()
    before = hashlib.sha256(f"{one}  a.pt\n{two}  b.pt\n".encode()).hexdigest()
    assert digest(tmp_path) == before
    (tmp_path / "a.pt").write_bytes(b"One")
    changed = digest(tmp_path)
    (tmp_path / "a.pt").write_bytes(b"one")
    (tmp_path / "a.pt").rename(tmp_path / "c.pt")
    assert len({before, changed, digest(tmp_path)}) == 3


def test_versions_name_python_torch_and_faiss():
    versions = package_versions()
    assert versions["python"] == platform.python_version()
    assert versions["torch"] == torch.__version__
    assert {versions.get("faiss-cpu"), versions.get("faiss-gpu")} - {None} == {faiss.__version__}
    assert "torch-scatter" not in versions or versions["torch-scatter"]


def git(place: Path, *arguments: str) -> str:
    name = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(place), *name, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder laid out as this repository, in which `utils.files.provenance` believes to lie."""
    root = (tmp_path / "checkout").resolve()
    (root / "utils" / "files").mkdir(parents=True)
    shutil.copy(provenance.__file__, root / "utils" / "files" / "provenance.py")
    monkeypatch.setattr(provenance, "__file__", str(root / "utils" / "files" / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.resolve()))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    return root


def test_the_commit_of_a_checkout_and_whether_files_differ(checkout: Path):
    git(checkout, "init", "-q")
    assert git_commit() is None  # no commit yet
    git(checkout, "add", ".")
    git(checkout, "commit", "-q", "-m", "first")
    commit = git(checkout, "rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert git_commit() == {"commit": commit, "modified": False}
    (checkout / "results.csv").touch()
    assert git_commit() == {"commit": commit, "modified": False}  # a result is no change of the code
    with (checkout / "utils" / "files" / "provenance.py").open("a") as file:
        file.write("\n")
    assert git_commit() == {"commit": commit, "modified": True}


def test_there_is_no_commit_outside_a_checkout(checkout: Path):
    assert git_commit() is None


def test_a_copy_inside_another_checkout_does_not_take_its_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    outer = checkout.parent
    monkeypatch.delenv("GIT_CEILING_DIRECTORIES")
    git(outer, "init", "-q")
    git(outer, "add", ".")
    git(outer, "commit", "-q", "-m", "outer")
    assert git_commit() is None


def test_there_is_no_commit_without_git(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    git(checkout, "init", "-q")
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None
