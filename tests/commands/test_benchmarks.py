from __future__ import annotations

from benchmarks.training_step import get_args_parser, main
from models import MODELS


def test_every_model_is_timed(capsys):
    small = ["--patches", "20", "--dim", "8", "--repeats", "1", "--device", "cpu"]
    assert main(get_args_parser().parse_args(small)) == 0
    out = capsys.readouterr().out
    assert "M = 20, D = 8" in out
    for name in MODELS:
        assert f"| {name} " in out
