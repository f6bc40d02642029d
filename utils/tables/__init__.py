"""The summary of a run: tables from its prediction files."""
