"""How anchors are found, where they go, and what is recorded of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from utils.anchors.anchor_files import dataset_anchors_path, slide_anchors_dir
from utils.anchors.kmeans import KMeans, kmeans
from utils.command.arguments import names_of
from utils.command.clustering_settings import ClusteringSettings
from utils.files.provenance import digest
from utils.pipeline.anchor_sample import Fitting

# faiss's subsample in the released procedure; otherwise all sampled points are used.
RELEASED = {"n_init": 1, "init": "random", "max_points_per_centroid": 256}


@dataclass(frozen=True)
class Clustering:
    """How k-means finds anchors.

    Attributes:
        n_clusters: K.
        seed: of k-means.
        options: further arguments of `utils.anchors.kmeans.kmeans`.
    """

    n_clusters: int
    seed: int
    options: Mapping[str, Any]

    @classmethod
    def of(cls, settings: ClusteringSettings) -> Clustering:
        """The clustering that the settings ask for."""
        starts = RELEASED if settings.preset == "released" else {"n_init": settings.n_init}
        options = {"n_iter": settings.n_iter, "gpu": settings.gpu, **starts}
        return cls(settings.n_clusters, settings.seed, options)

    @property
    def uses_faiss(self) -> bool:
        """Whether faiss iterates: on the GPU, and in the released procedure."""
        return bool(self.options.get("gpu")) or self.options.get("init") == RELEASED["init"]

    def fit(self, points: np.ndarray | torch.Tensor, *, overwrite_x: bool = False) -> KMeans:
        """Cluster points (n, D)."""
        return kmeans(points, self.n_clusters, seed=self.seed, overwrite_x=overwrite_x, **self.options)


@dataclass(frozen=True)
class Target:
    """Where anchors go, and what is recorded of how they were made.

    Attributes:
        output_dir: the directory.
        dataset_name: the stem of the files.
        options: that decide what anchors come out.
        overwrite: fit anchors again that are there.
    """

    output_dir: Path
    dataset_name: str
    options: Mapping[str, Any]
    overwrite: bool

    @classmethod
    def of(cls, settings: ClusteringSettings) -> Target:
        """The target that the settings ask for."""
        options = {name: getattr(settings, name) for name in names_of(ClusteringSettings, "results")}
        return cls(settings.output_dir, settings.dataset_name, options, settings.overwrite)

    def recorded(self, fitting: Fitting) -> dict[str, Any]:
        """The options as recorded; the fold is named by its content, wherever it lies."""
        fold = None if fitting.fold_csv is None else digest(fitting.fold_csv)
        return {"options": {**self.options, "fold_csv_sha256": fold}}


def anchor_places(
    fittings: Sequence[Fitting], scope: str, clustering: Clustering, target: Target, *, by_fold: bool
) -> list[Path]:
    """What a call writes: the files of data-set anchors and the directories of slide anchors.

    Args:
        fittings: one for each fold.
        scope: `both`, `dataset` or `slide`.
        clustering: how anchors are found.
        target: where they go.
        by_fold: whether each fold has slide anchors of its own; else all share those of no fold.
    """
    stem = (target.output_dir, target.dataset_name, clustering.n_clusters)
    folds = [fitting.fold for fitting in fittings]
    files = [dataset_anchors_path(*stem, fold) for fold in folds]
    directories = [slide_anchors_dir(*stem, fold) for fold in (folds if by_fold else [None])]
    return {"both": [*files, *directories], "dataset": files, "slide": directories}[scope]
