"""What tells that a feature file is as it was: its size and the time of its last modification.

A time less than two seconds before a look proves nothing, since a clock of coarse steps may give it to two contents
(git calls such files racily clean).
"""

from __future__ import annotations

import time
from pathlib import Path

from datasets.slides.packed_slide import is_packed, opened_slide
from datasets.slides.slide_ids import ending_of
from datasets.slides.slideflow_index import INDEX_ENDINGS

_SETTLED_AFTER = 2_000_000_000  # nanoseconds

State = tuple[int, int]


def state_of(path: Path) -> State | None:
    """Size (bytes) and modification time (ns) of a file; None for one that is not there.

    Of a .pt file with slideflow's positions beside it, the size of both and the later time. Of a slide of a pack, those
    of the file that was packed.
    """
    if is_packed(path):
        return opened_slide(path).slide.state
    try:
        found = path.stat()
    except OSError:
        return None
    size, mtime_ns = found.st_size, found.st_mtime_ns
    if ending_of(path) == ".pt":
        for ending in INDEX_ENDINGS:
            try:
                beside = path.with_suffix(ending).stat()
            except OSError:
                continue
            size, mtime_ns = size + beside.st_size, max(mtime_ns, beside.st_mtime_ns)
    return size, mtime_ns


def is_young(state: State) -> bool:
    """Whether a file in this state may still be written without another time."""
    return time.time_ns() - state[1] < _SETTLED_AFTER
