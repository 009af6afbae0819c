"""COCO's pictures and objects -> records: every usable object of a picture is a mask K of it.

    python -m data_prep.coco --annotations=annotations/instances_train2017.json --images=train2017 --output=records

Takes the instance annotations of COCO 2014 and 2017, and any file of that form: polygons, and run lengths with or
without compression. Get the pictures and annotations from https://cocodataset.org/#download (2017: 118,287 pictures
in train, 18 GB, 860,001 objects; 5,000 in val, 1 GB, 36,781 objects). The annotations are CC BY 4.0; the pictures
are under the Flickr licences that the annotation file names one by one.

    train2017/000000000009.jpg ...
    annotations/instances_train2017.json ...

Several such sets become one: --annotations=train.json,mine.json --images=train2017,mine. With --without=sky,sea
annotations of these categories are passed over, as if the files had not got them.

Crowds are no objects (--crowds: they are; CVAT marks so what was drawn with a brush), and tiny or huge objects make no
useful composite: they are left out and counted. A picture without any annotation is authentic, and kept as a target
(--nokeep_without_objects: skipped). One with annotations none of which can be used is skipped and named: nothing that
somebody annotated ever becomes authentic.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from absl import flags

from data_prep import command
from data_prep.reading.annotations import category_ids, read_annotations
from data_prep.reading.entries import Entry, Listing, Objects, PreparationError
from data_prep.reading.files import file_sha256, require_folder
from data_prep.reading.json_arrays import read_elements
from data_prep.reading.listing import merge
from data_prep.reading.outlines import AreaLimits, decode_object, need_pycocotools


class CocoObjects(NamedTuple):
    """The objects of one picture, as places in an annotation file.

    Attributes:
        path: the annotation file.
        shape: (height, width) of the picture, by that file.
        places: (first byte, length) of each annotation.
        limits: which objects are used.
    """

    path: str
    shape: tuple[int, int]
    places: Sequence[tuple[int, int]]
    limits: AreaLimits

    @property
    def files(self) -> tuple[()]:
        """None but the annotation file, whose SHA-256 is in the settings."""
        return ()

    def read(self) -> Objects:
        """The usable objects; those left out by reason."""
        annotations = read_elements(self.path, self.places)
        decoded = [decode_object(annotation, self.shape, self.limits) for annotation in annotations]
        masks = [mask for mask in decoded if not isinstance(mask, str)]
        refused = [refusal for refusal in decoded if isinstance(refusal, str)]
        return Objects(self.shape, masks, refused)


def list_coco(
    annotations: Path, images: Path, limits: AreaLimits, keep_without_objects: bool, without: Collection[str] = ()
) -> Listing:
    """Lists the pictures of an annotation file with their objects.

    Args:
        annotations: the JSON file.
        images: folder of the pictures.
        limits: which objects are used.
        keep_without_objects: pictures without any annotation are kept, as authentic ones.
        without: ids of categories whose annotations are passed over.
    """
    need_pycocotools()
    pictures, skipped = read_annotations(annotations, images, limits.crowds, without)
    entries = [
        Entry(
            picture.name,
            picture.path,
            CocoObjects(str(annotations), picture.shape, picture.places, limits),
            keep_unmasked=keep_without_objects,
        )
        for picture in pictures
    ]
    settings = {"limits": limits._asdict(), "keep_unannotated": keep_without_objects}
    return Listing(entries, skipped, {**settings, "annotations_sha256": file_sha256(annotations)})


def list_several(
    sets: Sequence[tuple[Path, Path]], limits: AreaLimits, keep_without_objects: bool, without: Sequence[str]
) -> Listing:
    """One listing of several sets.

    Args:
        sets: of each the annotation file and the folder of the pictures.
        limits: as `list_coco`'s.
        keep_without_objects: the same.
        without: names of categories whose annotations are passed over.

    Raises:
        PreparationError: a picture's name is in two of them, or a category's in none.
    """
    ids = _ids_of(without, [file for file, _ in sets])
    listings = [list_coco(*each, limits, keep_without_objects, of) for each, of in zip(sets, ids)]
    seen: dict[str, Path] = {}
    for listing, (file, _) in zip(listings, sets):
        for entry in listing.entries:
            if entry.name in seen:
                raise PreparationError(
                    f"--annotations: {entry.name} is in {seen[entry.name]} and in {file}; a name must be one "
                    "picture's, so rename one, or put the pictures of each file into a folder of its own and add that "
                    "to its names"
                )
            seen[entry.name] = file
    merged = merge(listings)
    digests = ",".join(listing.settings["annotations_sha256"] for listing in listings)
    named = {"without": sorted(without)} if without else {}
    return merged._replace(settings={**merged.settings, **named, "annotations_sha256": digests})


def _ids_of(categories: Sequence[str], files: Sequence[Path]) -> list[set[str]]:
    """The ids of these categories, of each annotation file."""
    if not categories:
        return [set() for _ in files]
    named = [category_ids(file) for file in files]
    known = {name for of_file in named for name in of_file}
    unknown = [name for name in categories if name not in known]
    if unknown:
        raise PreparationError(
            f"--without={','.join(unknown)}: no such category; there are {', '.join(sorted(known)) or 'none'}"
        )
    return [{of_file[name] for name in categories if name in of_file} for of_file in named]


def define_objects(values: flags.FlagValues) -> None:
    """The flags of the scripts that take COCO's objects."""
    usual = AreaLimits()
    flags.DEFINE_float(
        "min_area_fraction",
        usual.least,
        "Objects that cover less of the picture are left out.",
        0,
        1,
        flag_values=values,
    )
    flags.DEFINE_float(
        "max_area_fraction", usual.most, "Objects that cover more of it are left out.", 0, 1, flag_values=values
    )
    flags.DEFINE_boolean("crowds", usual.crowds, "Take what is marked iscrowd as objects, too.", flag_values=values)
    command.define_output(values)


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_list("annotations", None, "The annotation file, JSON, or several.", required=True, flag_values=values)
    flags.DEFINE_list("images", None, "Folder of the pictures of each.", required=True, flag_values=values)
    flags.DEFINE_list("without", [], "Categories whose objects are passed over, by name.", flag_values=values)
    define_objects(values)
    flags.DEFINE_boolean(
        "keep_without_objects", True, "Keep pictures without any annotation, as targets.", flag_values=values
    )


def read_limits(args: flags.FlagValues) -> AreaLimits:
    """The limits that the flags set."""
    if args.min_area_fraction > args.max_area_fraction:
        raise flags.Error(
            f"--min_area_fraction={args.min_area_fraction} is more than --max_area_fraction={args.max_area_fraction}"
        )
    return AreaLimits(args.min_area_fraction, args.max_area_fraction, args.crowds)


def _run(args: flags.FlagValues) -> int:
    limits = read_limits(args)
    if len(args.annotations) != len(args.images):
        raise flags.Error(
            f"--annotations has {len(args.annotations)} files and --images {len(args.images)} folders; expected a "
            "folder for each file"
        )
    folders = [require_folder(folder, "--images") for folder in args.images]
    sets = list(zip(map(Path, args.annotations), folders))
    listing = list_several(sets, limits, args.keep_without_objects, args.without)
    return command.convert(listing, args)


main = functools.partial(command.main, _run, __doc__, _define)

if __name__ == "__main__":
    from data_prep import coco

    sys.exit(coco.main())  # not this module's own: workers know its classes by its name, not as __main__'s
