"""Mistakes of users, each with the exact sentence that it ends in: `python -m tests.input_errors --write`.

The cases are tests; `docs/input_errors.md` is made from what they say, and a test fails where the two differ.
"""
