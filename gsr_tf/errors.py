"""The base of every error that a user can mend, and what messages say in short."""

import os
import re
import sys
from collections.abc import Sequence

SHOWN = 3  # names in a message
# What moves a terminal's cursor, sets its title or turns the direction of its text, and bytes that are no text.
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class UserError(ValueError):
    """Something that the message tells how to mend: the value, what was expected, the flag or file to change.

    Command lines print it without a traceback and end with 1; any other exception is a defect and keeps its own.
    """


def one_line(message: object) -> str:
    r"""A message as it is printed: whoever named a file in it starts no line of ours with it; \x1b is written out."""
    return UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(message))


def renamed(message: object, folder: str | os.PathLike, name: str) -> str:
    """A message in which the paths of files in a folder begin with `name`: it is published, and the folder is not."""
    beginning = re.escape(os.path.join(folder, ""))
    return re.sub(rf"(?<![^\s'\"(]){beginning}", lambda _: name, str(message))


def first_line(error: Exception) -> str:
    """What it says first; of a TensorFlow error the rest is where in its own code it arose."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def of_tensorflow(*names: str) -> tuple[type[Exception], ...]:
    """TensorFlow's errors of these names, for an `except`; none in a process that has not imported it."""
    errors = getattr(sys.modules.get("tensorflow"), "errors", None)
    return tuple(getattr(errors, name) for name in names) if errors else ()


def first_of(names: Sequence[object]) -> str:
    """The first of names, and how many more there are: a message is as short of many as of few."""
    return ", ".join(map(str, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
