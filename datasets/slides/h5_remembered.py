"""What was found in .h5 files, remembered for as long as they do not change: slides are read in every epoch."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from datasets.slides.h5_opened import H5Dataset, H5File

_MOST = 8192  # findings; the places of the rows of a slide with 20,000 take 7 kB
Found = TypeVar("Found")

_found: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
_lock = Lock()  # slides are read by several threads


def remembered(find: Callable[..., Found], holder: H5File | H5Dataset, *arguments: Any) -> Found:
    """What a function finds of a file or dataset, given these arguments beside; an error is not remembered."""
    state = os.fstat(holder.file.descriptor)  # of the open file: another may have its name by now
    key = _key(find, state, holder.name, *arguments)
    with _lock:
        if key in _found:
            _found.move_to_end(key)
            return cast("Found", _found[key])
    found = find(holder, *arguments)
    _keep(key, found)
    return found


def recall(find: Callable[..., Found], path: Path, names: Sequence[str]) -> dict[str, Found]:
    """{name: what the function has found of this dataset} in a file as it is now, of those that it was asked of."""
    try:
        state = path.stat()
    except OSError:
        return {}
    with _lock:
        found = {name: _found.get(_key(find, state, name)) for name in names}
    return {name: cast("Found", what) for name, what in found.items() if what is not None}


def remember(find: Callable[..., Any], path: Path, found: Mapping[str, Any]) -> None:
    """Let this {name: what} be what the function finds of these datasets in a file as it is now, which may be gone."""
    with suppress(OSError):
        state = path.stat()
        for name, what in found.items():
            _keep(_key(find, state, name), what)


def _key(find: Callable[..., Any], state: os.stat_result, name: str, *arguments: Any) -> tuple[Any, ...]:
    times = state.st_mtime_ns, state.st_ctime_ns
    return (find, state.st_dev, state.st_ino, state.st_size, *times, name, *arguments)


def _keep(key: tuple[Any, ...], found: Any) -> None:
    with _lock:
        _found[key] = found
        if len(_found) > _MOST:
            _found.popitem(last=False)
