"""Locks: one owner, told by name; gone with its owner; lost when taken away."""

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
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.files import locks
from utils.files.atomic import write_text
from utils.files.locks import HeldError, Lock, check_free, check_owned, lock_path, locked, locked_in_turn

ROOT = Path(__file__).parents[3]
HOLD = """
import sys, time
from pathlib import Path
from utils.files.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder(target: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(target)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def stop(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def record_of(target: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads(lock_path(target).read_text())
    return content


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path):
    target = tmp_path / "fold0"
    process = start_holder(target)
    try:
        record = record_of(target)
        assert record["process"] == process.pid
        said = f"process {process.pid} on {record['host']}, since {record['started']}"
        for attempt in (lambda: Lock(target).acquire(), lambda: check_free([target])):
            with pytest.raises(HeldError) as error:
                attempt()
            assert str(error.value) == (
                f"{target} is being written by {said}: wait until it is done, stop it, or write to another place"
            )
    finally:
        stop(process)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_ends_with_its_owner(tmp_path: Path, how: signal.Signals):
    process = start_holder(tmp_path / "fold0")
    process.send_signal(how)
    process.communicate()
    assert lock_path(tmp_path / "fold0").exists()  # left behind, and held by nobody
    check_free([tmp_path / "fold0"])
    with locked(tmp_path / "fold0"):
        assert record_of(tmp_path / "fold0")["process"] == os.getpid()
    assert not list(tmp_path.iterdir())


def test_the_folders_made_for_a_lock_go_with_it_unless_something_is_in_them(tmp_path: Path):
    with locked(tmp_path / "a/b/fold0"):
        assert lock_path(tmp_path / "a/b/fold0").exists()
    assert not (tmp_path / "a").exists()
    with locked(tmp_path / "a/b/fold0"):
        write_text(tmp_path / "a/kept.txt", "kept")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "kept.txt"]


def test_targets_beside_each_other_are_free(tmp_path: Path):
    with locked(tmp_path / "fold0", tmp_path / "fold1"):
        check_free([tmp_path / "fold2"])
        with pytest.raises(HeldError, match="fold1"):
            check_free([tmp_path / "fold2", tmp_path / "fold1"])
        with pytest.raises(HeldError, match="fold0"), locked(tmp_path / "fold3", tmp_path / "fold0"):
            pass
        check_free([tmp_path / "fold3"])  # what was taken before the refusal was given back


def test_looking_leaves_nothing(tmp_path: Path):
    check_free([tmp_path / "no/fold0"])
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        UserError, match=r"cannot write to .*file/run \(Not a directory\): a part of the path is a file"
    ):
        Lock(tmp_path / "file/run/fold0").acquire()


@pytest.mark.parametrize("loss", ["removed", "replaced", "moved away"])
def test_nothing_is_written_into_a_place_that_was_lost(tmp_path: Path, loss: str):
    run = tmp_path / "run"
    lock = Lock(run / "fold0")
    lock.acquire()
    write_text(run / "fold0/log.csv", "1")
    if loss == "removed":
        (run / "fold0/log.csv").unlink()
        (run / "fold0").rmdir()
        lock_path(run / "fold0").unlink()
        run.rmdir()
    elif loss == "moved away":
        run.rename(tmp_path / "elsewhere")
    else:
        other = replace(lock._own, process=123, host="node7", token="another")  # type: ignore[type-var]
        lock_path(run / "fold0").unlink()
        lock_path(run / "fold0").write_text(json.dumps(asdict(other)))
    expected = "taken over by process 123 on node7" if loss == "replaced" else "was removed or moved away"
    with pytest.raises(UserError, match=expected):
        write_text(run / "fold0/log.csv", "2")
    assert run.exists() == (loss == "replaced")
    check_owned(run / "fold1/log.csv")  # not guarded
    lock.release()
    if loss == "replaced":
        assert record_of(run / "fold0")["token"] == "another"  # not ours to remove
        assert (run / "fold0/log.csv").read_text() == "1"


def test_an_unlocked_place_is_written_by_anybody(tmp_path: Path):
    with locked(tmp_path / "fold0"):
        pass
    write_text(tmp_path / "fold0/log.csv", "1")


def without_flock(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(locks, "_SETTLED_AFTER", 0.01)


def test_without_flock_the_process_in_the_file_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    process = start_holder(tmp_path / "fold0")
    without_flock(monkeypatch)
    with pytest.raises(HeldError, match=f"process {process.pid} on"):
        Lock(tmp_path / "fold0").acquire()
    stop(process)
    with locked(tmp_path / "fold0"):
        assert record_of(tmp_path / "fold0")["process"] == os.getpid()


def write_record_of_another_machine(target: Path) -> None:
    record = {"process": 1, "host": "another-machine", "started": "2026-01-01 00:00:00+00:00", "token": "x"}
    lock_path(target).write_text(json.dumps(record))


def test_the_lock_of_another_machine_that_is_renewed_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "LIVES_WITHIN", 5.0)
    target = tmp_path / "fold0"
    write_record_of_another_machine(target)
    renewal = threading.Timer(0.2, lambda: os.utime(lock_path(target)))
    renewal.start()
    with pytest.raises(HeldError, match="process 1 on another-machine, since 2026-01-01"):
        Lock(target).acquire()
    renewal.join()


def test_the_lock_of_another_machine_that_is_not_renewed_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "LIVES_WITHIN", 0.3)
    write_record_of_another_machine(tmp_path / "fold0")
    with locked(tmp_path / "fold0"):
        assert record_of(tmp_path / "fold0")["process"] == os.getpid()


def test_the_lock_of_another_machine_that_was_not_renewed_for_long_is_taken_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Also of several targets: the folds of a run whose machine went down."""
    targets = [tmp_path / f"fold{number}" for number in range(5)]
    for target in targets:
        write_record_of_another_machine(target)
        long_ago = time.time() - locks.LIVES_WITHIN - 1
        os.utime(lock_path(target), (long_ago, long_ago))
    begin = time.monotonic()
    with caplog.at_level("INFO"), locked(*targets):
        assert record_of(targets[4])["process"] == os.getpid()
    assert time.monotonic() - begin < 5
    assert "waiting" not in caplog.text


