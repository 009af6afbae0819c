"""Every data set that a folder of downloads holds -> records.

    python -m data_prep.all --input=downloads --output=records

    downloads/CASIA2/..., downloads/tifs-database.zip, downloads/annotations/instances_train2017.json ...

Archives (zip, tar) are unpacked below --output/unpacked. What is recognised is prepared, each set into a folder of
its name, manipulated and authentic pictures together; COCO's annotation files with the folders of their pictures
too. For what is missing it says where its publishers offer it and what to expect. Started again, it goes on.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from absl import flags

from data_prep import command
from data_prep.catalogue import SETS, recognise
from data_prep.coco import list_coco
from data_prep.published import folders_below
from data_prep.reading.archives import OTHERS, archive_stem, unpack_archive
from data_prep.reading.entries import PreparationError
from data_prep.reading.files import require_folder
from data_prep.reading.outlines import AreaLimits
from data_prep.writing.output import writing
from gsr_tf.errors import UserError, one_line


class Found(NamedTuple):
    """A recognised set.

    Attributes:
        name: of its records.
        list: makes its listing.
        authentic: how many authentic pictures its publishers count.
    """

    name: str
    list: functools.partial
    authentic: int = 0


def find_published(roots: list[Path]) -> Iterator[Found]:
    """Published sets below any of the folders, each where it is first recognised."""
    seen = set()
    for root in roots:
        for folder in folders_below(root):
            published = recognise(folder)
            if published and published.name not in seen:
                seen.add(published.name)
                listing = functools.partial(published.find, "both", folder, *roots)
                yield Found(published.name, listing, published.authentic)


def find_coco(roots: list[Path]) -> Iterator[Found]:
    """COCO's instance annotations that have a folder of pictures: instances_train2017.json with train2017/."""
    folders = [folder for root in roots for folder in folders_below(root)]
    for folder in folders:
        for file in sorted(folder.glob("instances_*.json")):
            part = file.stem.removeprefix("instances_")
            images = next((other for other in folders if other.name == part), None)
            if images:
                listing = functools.partial(list_coco, file, images, AreaLimits(), keep_without_objects=True)
                yield Found(f"coco_{part}", listing)


def gather(downloads: Path, output: Path) -> tuple[list[Path], list[str]]:
    """The folders to search, archives unpacked, and what could not be unpacked and why."""
    roots, problems = [downloads], []
    for file in sorted(downloads.iterdir()):
        if file.suffix.lower() in OTHERS:
            problems.append(f"{file}: unpack it by hand, and start again")
        elif file.is_file() and archive_stem(file):
            unpacked = output / "unpacked"
            with writing(output):
                unpacked.mkdir(parents=True, exist_ok=True)
            try:
                roots.append(unpack_archive(file, unpacked))
            except PreparationError as error:
                problems.append(str(error))
    return roots, problems


def prepare(found: list[Found], args: flags.FlagValues) -> tuple[list[str], list[str]]:
    """Prepares each set; returns the names of those that worked, and what stopped the others or is missing in them."""
    done, problems = [], []
    for name, list_pictures, authentic in found:
        print(f"\n{one_line(name)}")
        output = Path(args.output) / name
        try:
            listing = list_pictures()
            command.convert(listing, args, output)
            done.append(name)
            if authentic and all(entry.masks for entry in listing.entries):
                problems.append(
                    f"{name}: none of its {authentic:,} authentic pictures was found; put them beside the others, "
                    f"delete {output}, and start again"
                )
        except UserError as error:  # one set that cannot be prepared does not keep the others from it
            problems.append(f"{name}: {error}")
    return done, problems


def missing(there: list[str]) -> list[str]:
    """What to do about the sets that are not there."""
    lines = [
        f"{published.title}: not there. {published.expectation()}. Get it from {published.source}"
        for published in SETS
        if published.name not in there
    ]
    if not any(name.startswith("coco_") for name in there):
        lines.append("COCO: not there. 118,287 pictures, 18 GB. Get it from https://cocodataset.org/#download")
    return lines


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("input", None, "Folder of downloads.", required=True, flag_values=values)
    command.define_output(values, "Folder to write; a folder of records in it for each set.")


def _run(args: flags.FlagValues) -> int:
    roots, problems = gather(require_folder(args.input, "--input"), Path(args.output))
    found = [*find_published(roots), *find_coco(roots)]
    done, failures = prepare(found, args)
    print("\n" + "\n".join(missing([name for name, *_ in found])))
    for problem in (*problems, *failures):
        print(f"error: {one_line(problem)}", file=sys.stderr)
    print(f"\nprepared: {one_line(', '.join(done)) or 'nothing'}")
    return 0 if done and not problems and not failures else 1


main = functools.partial(command.main, _run, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
