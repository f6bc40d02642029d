"""Re-exports names for scripts outside of this repository: `from datasets.features import read_slide`."""

from datasets.slides.features import read_slide

__all__ = ["read_slide"]
