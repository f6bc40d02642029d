"""Options of sbatch as words and in files: which are taken, for which jobs, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from utils.errors import UserError
from utils.launch.slurm.options import minutes_of, read_slurm_options


def test_words_and_files_and_jobs_of_one_kind(tmp_path: Path):
    file = tmp_path / "cluster=1.json"
    content = {
        "partition": "gpu",
        "time": 90,
        "mem": "32G",
        "gpus_per_node": 1,
        "exclusive": True,
        "setup": ["module load cuda"],
        "end": {"partition": "cpu", "gpus-per-node": 0, "time": "10:00"},
    }
    file.write_text(json.dumps(content))
    file.rename(tmp_path / "cluster.json")
    options = read_slurm_options([str(tmp_path / "cluster.json"), "mem=16G", "max_num_timeout=5", "comment=a=b"])
    more = {"mem": "16G", "exclusive": True, "comment": "a=b"}
    assert options.of("fold") == {"partition": "gpu", "time": "90", "gpus-per-node": "1", **more}
    assert options.of("end") == {"partition": "cpu", "time": "10:00", "gpus-per-node": "0", **more}
    assert (options.minutes("fold"), options.minutes("end")) == (90, 10)
    assert (options.setup, options.signal_delay, options.max_requeues) == (("module load cuda",), 90, 5)


@pytest.mark.parametrize(
    ("words", "uses"),
    [
        ([], False),
        (["gpus_per_node=1"], True),
        (["gpus=a100:1"], True),
        (["gpus=0"], False),
        (["gres=gpu:1"], True),
        (["gres=disk:1"], False),
    ],
)
def test_whether_folds_have_a_gpu(words: list[str], uses: bool):
    assert read_slurm_options(["time=60", *words]).uses_gpu() == uses


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "got --launcher slurm without a time limit of the jobs, expected one, such as --slurm time=8:00:00"),
        (["time=soon"], "--slurm: got time=soon, expected minutes, or hours as 8:00:00"),
        (["time=0"], "got time=0, expected minutes"),
        (["time=0:30"], "got --slurm time=0:30, expected more than the 90 seconds in which a job saves what it has"),
        (["time=60", "array=1-4"], "got array=1-4, which the launcher sets by itself"),
        (["time=60", "open_mode=truncate"], "got open_mode=truncate, which the launcher sets by itself"),
        (["time=60", "mem=much"], "got mem=much, expected a number with K, M, G or T"),
        (["time=60", "cpus_per_task=0"], "got cpus_per_task=0, expected a whole number"),
        (["time=60", "max_num_timeout=-1"], "got max_num_timeout=-1, expected a whole number"),
        (["time=60", "partition="], "got partition=, expected one line of text"),
        (["time=60", "partition=a\nb"], "expected one line of text"),
        (["time=60", "Partition=a"], "got the option 'Partition', expected a long option of sbatch"),
        (["time=60", "missing.json"], "missing.json: cannot be read"),
    ],
)
def test_what_cannot_be_meant(words: list[str], said: str):
    with pytest.raises(UserError) as error:
        read_slurm_options(words)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"setup": "module load cuda"}, "got setup 'module load cuda', expected a list of lines of bash"),
        ({"end": 5}, "got end 5, expected an object of options for these jobs"),
        ({"end": {"max_num_timeout": 1}}, "got max_num_timeout=1, which the launcher sets by itself"),
        ({"exclusive": False}, "got exclusive=False, expected a value, or true for an option that takes none"),
        ({"partition": ["a"]}, "got partition=['a'], expected one line of text"),
        ([1], "holds list, expected a JSON object"),
    ],
)
def test_what_a_file_cannot_hold(tmp_path: Path, content: object, said: str):
    (tmp_path / "cluster.json").write_text(json.dumps(content))
    with pytest.raises(UserError) as error:
        read_slurm_options(["time=60", str(tmp_path / "cluster.json")])
    assert said in str(error.value)


def test_a_time_that_is_none():
    with pytest.raises(ValueError, match="expected one as sbatch takes it"):
        minutes_of("1:2:3:4")
