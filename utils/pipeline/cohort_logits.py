"""The logits of a cohort by each fold of a trained run; each slide is read once, and an interrupted call goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datasets.bags import BagDataset
from datasets.batches import BatchReader
from datasets.folds.cases import Case
from datasets.slides.feature_index import FeatureIndex
from utils.anchors.anchor_files import read_anchors, read_provenance
from utils.errors import UserError
from utils.files.named_file import named_file
from utils.files.provenance import digest
from utils.machine.device import resolve_device, resolve_precision
from utils.pipeline.cohort import without_outcome
from utils.pipeline.ensemble import Ensemble, FoldModels, TrainedFold
from utils.pipeline.inputs import batch_reader, warn_of_repetitions
from utils.pipeline.partial_logits import PartialLogits
from utils.pipeline.predict_settings import PredictSettings
from utils.training.engine import Runner, evaluate

AnchorReader = Callable[[str], Tensor]


@dataclass(frozen=True)
class FoldGroup:
    """Folds that read the same files.

    Attributes:
        folds: the models.
        anchors: maps a slide id to its own anchors (K, D); None for a run without slide anchors.
        digest: of these anchors; empty without any.
    """

    folds: tuple[TrainedFold, ...]
    anchors: AnchorReader | None = None
    digest: str = ""


def cohort_logits(
    settings: PredictSettings,
    ensemble: Ensemble,
    groups: Sequence[FoldGroup],
    cases: Sequence[Case],
    paths: Mapping[str, Path],
    prints: Mapping[str, str],
    index: FeatureIndex,
) -> dict[int, Tensor]:
    """{fold: logits (n_cases, C) float32}.

    Args:
        settings: where and how it computes, and whether it goes on with an interrupted call.
        ensemble: the models.
        groups: as of `groups_of_folds`.
        cases: of the cohort.
        paths: the feature file of each slide.
        prints: the fingerprint of each slide's features.
        index: of the feature files.

    Raises:
        UserError: for slides that cannot be read, or predictions that are not finite.
    """
    device = resolve_device(settings.device)
    precision = precision_of(settings, ensemble, device)
    reader = batch_reader(settings.num_workers, device)
    order = _batches(len(cases), int((ensemble.record.get("settings") or {}).get("batch_size", 1)))
    kept = PartialLogits(settings.folder, _digest_of_models(ensemble, precision))
    if settings.resume:
        kept.load()
    logits: dict[int, Tensor] = {}
    try:
        for group in groups:
            runner = Runner(FoldModels(group.folds).to(device), device, precision)
            dataset = BagDataset(
                [without_outcome(case) for case in cases],
                paths,
                read_anchors=group.anchors,
                read=index.read,
            )
            keys = [_key(group, [cases[number] for number in numbers], prints) for numbers in order]
            batches = dict(zip(keys, order, strict=True))
            of_folds = _of_batches(runner, dataset, batches, kept, reader, f"predicting {settings.cohort}")
            logits |= {fold.index: of_folds[position] for position, fold in enumerate(group.folds)}
    finally:
        kept.write()
        index.save()
    warn_of_repetitions(index.found(paths), len(paths), with_coords=False)
    return logits


def precision_of(settings: PredictSettings, ensemble: Ensemble, device: torch.device) -> str:
    """The floating-point precision: what was asked for, else that of the run, but fp32 on the CPU."""
    of_run = str((ensemble.record.get("settings") or {}).get("precision", "auto"))
    asked = settings.precision
    if asked == "auto" and device.type != "cpu":
        asked = of_run
    return resolve_precision(asked, device)


def _of_batches(
    runner: Runner,
    dataset: BagDataset,
    batches: Mapping[str, Sequence[int]],
    kept: PartialLogits,
    reader: BatchReader,
    label: str,
) -> Tensor:
    """Logits (folds, n_cases, C) of the batches {key: numbers of its cases}; those that are kept are not made again."""
    left = {key: numbers for key, numbers in batches.items() if key not in kept.batches}
    evaluated = evaluate(runner, reader(dataset, left.values()), n_batches=len(left), label=label)
    for key, (_, logits) in zip(left, evaluated, strict=True):
        kept.add(key, logits.cpu())
    return torch.cat([kept.batches[key] for key in batches], dim=1)


def groups_of_folds(settings: PredictSettings, ensemble: Ensemble, slide_ids: Iterable[str]) -> list[FoldGroup]:
    """Folds that read the same files, with the anchors of the slides where the run has anchors of each slide.

    Raises:
        UserError: for anchors that are missing, not asked for, damaged, or on another scale than the run's.
    """
    if not ensemble.has_slide_anchors:
        if settings.anchors is not None:
            raise UserError("got --anchors for a run without slide anchors, which takes none: leave it out")
        return [FoldGroup(ensemble.folds)]
    if settings.anchors is None:
        raise UserError(
            f"{ensemble.source} was trained with anchors of each slide: fit those of the cohort with "
            "run_clustering.py --scope slide, and give their directory as --anchors"
        )
    sources: dict[Path, list[TrainedFold]] = {}
    for fold in ensemble.folds:
        sources.setdefault(Path(str(settings.anchors).replace("{fold}", str(fold.index))), []).append(fold)
    groups: list[FoldGroup] = []
    for source, folds in sources.items():
        read = _slide_anchors(source, folds, ensemble.dim_in)
        for slide_id in slide_ids:
            read(slide_id)
        groups.append(FoldGroup(tuple(folds), read, digest(source)))
    return groups


def _slide_anchors(source: Path, folds: Sequence[TrainedFold], dim_in: int) -> AnchorReader:
    if not source.is_dir():
        raise UserError(f"got --anchors {source}, expected the directory of the anchors of each slide")
    kind = read_provenance(source).feature_norm.kind
    model: Any = folds[0].model
    if kind != model.feature_scale.kind:
        raise UserError(
            f"the anchors {source} were fitted with --feature_norm {kind}, those of the run with "
            f"{model.feature_scale.kind}: fit them on the same scale"
        )
    return lambda slide_id: read_anchors(named_file(source, f"{slide_id}.pt"), model.n_anchors, dim_in)


def _batches(n_cases: int, batch_size: int) -> list[range]:
    """Numbers of the cases of each batch, as in testing."""
    return [range(start, min(start + batch_size, n_cases)) for start in range(0, n_cases, batch_size)]


def _key(group: FoldGroup, cases: Sequence[Case], prints: Mapping[str, str]) -> str:
    """A digest of the folds, anchors, slides and features of a batch."""
    content = [str([fold.index for fold in group.folds]), group.digest]
    content += [f"{slide_id} {prints[slide_id]}" for case in cases for slide_id in case.slide_ids]
    content.append(str([len(case.slide_ids) for case in cases]))
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:32]


def _digest_of_models(ensemble: Ensemble, precision: str) -> str:
    """A digest of the weights of all folds, and of the precision."""
    return hashlib.sha256("".join([precision, *(fold.digest() for fold in ensemble.folds)]).encode()).hexdigest()
