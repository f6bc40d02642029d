"""The error of this package that a command prints as one sentence."""


class UserError(ValueError):
    """A setting, file or place that a user can mend: the message says what was found, what was expected, what to do."""
