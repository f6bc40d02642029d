from __future__ import annotations

import pytest

from utils.command.launch_options import LaunchOptions, check_launch_options
from utils.errors import UserError


@pytest.mark.parametrize(
    ("options", "launches"),
    [
        ({}, False),
        ({"launcher": "local"}, True),
        ({"gpus": ("all",)}, True),
        ({"gpus": ("0", "2"), "jobs_per_gpu": 2}, True),
        ({"jobs": 1}, True),
        ({"gpus": ("cpu",), "jobs": 2}, True),
        ({"launcher": "slurm", "slurm": ("time=60", "gpus_per_node=1"), "jobs": 8}, True),
        ({"launcher": "ray", "ray_cpus": 4, "ray_retries": 0}, True),
        ({"launcher": "ray", "ray_address": "auto", "gpus": ("all",), "jobs_per_gpu": 2}, True),
        ({"launcher": "ray", "ray_address": "node-1.cluster:6379"}, True),
    ],
)
def test_each_option_asks_for_a_launcher(options: dict, launches: bool):
    made = LaunchOptions(**options)
    check_launch_options(made)
    assert made.launches == launches


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gpus": ()}, "got --gpus , expected all, cpu, or numbers"),
        ({"gpus": ("gpu0",)}, "got --gpus gpu0, expected all, cpu, or numbers"),
        ({"gpus": ("all", "0")}, "got --gpus all 0, expected all, cpu, or numbers"),
        ({"gpus": ("1", "01")}, "got --gpus 1 01, expected each GPU once"),
        ({"jobs": 2, "jobs_per_gpu": 2}, "got --jobs, for the CPU, and --jobs_per_gpu, for GPUs"),
        ({"jobs": 2, "gpus": ("0",)}, "got --jobs 2 with --gpus 0, expected --jobs_per_gpu"),
        ({"jobs_per_gpu": 2, "gpus": ("cpu",)}, "got --jobs_per_gpu 2 with --gpus cpu, expected --jobs"),
        ({"slurm": ("time=60",)}, "got --slurm, expected --launcher slurm with it"),
        ({"launcher": "local", "dry_run": True}, "got --dry_run, expected --launcher slurm with it"),
        (
            {"launcher": "slurm", "slurm": ("time=60",), "gpus": ("0",)},
            "got --gpus with --launcher slurm, where each job",
        ),
        ({"launcher": "slurm", "slurm": ("time=60",), "jobs_per_gpu": 2}, "got --jobs_per_gpu with --launcher slurm"),
        ({"ray_address": "auto"}, "got --ray_address auto, expected --launcher ray with it"),
        ({"launcher": "local", "ray_retries": 0}, "got --ray_retries 0, expected --launcher ray with it"),
        ({"launcher": "ray", "ray_address": "ray://a:1"}, "got --ray_address ray://a:1, expected auto, or HOST:PORT"),
        ({"launcher": "ray", "ray_address": "a:1", "gpus": ("0",)}, "got --gpus 0 with --ray_address, where Ray"),
    ],
)
def test_what_cannot_be_meant(options: dict, words: str):
    with pytest.raises(UserError, match=words):
        check_launch_options(LaunchOptions(**options))
