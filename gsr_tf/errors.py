"""The base of every error that a user can mend, and what messages say in short."""

from collections.abc import Sequence

SHOWN = 3  # names in a message


class UserError(ValueError):
    """Something that the message tells how to mend: the value, what was expected, the flag or file to change.

    Command lines print it without a traceback and end with 1; any other exception is a defect and keeps its own.
    """


def first_line(error: Exception) -> str:
    """What it says first; of a TensorFlow error the rest is where in its own code it arose."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def first_of(names: Sequence[object]) -> str:
    """The first of names, and how many more there are: a message is as short of many as of few."""
    return ", ".join(map(str, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
