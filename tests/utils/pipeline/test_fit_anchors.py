"""What is fitted and recorded of anchors; run_clustering.py as a whole is tested in tests/commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from utils.anchors.kmeans import kmeans
from utils.command.clustering_settings import ClusteringSettings
from utils.files.provenance import digest
from utils.pipeline.anchor_sample import Fitting
from utils.pipeline.clustering import Clustering, Target
from utils.pipeline.slide_anchors import slide_anchors


def settings(place: Path, **changes) -> ClusteringSettings:
    given = {"dataset_name": "D", "input_dir": (place,), "output_dir": place, "n_clusters": 4, **changes}
    return ClusteringSettings(**given)


def test_the_clustering_is_kmeans_with_the_options(tmp_path):
    points = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    own = Clustering.of(settings(tmp_path, n_iter=5, n_init=2, seed=7)).fit(points)
    assert np.array_equal(own.centroids, kmeans(points, 4, n_iter=5, n_init=2, seed=7).centroids)
    released = Clustering.of(settings(tmp_path, preset="released")).fit(points)
    expected = kmeans(points, 4, n_init=1, init="random", max_points_per_centroid=256)
    assert np.array_equal(released.centroids, expected.centroids)


def test_a_slide_with_fewer_patches_than_anchors_repeats_them(tmp_path):
    features = torch.arange(6.0).reshape(3, 2)
    anchors = slide_anchors(Clustering.of(settings(tmp_path)), "s1", features)
    assert np.array_equal(anchors, features[[0, 1, 2, 0]])


def test_the_recorded_options_name_the_fold_by_its_content(tmp_path):
    target = Target.of(settings(tmp_path, seed=7))
    assert target.recorded(Fitting(None, {}))["options"] == {
        "preset": None,
        "n_iter": 20,
        "n_init": 3,
        "seed": 7,
        "max_points": 262144,
        "n_files": None,
        "feature_norm": "none",
        "fold_csv_sha256": None,
    }
    (tmp_path / "fold0.csv").write_text("content")
    fold = target.recorded(Fitting(tmp_path / "fold0.csv", {}))["options"]["fold_csv_sha256"]
    assert fold == digest(tmp_path / "fold0.csv")
