"""The report of a run, or of all runs, as one HTML file."""
