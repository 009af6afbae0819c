"""The field's interchange formats -> records.

    python -m data_prep.interchange --input=FOLDER_OR_FILE --output=records

The form of --input is recognised:

    folder with Tp/ and Gt/     ManiDataset (IMDLBenCo): pictures and masks, paired by name; by order only where no
                                name pairs and the counts are equal, with a warning
    [["x.jpg", "x.png"], ["y.jpg", "Negative"]]     JsonDataset (IMDLBenCo); "Negative": authentic
    {"CASIAv1": "/data/casia1", ...}                test_datasets.json (IMDLBenCo): each set -> --output/<its name>
    x.jpg x.png 1 / y.jpg None 0, line by line      the lists of MVSS-Net

One set of several that cannot be converted does not keep the others from it; the exit code is 1 then.
Paths in files start from the current folder or, where that finds nothing, from the file's own. `data_prep.unpack`
writes these formats from records.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from absl import flags

from data_prep import command
from data_prep.reading.entries import Entry, Listing, PreparationError, Skipped
from data_prep.reading.files import not_utf_8
from data_prep.reading.listing import list_manipulated
from data_prep.reading.masks import MaskFile
from data_prep.reading.pairing import Pairs, pair
from gsr_tf.data import lists
from gsr_tf.data.masks import MaskRule
from gsr_tf.errors import UserError, one_line
from gsr_tf.marked_text import decode, lines

NEGATIVE = "Negative"  # JsonDataset's word for "no mask: authentic"
NO_MASK = "None"  # MVSS-Net's


def pair_or_align(pictures: list, masks: list) -> Pairs:
    """Pairs by name; by order, as ManiDataset does, where no name pairs and the counts are equal."""
    named = pair(pictures, masks)
    if named.pairs or len(pictures) != len(masks):
        return named
    print("warning: no picture and mask of the same name: paired by order, which a stray file shifts", file=sys.stderr)
    return Pairs(list(zip(sorted(pictures), sorted(masks))), [])


def is_mani_dataset(folder: Path) -> bool:
    """Whether a folder has ManiDataset's form."""
    return (folder / "Tp").is_dir() and (folder / "Gt").is_dir()


def list_mani_dataset(folder: Path, rule: MaskRule) -> Listing:
    """Lists a ManiDataset."""
    return list_manipulated(folder / "Tp", folder / "Gt", rule, pair_files=pair_or_align)


def _resolve(path: str, base: Path) -> str:
    here, there = lists.find(Path(path)), lists.find(base / path)
    return str(there if there.exists() and not here.exists() else here)


def list_rows(rows: list[tuple[str, str | None]], base: Path, rule: MaskRule) -> Listing:
    """Lists pictures with their masks as files name them.

    Args:
        rows: picture and mask; None: authentic.
        base: folder that relative paths may start from.
        rule: how the masks are read.
    """
    entries, skipped, seen = [], [], set()
    for image, mask in rows:
        fault = not_utf_8(image)
        if fault:
            skipped.append(fault)
            continue
        file = _resolve(image, base)
        place = os.path.abspath(file)  # x.jpg and ./x.jpg are one file
        if place in seen:
            skipped.append(Skipped(image, "listed twice"))
            continue
        seen.add(place)
        masks = None if mask is None else MaskFile(_resolve(mask, base), rule)
        entries.append(Entry(image, file, masks))
    return Listing(entries, skipped, {"mask_rule": rule._asdict()})


def read_json_rows(value: object, path: Path) -> list[tuple[str, str | None]]:
    """The rows of a JsonDataset.

    Raises:
        PreparationError: not a list of pairs of strings.
    """
    for number, row in enumerate(value):
        if not (isinstance(row, list) and len(row) == 2 and all(isinstance(word, str) for word in row)):
            raise PreparationError(f"--input={path}: element {number} is {row!r}, expected [picture, mask]")
    return [(image, None if mask == NEGATIVE else mask) for image, mask in value]


