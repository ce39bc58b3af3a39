"""The one exception that a person, not a programmer, is meant to read."""


class InputError(ValueError):
    """Something the person gave cannot be used.

    The message is one clear sentence: what was given, what was expected, what to do.
    The commands print it without a traceback and exit with a non-zero status.
    """
