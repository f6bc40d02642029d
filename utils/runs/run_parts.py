"""The parts that a run is computed in: by one process as a whole, by a launcher piece by piece."""

from __future__ import annotations

WHOLE = "whole"  # all folds, their tables and figures
BEGINNING = "beginning"  # the checks of all folds, `run.json`, and what finished folds may lack
FOLD = "fold"  # one fold, in the folder of a run that was begun
