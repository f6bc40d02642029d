"""A soak that cannot find anything would always pass: what the comparison, the reader and the moments must see."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.soak.comparison import contents, differences
from tests.soak.kills import Kill, faults, worst_kills
from tests.soak.moments import Moment
from tests.soak.processes import Call, Ended
from tests.soak.reader import check_whole, files_of
from tests.soak.scenarios import Prepared, Scenario

ROOT = Path(__file__).parents[2]
LOG = "epoch,train_loss,seconds\n1,0.5,{}\n"


def results(folder: Path, seconds: float = 1.0, weight: float = 1.0, started: str = "now") -> Path:
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text(LOG.format(seconds))
    torch.save({"model": torch.tensor([weight]), "log": [{"epoch": 1, "seconds": seconds}]}, folder / "last.pt")
    (folder / "run.json").write_text(json.dumps({"started": started, "seed": 1, "settings": {"lr": 0.1}}))
    (folder / "summary.csv").write_text("a,b\n1,2\n")
    return folder


def test_times_are_no_difference(tmp_path: Path):
    reference = contents(results(tmp_path / "a"))
    assert differences(results(tmp_path / "b", seconds=2.0, started="later"), reference) == []


def test_everything_else_is_one(tmp_path: Path):
    reference = contents(results(tmp_path / "a"))
    other = results(tmp_path / "b", weight=1.0000001)
    (other / "summary.csv").unlink()
    (other / ".tmp-1-checkpoint.pt").touch()
    found = differences(other, reference)
    assert found[:2] == ["summary.csv is missing", ".tmp-1-checkpoint.pt was left behind"]
    assert len(found) == 3
    assert found[2].startswith("last.pt differs")


@pytest.mark.parametrize("name", ["last.pt", "run.json", "summary.csv"])
def test_a_file_that_is_cut_off_is_not_whole(tmp_path: Path, name: str):
    folder = results(tmp_path / "a")
    for path in files_of(folder):
        check_whole(path)
    path = folder / name
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises((ValueError, RuntimeError)):
        check_whole(path)


def steps_of(tmp_path: Path, moment: Moment | None) -> tuple[int, list[str], Path]:
    """How a process ends that writes two files, what it changed, and where."""
    folder, log = tmp_path / "folder", tmp_path / "steps"
    folder.mkdir()
    how = None if moment is None else (moment.step, int(moment.signal), moment.torn)
    program = f"""
from pathlib import Path
from tests.soak.moments import Moment, watch
folder, how = Path({str(folder)!r}), {how}
watch(folder, Path({str(log)!r}), None if how is None else Moment(*how))
for name in "ab":
    (folder / "t").write_text("word")
    (folder / "t").rename(folder / name)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    return ended.returncode, log.read_text().splitlines(), folder


def test_the_steps_of_a_process_are_seen(tmp_path: Path):
    assert steps_of(tmp_path, None)[:2] == (0, ["open t", "os.rename a", "open t", "os.rename b"])


def test_a_process_is_killed_before_its_step_with_the_file_cut_in_half(tmp_path: Path):
    status, steps, folder = steps_of(tmp_path, Moment(4, signal.SIGKILL, torn=True))
    assert status == -signal.SIGKILL
    assert len(steps) == 4
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a": "word", "t": "wo"}


@pytest.mark.parametrize(
    ("status", "err", "wrong"),
    [
        (143, "main.py: stopped by SIGTERM; go on", 0),
        (0, "", 0),
        (1, "Traceback ...", 2),
        (143, "", 1),
        (-15, "", 1),
    ],
)
def test_how_a_process_may_end_after_sigterm(status: int, err: str, wrong: int):
    ended = Ended(Call.of("main.py"), status, "", err)
    assert len(faults(ended, Kill(signal.SIGTERM, Moment(1, signal.SIGTERM)))) == wrong


def test_the_worst_moments_are_looked_up_in_the_steps(tmp_path: Path):
    steps = ["os.mkdir results", "open fold0/.tmp-checkpoint.pt", "os.rename fold0/checkpoint.pt", "os.mkdir fold1"]
    scenario = Scenario("any", Call.of("main.py"), Call.of("main.py"))
    kills = worst_kills(Prepared(scenario, tmp_path, {}, steps, 1.0))
    assert [kill.moment.step for kill in kills if kill.moment] == [3, 4]
