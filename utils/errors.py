"""The one error of this package that a command prints as a sentence."""


class UserError(ValueError):
    """A setting, file or folder that a user can fix: the message says what was found, what was expected, what to do."""


DataError = UserError  # the name that scripts outside this repository may import; nothing here uses it
