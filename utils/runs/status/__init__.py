"""How far the runs below a results folder are, and what is left of them: `python -m utils.runs.status RESULTS`.

Nothing is written, and nothing is imported that takes long. A run may be written at the same time: every file is read
as it is at that moment, and one that is gone by then counts as not there.
"""
