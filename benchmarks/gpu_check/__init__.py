"""What a machine with a GPU has to show, in minutes: numbers that agree, seconds and memory, on one page."""
