"""Timings, which print hardware and date with their figures, and simulations of statistics; apart from the tests."""
