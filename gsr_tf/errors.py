"""The base of every error that a user can mend, and what other errors say in short."""


class UserError(ValueError):
    """Something that the message tells how to mend: the value, what was expected, the flag or file to change.

    Command lines print it without a traceback and end with 1; any other exception is a defect and keeps its own.
    """


def first_line(error: Exception) -> str:
    """What it says first; of a TensorFlow error the rest is where in its own code it arose."""
    return (str(error).splitlines() or [type(error).__name__])[0]
