"""What all command lines share: flags of their own, help that teaches, errors a user can act on.

Exit codes: 0 done, 1 an error that the message explains, 2 wrong flags, 3 done but for pictures that were named and
skipped, 128 + n ended by signal n.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Optional

import tensorflow as tf
from absl import flags

from gsr_tf.errors import UserError
from gsr_tf.flag_help import describe
from gsr_tf.flagfiles import expanded

SOME_SKIPPED = 3
# What a user can mend; anything else is a defect and keeps its traceback.
MENDABLE = (UserError, OSError, MemoryError, tf.errors.ResourceExhaustedError)


def parse(argv: Sequence[str], doc: str, define: Callable[[flags.FlagValues], None]) -> Optional[flags.FlagValues]:
    """The flags of one command; None when `--help` was asked for and printed.

    Args:
        argv: the command line, the program's name first.
        doc: the command's documentation.
        define: defines its flags.

    Raises:
        flags.Error: a flag that is unknown, missing, empty or of a wrong value, or a flagfile that cannot be read.
    """
    values = flags.FlagValues()
    define(values)
    if {"--help", "-h", "-help", "--helpfull"} & set(argv):
        print(f"{doc.strip()}\n\nFlags (--flagfile=FILE reads more of them from a file):\n{describe(values)}")
        return None
    extra = values(expanded(argv))[1:]
    if extra:
        raise flags.Error(f"unexpected argument {extra[0]!r}; flags are written --name=value")
    for name in values:
        if values[name].default is None and values[name].value == "":  # --run_dir=$RUN, and no such variable
            raise flags.Error(f"--{name}= is empty; expected a value")
    return values


def main(
    action: Callable[[flags.FlagValues], Optional[int]],
    doc: str,
    define: Callable[[flags.FlagValues], None],
    argv: Optional[Sequence[str]] = None,
) -> int:
    """Runs a command: parses its flags, calls `action` with them, turns errors into messages and exit codes."""
    try:
        values = parse(sys.argv if argv is None else argv, doc, define)
        return 0 if values is None else action(values) or 0
    except flags.Error as error:
        print(f"error: {error}; --help explains all flags", file=sys.stderr)
        return 2
    except MENDABLE as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
