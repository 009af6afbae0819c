"""Flagfiles read: a line a flag; a `--flagfile=` among them names one more.

absl would look for a nested file in the working folder alone. Here it is looked for beside the file that names it, then
in the folders above that, and in the working folder last: a flagfile means the same wherever it is called from.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from absl import flags

NESTS = re.compile(r"--?flagfile[= ](.*)")
# What Windows' editors and shells begin a text with.
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def expanded(argv: Iterable[str]) -> list[str]:
    """The arguments of a command line, each `--flagfile=FILE` replaced by what the file holds.

    Raises:
        flags.Error: a file that cannot be read, is no text, or nests itself.
    """
    arguments, found = iter(argv), []
    for argument in arguments:
        nested = NESTS.fullmatch(argument)
        if nested:
            found.extend(_read(Path(nested[1]).expanduser(), ()))
        elif argument in ("--flagfile", "-flagfile"):
            found.extend(_read(Path(next(arguments, "")).expanduser(), ()))
        else:
            found.append(argument)
    return found


def _read(path: Path, within: tuple[Path, ...]) -> Iterator[str]:
    """The flags of a file; `within`: the files that led to it, resolved."""
    text, here = _text(path), path.resolve()
    if here in within:
        raise flags.Error(f"--flagfile={path}: nests itself, by way of {' and '.join(map(str, within))}")
    for line in map(str.strip, text.splitlines()):
        nested = NESTS.fullmatch(line)
        if nested:
            yield from _read(_found(Path(nested[1]).expanduser(), here), (*within, here))
        elif line and not line.startswith(("#", "//")):
            yield line


def _found(name: Path, within: Path) -> Path:
    """Where a name in the file `within` leads; the name itself where there is no such file."""
    return next((folder / name for folder in within.parents if (folder / name).is_file()), name)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise flags.Error(f"--flagfile={path}: cannot be read ({error.strerror})") from error
    encoding = next((encoding for mark, encoding in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise flags.Error(f"--flagfile={path}: not text in UTF-8 or UTF-16 ({error})") from error
    if "\0" in text:
        raise flags.Error(f"--flagfile={path}: not text in UTF-8, or in UTF-16 with its mark at the beginning")
    return text
