"""Features of a cohort -> one file that all processes of a machine map: `python -m datasets.pack`."""
