"""The base of every error that a user can mend."""


class UserError(ValueError):
    """Something that the message tells how to mend: the value, what was expected, the flag or file to change.

    Command lines print it without a traceback and end with 1; any other exception is a defect and keeps its own.
    """
