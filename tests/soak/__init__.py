"""Commands of this repository as real processes that are killed, run side by side and read meanwhile.

`python -m tests.soak` runs trials of every scenario (`scenarios.py`, `pairs.py`) and reports what did not hold. A trial
starts a command, kills it at a moment (`moments.py`), goes on with it as a user would, and compares every file with
those of a run that nobody disturbed (`comparison.py`), while a reader (`reader.py`) opens every file all the time.
"""
