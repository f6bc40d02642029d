"""What reading a damaged file of torch or pickle may raise."""

from __future__ import annotations

import pickle
import struct

# The documentation of pickle promises no closed list. Those below came out of the readers for thousands of files that
# were cut off or had bytes changed; all of them mean that the file is not what it should be.
LOAD_ERRORS = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    OSError,
    AttributeError,
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    ArithmeticError,
    ImportError,
    MemoryError,
)

MESSAGE_LENGTH = 120


def first_line(error: BaseException) -> str:
    """The first line of an error, for a message of one sentence; torch explains itself over many lines."""
    lines = str(error).strip().splitlines()
    return lines[0][:MESSAGE_LENGTH] if lines else type(error).__name__
