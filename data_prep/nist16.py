"""NIST16 (Nimble Challenge 2016, NC2016_Test0613) -> records.

    python -m data_prep.nist16 --input=NC2016_Test0613 --output=records

    NC2016_Test0613/probe/NC2016_0893.jpg
    NC2016_Test0613/world/NC2016_1051.jpg                                          originals
    NC2016_Test0613/reference/manipulation/mask/...                                black is manipulated
    NC2016_Test0613/reference/manipulation/NC2016-manipulation-ref.csv             who belongs to whom

File names alone do not pair this set: its table does. Probes that it says are not manipulated are the authentic ones.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path, PurePosixPath

from data_prep.published import PublishedSet, folders_below, script
from data_prep.reading.entries import Entry, Listing, PreparationError, Skipped
from data_prep.reading.files import list_files, split_pictures
from data_prep.reading.masks import MaskFile
from gsr_tf import marked_text
from gsr_tf.data.masks import MaskRule

TABLE = "*manipulation-ref.csv"
COLUMNS = ("ProbeFileName", "IsTarget", "ProbeMaskFileName", "BaseFileName")
DARK = MaskRule(inverted=True)


def _read_table(root: Path) -> tuple[Path, list[dict[str, str]]]:
    """The folder that the table's paths start from, and its lines."""
    table = next((file for folder in folders_below(root) for file in sorted(folder.glob(TABLE))), None)
    if table is None:
        raise PreparationError(f"--input={root}: no {TABLE} in it; --help shows the expected tree")
    try:
        rows = [row for row in marked_text.rows(marked_text.decode(table.read_bytes()), "|") if row]
    except (OSError, ValueError) as error:
        raise PreparationError(f"{table}: cannot be read as a table ({error})") from error
    header = rows[0] if rows else []
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise PreparationError(f"{table}: no column {', '.join(missing)}; columns are separated by |")
    lines = [dict(itertools.zip_longest(header, row)) for row in rows[1:]]
    return Path(os.path.abspath(table.parent / "../..")), lines  # of a relative --input, too


def _fault(name: str, line: dict[str, str | None]) -> Skipped | None:
    """Why a line of the table cannot be used; None when it can be: only what it says is authentic is so."""
    if not line["ProbeFileName"] or any(line[column] is None for column in COLUMNS):
        return Skipped(name, "table line is incomplete", "was the table's end lost?")
    if line["IsTarget"] not in ("Y", "N"):
        return Skipped(name, "neither manipulated nor authentic", f"IsTarget is {line['IsTarget']!r}, expected Y or N")
    if line["IsTarget"] == "Y" and not line["ProbeMaskFileName"]:
        return Skipped(name, "no mask", "the table names none")
    return None


def _unnamed(base: Path, names: set[str]) -> list[Skipped]:
    """The files of probe/ that are no pictures, and the pictures that the table does not name."""
    if not (base / "probe").is_dir():
        return []
    pictures, others = split_pictures(PurePosixPath("probe", file) for file in list_files(base / "probe"))
    return [*others, *(Skipped(str(file), "not in the table") for file in pictures if str(file) not in names)]


def _entry(base: Path, line: dict[str, str]) -> Entry:
    original = base / line["BaseFileName"] if line["BaseFileName"] else None
    masks = MaskFile(str(base / line["ProbeMaskFileName"]), DARK) if line["IsTarget"] == "Y" else None
    return Entry(
        line["ProbeFileName"],
        str(base / line["ProbeFileName"]),
        masks,
        str(original) if masks and original and original.is_file() else "",
    )


def _list_probes(root: Path) -> tuple[list[Entry], list[Skipped]]:
    """The table's probes, manipulated or not, and what cannot be used."""
    base, lines = _read_table(root)
    entries, skipped, seen, named = [], [], set(), set()
    for number, line in enumerate(lines, 2):
        name = line["ProbeFileName"] or f"the table's line {number}"
        fault = _fault(name, line)
        named.add(name)
        if name in seen:
            skipped.append(Skipped(name, "listed twice", "the table's first line of it that can be used is"))
        elif fault:
            skipped.append(fault)
        else:
            entries.append(_entry(base, line))
            seen.add(name)
    return entries, [*skipped, *_unnamed(base, named)]


def find_manipulated(root: Path) -> Listing:
    """Manipulated probes with masks and originals."""
    entries, skipped = _list_probes(root)
    return Listing([entry for entry in entries if entry.masks], skipped, {"mask_rule": DARK._asdict()})


def find_authentic(root: Path) -> Listing:
    """Probes that are not manipulated; what cannot be used is counted with the manipulated ones."""
    return Listing([entry for entry in _list_probes(root)[0] if not entry.masks], [], {})


SET = PublishedSet(
    name="nist16",
    title="NIST16 (Nimble Challenge 2016)",
    source="https://mfc.nist.gov (registration)",
    licence="Research use, by NIST's agreement",
    size="several GB",
    manipulated=564,
    authentic=560,
    signs=("probe", "reference/manipulation/*manipulation-ref.csv"),
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
)

main = script(SET, __doc__)

if __name__ == "__main__":
    sys.exit(main())
