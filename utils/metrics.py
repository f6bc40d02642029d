"""Re-exports names for scripts outside of this repository: `from utils.metrics import survival_metrics`."""

from utils.statistics.metrics import classification_metrics, survival_metrics

__all__ = ["classification_metrics", "survival_metrics"]
