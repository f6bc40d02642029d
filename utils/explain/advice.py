"""What a user should do about a file of an explanation that is damaged."""

from __future__ import annotations

ADVICE = "explain the fold again with main.py --stage explain"
