"""One slide on disk: formats, checks, fingerprints, geometry, cache."""

from datasets.slides.features import read_slide

__all__ = ["read_slide"]
