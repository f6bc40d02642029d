"""A server of processes that imports nothing beforehand: these pieces compute nothing."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import forkserver

import pytest

from utils.launch import process


@pytest.fixture
def light_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(process, "PRELOADED", ())
    forkserver._forkserver._stop()
    yield
    forkserver._forkserver._stop()
