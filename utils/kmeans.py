"""Re-exports names for scripts outside of this repository: `from utils.kmeans import kmeans`."""

from utils.anchors.kmeans import kmeans

__all__ = ["kmeans"]
