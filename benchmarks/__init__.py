"""Timings, apart from the tests: each prints its hardware and date with its figures."""
