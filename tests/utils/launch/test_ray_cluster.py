"""What pieces take of the nodes of a cluster, and what is wrong with it."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from utils.command.launch_options import LaunchOptions
from utils.errors import UserError
from utils.launch.ray_cluster import Share, join_ray, room_for, share_of_cluster

CPUS = [{"CPU": 8.0, "memory": 1.0}, {"CPU": 3.0}, {"memory": 1.0}]
GPUS = [{"CPU": 64.0, "GPU": 8.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 16.0}]


def options(**given: Any) -> LaunchOptions:
    return LaunchOptions(launcher="ray", ray_address="auto", **given)


@pytest.mark.parametrize(
    ("given", "device", "nodes", "share", "room"),
    [
        ({}, "auto", CPUS, Share(1, 0.0), 11),
        ({"ray_cpus": 2}, "cpu", CPUS, Share(2, 0.0), 5),
        ({}, "auto", GPUS, Share(1, 1.0), 9),
        ({"jobs_per_gpu": 2, "ray_cpus": 4}, "auto", GPUS, Share(4, 0.5), 17),
        ({"jobs_per_gpu": 7}, "cuda", GPUS, Share(1, 0.1428), 60),  # 56 on eight GPUs, 4 CPUs beside the other
        ({"gpus": ("all",), "jobs_per_gpu": 3}, "auto", GPUS, Share(1, 0.3333), 27),
        ({"gpus": ("cpu",)}, "auto", GPUS, Share(1, 0.0), 84),
        ({"jobs": 5}, "auto", GPUS, Share(1, 0.0), 84),
        ({}, "cpu", GPUS, Share(1, 0.0), 84),
    ],
)
def test_what_a_piece_takes(given: dict, device: str, nodes: list, share: Share, room: int):
    assert share_of_cluster(options(**given), device, nodes) == share
    assert share.device == ("cuda" if share.gpu else "cpu")
    assert room_for(share, nodes) == room


@pytest.mark.parametrize(
    ("given", "device", "nodes", "words"),
    [
        ({"gpus": ("all",)}, "auto", CPUS, "no node of the Ray cluster has one: give --gpus cpu"),
        ({"jobs_per_gpu": 2}, "cpu", GPUS, "got --device cpu and options for GPUs, expected one of them"),
        ({"gpus": ("cpu",)}, "cuda", GPUS, "got --device cuda and options for GPUs, expected one of them"),
        ({}, "cuda:1", GPUS, "got --device cuda:1 with --ray_address, where Ray chooses the GPU: expected cuda"),
        ({"ray_cpus": 9}, "auto", CPUS, "no node of the Ray cluster has 9 CPUs for a piece: give fewer by --ray_cpus"),
        ({"ray_cpus": 65}, "cuda", GPUS, "no node of the Ray cluster has 65 CPUs and a GPU for a piece"),
        ({}, "auto", [], "no node of the Ray cluster has 1 CPUs"),
    ],
)
def test_what_does_not_go_together(given: dict, device: str, nodes: list, words: str):
    with pytest.raises(UserError, match=words):
        share_of_cluster(options(**given), device, nodes)


def test_an_address_at_which_no_cluster_answers():
    """In a moment: Ray itself tries for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(UserError, match=rf"got --ray_address 127\.0\.0\.1:{port}, and no cluster of Ray can be joined"):
        join_ray(f"127.0.0.1:{port}")
