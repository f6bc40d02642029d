"""Looking at locks: who holds one, and that looking keeps nobody from taking it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from utils.files.lock_holder import Holder, holder_of
from utils.files.locks import Lock, lock_path, locked

ROOT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from utils.files.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def other_machine(target: Path, *, age: float) -> None:
    record = {"process": 1, "host": "another-machine", "started": "2026-01-01 00:00:00+00:00", "token": "x"}
    lock_path(target).write_text(json.dumps(record))
    os.utime(lock_path(target), (time.time() - age,) * 2)


def test_the_holder_of_a_lock(tmp_path: Path):
    assert holder_of(tmp_path / "fold0") is None
    with locked(tmp_path / "fold0"):
        found = holder_of(tmp_path / "fold0")
        assert found is not None
        assert found.owner is not None
        assert found.owner.process == os.getpid()
        assert holder_of(tmp_path / "fold1") is None
    assert holder_of(tmp_path / "fold0") is None
    assert not list(tmp_path.iterdir())


def test_a_lock_ends_with_its_process_whose_file_stays(tmp_path: Path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "fold0")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        found = holder_of(tmp_path / "fold0")
        assert found is not None
        assert found.owner is not None
        assert found.owner.process == process.pid
        before = lock_path(tmp_path / "fold0").read_bytes()
        process.send_signal(signal.SIGKILL)
    assert holder_of(tmp_path / "fold0") is None
    assert lock_path(tmp_path / "fold0").read_bytes() == before


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_lock_that_does_not_say_yet_who_holds_it(tmp_path: Path, content: str):
    with lock_path(tmp_path / "fold0").open("w") as file:
        file.write(content)
        file.flush()
        assert holder_of(tmp_path / "fold0") is None
        fcntl.flock(file, fcntl.LOCK_EX)
        assert holder_of(tmp_path / "fold0") == Holder(None)


def test_a_link_or_a_folder_is_no_lock(tmp_path: Path):
    lock_path(tmp_path / "fold0").symlink_to(tmp_path)
    lock_path(tmp_path / "fold1").mkdir()
    os.mkfifo(lock_path(tmp_path / "fold2"))
    assert [holder_of(tmp_path / f"fold{k}") for k in range(3)] == [None] * 3


@pytest.mark.parametrize("has_flock", [True, False])
def test_a_process_of_another_machine_lives_while_it_renews_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_flock: bool
):
    if not has_flock:
        refuse_flock(monkeypatch)
    other_machine(tmp_path / "fold0", age=10)
    found = holder_of(tmp_path / "fold0")
    assert found is not None
    assert found.owner is not None
    assert found.owner.host == "another-machine"
    other_machine(tmp_path / "fold0", age=60)
    assert holder_of(tmp_path / "fold0") is None


def test_without_flock_the_process_in_the_file_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with locked(tmp_path / "fold0"):
        refuse_flock(monkeypatch)
        assert holder_of(tmp_path / "fold0") is not None
        record = json.loads(lock_path(tmp_path / "fold0").read_text())
        lock_path(tmp_path / "fold0").write_text(json.dumps({**record, "process": 2**31 - 1}))
        assert holder_of(tmp_path / "fold0") is None
        lock_path(tmp_path / "fold0").write_text(json.dumps(record))


def refuse_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_looking_without_pause_keeps_nobody_from_taking_a_lock(tmp_path: Path):
    """The file of a killed process is there each time: the case in which looking has the lock for a moment."""
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            holder_of(tmp_path / "fold0")

    onlookers = [threading.Thread(target=look) for _ in range(3)]
    for onlooker in onlookers:
        onlooker.start()
    try:
        for _ in range(100):
            lock_path(tmp_path / "fold0").write_text("left behind")
            lock = Lock(tmp_path / "fold0")
            lock.acquire()
            lock.release()
    finally:
        done.set()
        for onlooker in onlookers:
            onlooker.join()
