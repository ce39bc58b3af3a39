"""The exception and the warning that a person, not a programmer, is meant to read."""


class InputError(ValueError):
    """Something the person gave cannot be used.

    The message is one clear sentence: what was given, what was expected, what to do.
    The commands print it without a traceback and exit with a non-zero status.
    """


class LeftOut(UserWarning):
    """Some of what the person gave cannot be used, and the rest goes on. `--strict` makes it an InputError.

    The message names a few; `everything` all of them.
    """

    def __init__(self, message: str, everything: str):
        super().__init__(message)
        self.everything = everything
