"""What was found in .h5 files, remembered for as long as they do not change: slides are read in every epoch."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar, cast

_MOST = 8192  # findings; the places of the rows of a slide with 20,000 take 7 kB
Found = TypeVar("Found")

_found: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
_lock = Lock()  # slides are read by several threads


def remembered(find: Callable[..., Found], holder: Any, *arguments: Any) -> Found:
    """What a function finds of a file or dataset, given these arguments beside; an error is not remembered."""
    state = os.fstat(holder.file.id.get_vfd_handle())  # of the open file: another may have its name by now
    times = state.st_mtime_ns, state.st_ctime_ns
    key = (find, state.st_dev, state.st_ino, state.st_size, *times, holder.name, *arguments)
    with _lock:
        if key in _found:
            _found.move_to_end(key)
            return cast("Found", _found[key])
    found = find(holder, *arguments)
    with _lock:
        _found[key] = found
        if len(_found) > _MOST:
            _found.popitem(last=False)
    return found
