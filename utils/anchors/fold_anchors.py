"""The anchors of one fold, as `--anchors` names them: a file, a directory, or random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from utils.anchors.anchor_files import Provenance, provenance_path, read_anchors, read_provenance
from utils.anchors.feature_norm import FeatureNorm
from utils.command.settings import RANDOM
from utils.errors import UserError
from utils.files.named_file import named_file
from utils.files.provenance import changed_values, digest


@dataclass(frozen=True)
class FoldAnchors:
    """The anchors of one fold.

    Attributes:
        feature_norm: the scale of the features that they were fitted on; the model's features get the same.
        dataset: (K, D) data-set anchors, the start of the learnable ones; None otherwise.
        read_slide: maps a slide id to its own anchors (K, D); None otherwise.
        digest: SHA-256 of the file or directory, or `random`.
        warnings: what a reader of the results should know.
    """

    feature_norm: FeatureNorm
    dataset: Tensor | None = None
    read_slide: Callable[[str], Tensor] | None = None
    digest: str = RANDOM
    warnings: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """`dataset`, `slide`, or `random` where there are none that were fitted."""
        if self.read_slide is not None:
            return "slide"
        return RANDOM if self.dataset is None else "dataset"


def load_fold_anchors(
    anchors: str,
    fold: int,
    slides: Mapping[str, Sequence[str]],
    fingerprints: Mapping[str, str],
    *,
    n_clusters: int | None,
    dim_in: int,
) -> FoldAnchors:
    """Read and check the anchors of a fold.

    Args:
        anchors: a file (data-set anchors) or a directory (slide anchors); `{fold}` stands for the number of the fold.
        fold: that number.
        slides: slide ids of `train`, `val` and `test`.
        fingerprints: of the features of these slides; anchors that were fitted on others are warned of.
        n_clusters: K; None takes any.
        dim_in: D.

    Raises:
        UserError: for anchors, or a scale of features, that are missing or of another shape; all slide anchors are
            looked at here.
    """
    source = Path(anchors.replace("{fold}", str(fold)))
    provenance = read_provenance(source)
    mean = provenance.feature_norm.mean
    if mean is not None and len(mean) != dim_in:
        raise UserError(
            f"{provenance_path(source)} holds a zscore of {len(mean)} features, but the features have width {dim_in}: "
            "fit the anchors on these features"
        )
    changed = _other_features(provenance, source, fingerprints)
    if not source.is_dir():
        dataset = read_anchors(source, n_clusters, dim_in)
        warnings = (*changed, *_leaks(provenance, source, fold, slides))
        return FoldAnchors(provenance.feature_norm, dataset=dataset, digest=digest(source), warnings=warnings)

    def read_slide(slide_id: str) -> Tensor:
        return read_anchors(named_file(source, f"{slide_id}.pt"), n_clusters, dim_in)

    for slide_ids in slides.values():
        for slide_id in slide_ids:
            read_slide(slide_id)
    # Each slide's centroids are its own; what can leak is the scale of the features that they were fitted on.
    leaks = _leaks(provenance, source, fold, slides) if mean is not None else ()
    warnings = (*changed, *leaks)
    return FoldAnchors(provenance.feature_norm, read_slide=read_slide, digest=digest(source), warnings=warnings)


def _other_features(provenance: Provenance, source: Path, fingerprints: Mapping[str, str]) -> tuple[str, ...]:
    """A warning if anchors were fitted on other features of the same slides: of another encoder, or precision."""
    changed = changed_values(provenance.record.get("features", {}), fingerprints)
    if not changed:
        return ()
    return (f"the anchors {source} were fitted on other features of {len(changed)} slides ({', '.join(changed[:3])})",)


def _leaks(provenance: Provenance, source: Path, fold: int, slides: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A warning if data-set anchors were fitted on validation or test slides of this fold, or nobody can tell."""
    if not provenance.record:
        return (f"nothing beside {source} says which slides its anchors were fitted on; test slides may be among them",)
    fitted_on = provenance.slides
    val, test = (len(fitted_on.intersection(slides[part])) for part in ("val", "test"))
    if not val and not test:
        return ()
    return (
        f"the anchors of fold {fold} were fitted on {val} of its validation and {test} of its test slides "
        "(run_clustering.py --fold_csv fits on training slides only)",
    )
