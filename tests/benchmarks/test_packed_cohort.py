"""The benchmark of packs reads what it says; but for memory, its processes are calls in this one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import packed_cohort as benchmark
from datasets.pack.__main__ import main as pack
from datasets.slides.features import find_slides, read_slide, write_slide

pytestmark = pytest.mark.slow


@pytest.fixture
def in_this_process(monkeypatch, capsys):
    def child(what: str, features: Path) -> str:
        {benchmark.READ: benchmark.read_all, benchmark.OPEN: benchmark.open_all}[what](features)
        return capsys.readouterr().out.splitlines()[-1]

    def packed(features: Path, folder: Path, *, cold: bool = False) -> tuple[float, float]:
        assert pack(["--features_dir", str(features), "--output_dir", str(folder), "--overwrite"]) == 0
        return 2.0, 1.0

    monkeypatch.setattr(benchmark, "child", child)
    monkeypatch.setattr(benchmark, "packed", packed)


def arguments(*more: object):
    return benchmark.get_args_parser().parse_args(list(map(str, more)))


def test_every_format_is_packed_and_read(tmp_path, in_this_process):
    args = arguments("--slides", 2, "--patches", 20, "--dim", 4)
    packing, reading = benchmark.tables_of_cohort(tmp_path, args)
    assert [row[0] for row in packing[1:]] == [benchmark.NAMES[kind] for kind in ("gzip", "chunks", "pt")]
    assert [row[:2] for row in reading[1:]] == [[name, "warm"] for name in benchmark.NAMES.values() for _ in range(2)]
    slides = [[read_slide(p) for p in find_slides([tmp_path / kind]).values()] for kind in benchmark.NAMES]
    for of_kind in slides:
        for slide, other in zip(of_kind, slides[0], strict=True):
            assert slide.features.equal(other.features)
            assert slide.coords.equal(other.coords)


def test_tiny_slides_are_opened_with_and_without_their_files(tmp_path, in_this_process):
    (rows,) = benchmark.tables_of_tiny(tmp_path, 3)
    assert [row[0] for row in rows[1:]] == [
        *("packed", "files opened", "pack opened, files there", "pack opened, files elsewhere")
    ]
    assert len(find_slides([tmp_path / "pack"])) == 3


def test_processes_that_hold_a_pack_share_it(tmp_path, in_this_process):
    for name in "abc":
        write_slide(tmp_path / "pt" / f"{name}.pt", torch.ones(20_000, 512, dtype=torch.float16))
    benchmark.packed(tmp_path / "pt", tmp_path / "pack")
    of_files, of_pack = (benchmark.memory_of(tmp_path / kind, 2)[1] for kind in ("pt", "pack"))
    n_bytes = 3 * 20_000 * 2 * 512
    assert of_files - of_pack > 1.5 * n_bytes  # twice the cohort, in memory of their own
