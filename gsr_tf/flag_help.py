"""What --help prints of a command's flags."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import NamedTuple

from absl import flags

ABSL_OWN = {"flagfile", "undefok"}
NARROWEST, WIDEST = 40, 110  # columns; longer lines are hard to read


class Group(NamedTuple):
    """Flags that --help shows together.

    Attributes:
        title: a word or two.
        about: what they decide, one line.
        names: of the flags.
    """

    title: str
    about: str
    names: Sequence[str]


def describe(values: flags.FlagValues, groups: Sequence[Group] = ()) -> str:
    """A paragraph a flag: name, help (absl puts choices before it) and default.

    Args:
        values: the flags.
        groups: in this order, each under a line of its own; without any, all flags in the order of definition.
    """
    if not groups:
        return "\n".join(_paragraph(values[name]) for name in values if name not in ABSL_OWN)
    lines = []
    for group in groups:
        lines += ["", wrapped(f"{group.title}. {group.about}"), *(_paragraph(values[name]) for name in group.names)]
    return "\n".join(lines)


def wrapped(text: str, indent: str = "", first_line: str = "") -> str:
    """A text in lines that fit the terminal (80 columns where there is none)."""
    width = max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))
    return flags.text_wrap(text, width, indent, first_line)


def _paragraph(flag: flags.Flag) -> str:
    name = f"[no]{flag.name}" if flag.boolean else flag.name
    words = [f"--{name}: {flag.help}"]
    if flag.default not in (None, [], ""):
        default = ",".join(flag.default) if isinstance(flag.default, list) else flag.default
        words.append(f"[{default}]")
    return wrapped(" ".join(words), "      ", "  ")
