"""What HDF5 and the system say is in the message, with what helps against it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from datasets.slides.features import read_slide
from datasets.slides.h5_errors import system_error, told_by_hdf5
from utils.errors import UserError

# As h5py 3.15 raises them.
LOCKED = "Unable to synchronously open file (unable to lock file, errno = {}, error message = 'x')"
OPEN_FOR_WRITE = (
    "Unable to synchronously open file (file is already open for write (may use <h5clear file> to clear file "
    "consistency flags))"
)


def write(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["features"] = np.ones((4, 2), dtype="f4")
    return path


def message_of(error: Exception, path: Path, part: str = "") -> str:
    with pytest.raises(UserError) as caught, told_by_hdf5(path, part):
        raise error
    assert caught.value.__cause__ is error
    return str(caught.value)


def test_a_lock_of_another_program(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    with path.open("rb+") as writer:  # as HDF5 does while another program writes
        fcntl.flock(writer, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(UserError) as caught:
            read_slide(path)
    assert str(caught.value) == (
        f"{path} cannot be read as HDF5 (unable to lock file: Resource temporarily unavailable): wait until the "
        "program that writes it is done"
    )
    assert read_slide(path).features.shape == (4, 2)


def test_a_file_that_another_process_writes(tmp_path: Path):
    path = write(tmp_path / "s.h5")
    program = "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        with pytest.raises(UserError, match=r"s\.h5 cannot be read as HDF5 .*wait until the program that writes it"):
            read_slide(path)
        writer.communicate()
    assert read_slide(path).features.shape == (4, 2)


def test_a_disk_without_locks():
    told = message_of(OSError(errno.ENOLCK, LOCKED.format(errno.ENOLCK)), Path("s.h5"))
    assert "(unable to lock file: No locks available): set HDF5_USE_FILE_LOCKING=FALSE" in told


def test_a_writer_that_was_killed():
    told = message_of(OSError(OPEN_FOR_WRITE), Path("s.h5"))
    assert "already open for write" in told
    assert "wait until the program that writes it is done; if that was killed, extract the slide again" in told


@pytest.mark.parametrize(
    ("number", "said", "advice"),
    [
        (errno.EACCES, "Permission denied", "check the rights"),
        (errno.EIO, "Input/output error", "check the disk"),
        (errno.ESTALE, "Stale file handle", "check the disk"),
        (errno.EMFILE, "Too many open files", "raise the limit on open files"),
    ],
)
def test_what_the_system_says(number: int, said: str, advice: str):
    for error in (OSError(number, "a\nreport"), RuntimeError(f"Can't read (read failed: errno = {number}, bytes = 3)")):
        told = message_of(error, Path("s.h5"))
        assert told.startswith(f"s.h5 cannot be read ({said}): ")
        assert advice in told
        assert "extract" not in told


def test_a_place_where_nothing_can_be_is_damage():
    assert "if it is truncated or damaged" in message_of(OSError(errno.EINVAL, "Invalid argument"), Path("s.h5"))


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), TypeError("x"), OverflowError("x"), IndexError("x")])
def test_whatever_h5py_raises_is_one_error(error: Exception):
    told = message_of(error, Path("s.h5"), "attribute 'mpp': ")
    assert told.startswith("s.h5 cannot be read as HDF5 (attribute 'mpp': ")


def test_an_error_of_ours_passes():
    with pytest.raises(UserError, match=r"^ours$"), told_by_hdf5(Path("s.h5")):
        raise UserError("ours")


def test_the_error_of_the_system_in_a_report():
    found = system_error(RuntimeError("write failed, errno = 28, error message = 'No space left on device'"))
    assert (found.errno, found.strerror) == (errno.ENOSPC, "No space left on device")
    assert system_error(OSError(errno.EIO, "x")).errno == errno.EIO
    assert system_error(RuntimeError("unable to read")) is None


def test_a_file_that_may_not_be_read(tmp_path: Path):
    """With the rights of another user, since root may read all files."""
    path = write(tmp_path / "s.h5")
    path.chmod(0)
    folders = [folder for folder in path.parents if folder.owner() == path.owner() and folder != Path("/")]
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in folders}
    mine = os.geteuid()
    try:
        for folder in folders:
            folder.chmod(modes[folder] | 0o011)
        if mine == 0:
            os.seteuid(65534)
        with pytest.raises(UserError) as caught:
            read_slide(path)
    finally:
        if mine == 0:
            os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
    assert str(caught.value).startswith(f"{path} cannot be read (Permission denied): check the rights")
