"""Feature files -> a pack: every slide read once, checked as for a run, and written as it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from datasets.pack.place import check_place, check_room, check_sources
from datasets.pack.settings import PackSettings
from datasets.pack.unfinished_pack import UnfinishedPack
from datasets.slides.feature_index import FeatureIndex
from datasets.slides.features import check_widths, find_slides
from datasets.slides.file_state import State, is_young, state_of
from datasets.slides.pack_folder import TABLE
from datasets.slides.pack_table import PackedSlide
from datasets.slides.packed_slide import Pack, digest_of
from datasets.slides.slide_content import SlideContent
from utils.command.verify_option import CHANGED
from utils.errors import UserError
from utils.files.locks import locked
from utils.files.phrases import counted
from utils.machine.threads import map_in_threads

logger = logging.getLogger(__name__)

_SETTLING = 2.1  # seconds after which the time of a file proves what it is
Packed = tuple[PackedSlide, SlideContent]


def pack_cohort(settings: PackSettings) -> Pack:
    """Pack all slides of the directories of features; what an interrupted call has packed is kept.

    Raises:
        UserError: for features that no run would read, features that change meanwhile, a place that holds something
            else, and a disk without room.
    """
    check_sources(settings.features_dir)
    paths = find_slides(settings.features_dir)
    folders = {path.parent for path in paths.values()}
    check_place(settings.output_dir, [*settings.features_dir, *folders], overwrite=settings.overwrite)
    with locked(settings.output_dir):
        check_place(settings.output_dir, folders, overwrite=settings.overwrite)
        _pack(settings, paths)
    return Pack(settings.output_dir)


def _pack(settings: PackSettings, paths: Mapping[str, Path]) -> None:
    """Write the pack whose folder this process holds."""
    states = _settled(paths)
    index = FeatureIndex(settings.verify, threads=settings.workers)
    slides = index.look_at_all(paths)
    check_widths({paths[slide_id]: slide.width for slide_id, slide in slides.items()})
    check_room(settings.output_dir, slides)
    before = _pack_before(settings)

    def read(slide_id: str) -> Packed:
        known = None if before is None else before.slides.get(slide_id)
        path, state = paths[slide_id], states[slide_id]
        if before is None or known is None or (known.source, known.state) != (path.absolute(), state):
            return _read(path, state, index)
        before.check(known)
        return known, before.content(known)

    try:
        with UnfinishedPack(settings.output_dir) as pack:
            pack.take_up([(path.absolute(), states[slide_id]) for slide_id, path in paths.items()])
            left = list(paths)[len(pack.slides) :]
            if pack.slides:
                logger.info("%s of an interrupted call are kept", counted(len(pack.slides), "slide"))
            results = map_in_threads(read, left, settings.workers)
            for result in tqdm(results, "packing", len(left), leave=False, disable=None, unit="slide"):
                pack.add(*result)
            pack.finish()
    finally:
        index.save()


def _read(path: Path, state: State | None, index: FeatureIndex) -> Packed:
    """A slide as a run reads it.

    Raises:
        UserError: as `read_slide` does, and for a file that is written meanwhile.
    """
    slide = index.read(path)
    known = index.known(path)
    if known is None or known.values is None or known.state != state:
        raise UserError(
            f"{path} was modified while it was packed, or has a time of modification in the future: call the command "
            "again when nobody writes it"
        )
    content = SlideContent(slide.features, slide.coords, slide.attributes)
    row = PackedSlide(
        folder=str(path.parent.absolute()),
        name=path.name,
        size=known.size,
        mtime_ns=known.mtime_ns,
        n_patches=known.n_patches,
        width=known.width,
        dtype=known.dtype,
        fingerprint=known.fingerprint,
        has_coords=slide.coords is not None,
        **known.values._asdict(),
        attributes=slide.attributes,
        begin=0,
        blake2b=digest_of(content),
    )
    return row, content


def _settled(paths: Mapping[str, Path]) -> dict[str, State | None]:
    """The states of the files, None of one that is gone; after a wait where one is too young to prove anything."""
    states = {slide_id: state_of(path) for slide_id, path in paths.items()}
    if any(state is not None and is_young(state) for state in states.values()):
        time.sleep(_SETTLING)
    return states


def _pack_before(settings: PackSettings) -> Pack | None:
    """The pack that is replaced, if its slides can be taken from it."""
    if settings.verify != CHANGED or not (settings.output_dir / TABLE).is_file():
        return None
    try:
        return Pack(settings.output_dir)
    except UserError as error:
        logger.info("%s; all features are read again", error)
        return None
