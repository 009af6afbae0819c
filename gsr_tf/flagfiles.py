"""Flagfiles read: a line a flag; a `--flagfile=` among them names one more.

absl would look for a nested file in the working folder alone. Here it is looked for beside the file that names it, then
in the folders above that, and in the working folder last: a flagfile means the same wherever it is called from.

A name of which there is no file is looked for among the flagfiles that come along: `gsr_net`, `gsr_net.cfg` and
`flags/gsr_net.cfg` are one.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from absl import flags

from gsr_tf import marked_text

PACKAGE = Path(__file__).resolve().parent
ENDING = ".cfg"
NESTS = re.compile(r"--?flagfile[= ](.*)")


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


def shipped() -> dict[str, Path]:
    """{name: file} of the flagfiles that come along, as `gsr_net` and, after those, `table3/cp_s`."""
    folders = (PACKAGE / "flags", PACKAGE.parent / "flags")  # of a package that is installed, of a checkout
    folder = next((found for found in folders if found.is_dir()), folders[0])
    files = sorted(folder.rglob(f"*{ENDING}"), key=lambda file: (len(file.parts), file))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def title(file: Path) -> str:
    """The first sentence of a flagfile's comment, which says what the file is; empty where it begins with none."""
    comment = itertools.takewhile(lambda line: line.startswith("# "), marked_text.lines(_text(file)))
    words = " ".join(line.removeprefix("# ") for line in comment)
    return re.split(r"(?<=\.)\s", words, maxsplit=1)[0]


def _read(path: Path, within: tuple[Path, ...]) -> Iterator[str]:
    """The flags of a file; `within`: the files that led to it, resolved."""
    if path.is_dir() or not path.exists():  # a folder may well have the flagfile's name: the run's
        path = _shipped(path)
    text, here = _text(path), path.resolve()
    if here in within:
        raise flags.Error(f"--flagfile={path}: nests itself, by way of {' and '.join(map(str, within))}")
    for line in map(str.strip, marked_text.lines(text)):
        nested = NESTS.fullmatch(line)
        if nested:
            yield from _read(_found(Path(nested[1]).expanduser(), here), (*within, here))
        elif line and not line.startswith(("#", "//")):
            yield line


def _found(name: Path, within: Path) -> Path:
    """Where a name in the file `within` leads; the name itself where there is no such file."""
    return next((folder / name for folder in within.parents if (folder / name).is_file()), name)


def _shipped(asked: Path) -> Path:
    """The flagfile of this name that comes along; raises flags.Error with the names that are nearest."""
    name, files = asked.as_posix().removeprefix("flags/").removesuffix(ENDING), shipped()
    if name not in files:
        near = difflib.get_close_matches(name, files) or [other for other in files if name == Path(other).name]
        said = f"nearest of those: {', '.join(near)}" if near else f"those are {', '.join(files)}"
        raise flags.Error(f"--flagfile={asked}: no such file, and none that comes with gsr_tf; {said}")
    return files[name]


def _text(path: Path) -> str:
    try:
        return marked_text.decode(path.read_bytes())
    except OSError as error:
        raise flags.Error(f"--flagfile={path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise flags.Error(f"--flagfile={path}: {error}") from error
