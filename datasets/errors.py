"""The error of this package that a command prints as one sentence."""


class DataError(ValueError):
    """Data on disk that a user can mend: the message says what was found, what was expected, where, and what to do."""
