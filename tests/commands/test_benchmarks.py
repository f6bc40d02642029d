from __future__ import annotations

import re

import h5py
import numpy as np
import torch

from benchmarks import clustering, reading, training_step
from datasets.features import read_slide
from models import MODELS


def test_every_model_is_timed(capsys):
    small = ["--patches", "20", "--dim", "8", "--repeats", "1", "--device", "cpu"]
    assert training_step.main(training_step.get_args_parser().parse_args(small)) == 0
    out = capsys.readouterr().out
    assert "M = 20, D = 8" in out
    for name in MODELS:
        assert f"| {name} " in out


def test_every_format_is_timed(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    small = ["--patches", "300", "--dim", "8", "--rows", "5", "--repeats", "1"]
    assert reading.main(reading.get_args_parser().parse_args(small)) == 0
    header, _, *rows = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert "| of read() | of readinto() |" in header
    assert len(rows) == 2 * 9
    for name in (".pt", ".h5, contiguous", ".h5, chunks of one row", "kept in memory", "5 rows of .pt"):
        assert sum(f"| {name} " in row for row in rows) == 2
    assert list(tmp_path.iterdir()) == []


def test_all_that_is_timed_reads_the_same_slide(tmp_path):
    features, sampled = torch.randn(600, 4).half(), np.array([0, 7, 599])
    for timed in reading.readings(tmp_path, features, sampled):
        got = timed.call()
        if "rows" in timed.name:
            assert torch.equal(got, features[sampled])
        else:
            whole = torch.from_numpy(got[0]) if "by h5py" in timed.name else got.features
            assert torch.equal(whole, features)
        assert timed.n_bytes == (3 if "rows" in timed.name else 600) * 8


def test_a_file_is_written_as_clam_does(tmp_path):
    features, coords = np.random.default_rng(0).standard_normal((600, 4)).astype("f4"), np.arange(1200).reshape(600, 2)
    reading.append_h5(tmp_path / "s.h5", features, coords)
    with h5py.File(tmp_path / "s.h5") as file:
        assert (file["features"].chunks, file["features"].maxshape) == ((1, 4), (None, 4))
        assert (file["coords"].chunks, file["coords"].maxshape) == ((1, 2), (None, 2))
    slide = read_slide(tmp_path / "s.h5")
    assert torch.equal(slide.features, torch.from_numpy(features))
    assert torch.equal(slide.coords, torch.from_numpy(coords))


def test_clustering_is_compared_and_the_command_measured(capsys):
    small = ["--points", "160", "--slide", "90", "--dim", "8", "--clusters", "4", "--seeds", "1"]
    cohorts = ["--slides", "2", "--exponents", "--slide_counts", "1", "2"]
    assert clustering.main(clustering.get_args_parser().parse_args([*small, *cohorts])) == 0
    out = capsys.readouterr().out
    for points in ("90, a slide", "160, a data set"):
        for name in ("utils.kmeans", "faiss.Kmeans, all points", "MiniBatchKMeans", "KMeans"):
            assert re.search(rf"\| {points} +\| {name} ", out), out
    assert re.search(r"data-set anchors: [\d.]+ s to read the samples, [\d.]+ s of k-means, 0\.\d+ GB at the peak", out)
    assert out.count("exponent") == 3