def read_mvss_rows(text: str, path: Path) -> list[tuple[str, str | None]]:
    """The rows of a list of MVSS-Net: picture, mask or None, label; a picture's name may hold spaces.

    Raises:
        PreparationError: a line of another form, or whose label says other than its mask.
    """
    rows = []
    for number, line in enumerate(lines(text), 1):
        words = line.rsplit(maxsplit=2)
        if words and (len(words) != 3 or words[2] not in ("0", "1")):
            raise PreparationError(f"--input={path}: line {number} is {line!r}, expected: picture mask 0-or-1")
        if words and (words[1] == NO_MASK) == (words[2] == "1"):
            what = "manipulated, and has no mask" if words[2] == "1" else "authentic, and has a mask"
            raise PreparationError(f"--input={path}: line {number} is {line!r}: by its label {what}")
        if words:
            rows.append((words[0], None if words[1] == NO_MASK else words[1]))
    return rows


def find_sets(path: Path, rule: MaskRule) -> dict[str, Callable[[], Listing]]:
    """What lists each of the sets that a folder or file of any of the formats holds, by name; "" where it holds one.

    Each raises PreparationError for what is wrong with it alone: no such file, say, or none of the formats.

    Raises:
        PreparationError: damaged JSON, or the name of a set that is no folder's, or of one outside --output.
    """
    value = None if path.is_dir() or path.suffix.lower() != ".json" else _read_json(path)
    if not isinstance(value, dict):
        return {"": lambda: _list_one(path, value, rule)}
    sets = {name: Path(_resolve(str(source), path.parent)) for name, source in value.items()}
    for name in sets:
        if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
            raise PreparationError(f"--input={path}: the set {name!r} would be written outside --output; rename it")
        fault = not_utf_8(name)
        if fault:
            raise PreparationError(f"--input={path}: the set {fault.name!r}: {fault.reason}; rename it")
    return {name: functools.partial(_list_set, path, name, source, rule) for name, source in sets.items()}


def _list_set(path: Path, name: str, source: Path, rule: MaskRule) -> Listing:
    """A set of a dictionary, of this name, at `source`: a folder or a list, since a dictionary could name itself."""
    if not source.exists():
        raise PreparationError(f"--input={path}: the set {name!r} is {source}: no such folder or file")
    return _list_one(source, _read_json(source) if source.suffix.lower() == ".json" else None, rule)


def _list_one(path: Path, value: object, rule: MaskRule) -> Listing:
    """The set that a folder or a list holds; `value`: of a JSON file."""
    if path.is_dir():
        if not is_mani_dataset(path):
            raise PreparationError(f"--input={path}: no Tp/ beside a Gt/ in this folder")
        return list_mani_dataset(path, rule)
    if path.suffix.lower() != ".json":
        return list_rows(read_mvss_rows(_read_text(path), path), path.parent, rule)
    if isinstance(value, list):
        return list_rows(read_json_rows(value, path), path.parent, rule)
    raise PreparationError(f"--input={path}: neither a list of [picture, mask] nor a dictionary of folders and lists")


def _read_text(path: Path) -> str:
    try:
        return decode(path.read_bytes())
    except OSError as error:
        raise PreparationError(f"--input={path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise PreparationError(f"--input={path}: {error}") from error


def _read_json(path: Path) -> object:
    try:
        return json.loads(_read_text(path))
    except (ValueError, RecursionError) as error:
        raise PreparationError(f"--input={path}: damaged JSON ({error})") from error


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("input", None, "Folder or file of one of the formats.", required=True, flag_values=values)
    command.define_threshold(values)
    several = "Records folder to write; of a list of several sets, with a folder of records in it for each."
    command.define_output(values, several)


def _run(args: flags.FlagValues) -> int:
    output, problems = Path(args.output), []
    for name, list_pictures in find_sets(Path(args.input), MaskRule(args.mask_threshold)).items():
        try:
            command.convert(list_pictures(), args, output / name)
        except UserError as error:
            problems.append(f"{name}: {error}" if name else str(error))
    for problem in problems:
        print(f"error: {one_line(problem)}", file=sys.stderr)
    return 1 if problems else 0


main = functools.partial(command.main, _run, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