def test_a_group_that_shares_a_folder_can_take_the_locks_that_a_member_left(tmp_path: Path):
    before = os.umask(0o002)
    try:
        with locked(tmp_path / "fold0"):
            assert lock_path(tmp_path / "fold0").stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)


def test_a_lock_that_cannot_be_opened_is_named(tmp_path: Path):
    lock_path(tmp_path / "fold0").mkdir()
    with pytest.raises(UserError, match=r"cannot write to .*/\.fold0\.lock \(Is a directory\)"):
        Lock(tmp_path / "fold0").acquire()


def test_giving_a_lock_back_does_not_hide_what_ended_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    lock = Lock(tmp_path / "fold0")
    lock.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        lock.release()
    with locked(tmp_path / "fold0"):  # what was left is held by nobody
        pass


def test_a_lock_is_renewed_while_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lock = Lock(tmp_path / "fold0")
    lock.acquire()
    os.utime(lock.path, (0, 0))
    lock.renew()
    assert time.time() - lock.path.stat().st_mtime < 60
    lock.release()
    lock.renew()  # nothing to renew


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": "x"}', "\x00" * 100, "[" * 4096, '{"process": 1e999}'])
def test_a_damaged_lock_that_nobody_holds_is_taken(tmp_path: Path, content: str):
    lock_path(tmp_path / "fold0").write_text(content)
    with locked(tmp_path / "fold0"):
        assert record_of(tmp_path / "fold0")["process"] == os.getpid()


def test_many_processes_take_a_lock_in_turn(tmp_path: Path):
    """Each adds 1 to a number in a file, 20 times: nothing is lost."""
    work = """
import sys
from pathlib import Path
from utils.files.locks import locked_in_turn
place = Path(sys.argv[1])
for _ in range(20):
    with locked_in_turn(place / "number"):
        path = place / "number"
        path.write_text(str(int(path.read_text()) + 1))
"""
    (tmp_path / "number").write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", work, str(tmp_path)], cwd=ROOT) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert (tmp_path / "number").read_text() == "80"
    assert [path.name for path in tmp_path.iterdir()] == ["number"]


def test_waiting_ends_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(locks, "_PATIENCE", 0.3)
    monkeypatch.setattr(locks, "_TOLD_AFTER", 0.1)
    process = start_holder(tmp_path / "run.json")
    try:
        with caplog.at_level("INFO"), pytest.raises(HeldError), locked_in_turn(tmp_path / "run.json"):
            pass
        assert f"waiting for process {process.pid} on" in caplog.text
    finally:
        stop(process)


@pytest.mark.parametrize("kind", ["a link", "a link to nothing", "a pipe"])
def test_what_is_no_file_is_not_written_as_a_lock(tmp_path: Path, kind: str):
    (tmp_path / "precious").write_text("precious")
    if kind == "a pipe":
        os.mkfifo(lock_path(tmp_path / "fold0"))
    else:
        lock_path(tmp_path / "fold0").symlink_to(tmp_path / ("precious" if kind == "a link" else "nothing"))
    check_free([tmp_path / "fold0"])
    with pytest.raises(UserError, match=r"\.fold0\.lock is a (link|pipe or a device), expected a file"):
        Lock(tmp_path / "fold0").acquire()
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "nothing").exists()
