"""The paper's tables, from the runs of a plan."""
