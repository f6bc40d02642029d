from __future__ import annotations

import pytest

from benchmarks import threads
from benchmarks.threads import Way, ways_of


def test_one_thread_waits_for_none():
    assert ways_of([1, 2], ["sleeping", "spinning"]) == [Way(1, "sleeping"), Way(2, "sleeping"), Way(2, "spinning")]


@pytest.mark.slow  # its processes import torch
def test_every_call_is_timed_in_every_way(capsys):
    small = ["--patches", "20", "--dim", "8", "--embed_dim", "16", "--threads", "1", "2", "--waiting", "sleeping"]
    arguments = [*small, "--models", "abmil", "--seconds", "0.01", "--turns", "1", "--busy", "1"]
    assert threads.main(threads.get_args_parser().parse_args(arguments)) == 0
    table = capsys.readouterr().out.split("\n\n")[-1].splitlines()
    header, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in (table[0], *table[2:]))
    assert header == ["model", "form", "what", "patches", "1 thread", "2 threads, sleeping"]
    assert [row[:4] for row in rows] == [["abmil", "", what, "20"] for what in ("training step", "prediction")]
    for row in rows:
        for cell in row[4:]:
            fastest, median, cpu = map(float, cell.split(" / "))
            assert 0 < fastest <= median
            assert cpu > 0
