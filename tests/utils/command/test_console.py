"""What a command says on the terminal: its own lines from info on, those of packages from warning on."""

from __future__ import annotations

import logging

import pytest

from utils.command.console import log_to_terminal


@pytest.fixture
def terminal():
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    log_to_terminal()
    yield
    root.handlers, root.level = handlers, level


def test_packages_are_heard_when_something_is_wrong(terminal, capsys):
    for name in ("main", "run_clustering", "utils.training.training", "datasets.bags"):
        logging.getLogger(name).info("said by %s", name)
    logging.getLogger("faiss.loader").info("Loading faiss.")
    logging.getLogger("some.package").warning("is old")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        *("said by main", "said by run_clustering", "said by utils.training.training", "said by datasets.bags"),
        "is old",
    ]
