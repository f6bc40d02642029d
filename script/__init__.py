"""The shell scripts, and the modules behind reproduce_tables.sh."""
