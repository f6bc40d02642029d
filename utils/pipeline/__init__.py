"""Where models, datasets and training meet: the parts of the two commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from utils.pipeline.ensemble import load_ensemble

__all__ = ["load_ensemble"]


def __getattr__(name: str) -> Any:
    """`load_ensemble`, imported when it is asked for: torch takes seconds, for which `main.py --help` must not wait."""
    if name == "load_ensemble":
        from utils.pipeline.ensemble import load_ensemble

        return load_ensemble
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
