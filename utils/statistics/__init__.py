"""Statistics: from arrays and prediction tables to numbers."""
