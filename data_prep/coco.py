"""COCO's pictures and objects -> records: every usable object of a picture is a mask K of it.

    python -m data_prep.coco --annotations=annotations/instances_train2017.json --images=train2017 --output=records

Takes the instance annotations of COCO 2014 and 2017, and any file of that form: polygons, and run lengths with or
without compression. Get the pictures and annotations from https://cocodataset.org/#download (2017: 118,287 pictures
in train, 18 GB, 860,001 objects; 5,000 in val, 1 GB, 36,781 objects). The annotations are CC BY 4.0; the pictures
are under the Flickr licences that the annotation file names one by one.

    train2017/000000000009.jpg ...
    annotations/instances_train2017.json ...

Crowds are no objects, and tiny or huge objects make no useful composite: they are left out and counted. A picture
without a usable object is authentic all the same, and kept as a target (--nokeep_without_objects: skipped).
"""

from __future__ import annotations

import functools
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from absl import flags
from pycocotools import mask as coco_mask
from tqdm import tqdm

from data_prep import command
from data_prep.reading.entries import Entry, Listing, Objects, PreparationError, Skipped
from data_prep.reading.files import file_sha256, require_folder
from data_prep.reading.json_arrays import elements, read_elements


class AreaLimits(NamedTuple):
    """Which objects are used, by their share of the picture's area."""

    least: float
    most: float

    def refusal(self, share: float) -> str:
        """Why an object of this share is not used; "" when it is."""
        if share == 0:
            return "object is empty"
        if share < self.least:
            return "object is too small"
        return "object is too large" if share > self.most or share == 1 else ""


def decode_object(annotation: dict, shape: tuple[int, int], limits: AreaLimits) -> np.ndarray | str:
    """One annotation -> its mask, [h, w] uint8, 0 or 1; or the reason why it is not used."""
    height, width = shape
    if annotation.get("iscrowd"):
        return "object is a crowd"
    segmentation = annotation.get("segmentation")
    try:
        if isinstance(segmentation, dict) and isinstance(segmentation["counts"], str):
            run_lengths = segmentation
        elif isinstance(segmentation, dict):
            run_lengths = coco_mask.frPyObjects(segmentation, height, width)
        else:
            polygons = [polygon for polygon in segmentation if len(polygon) >= 6]  # three corners
            run_lengths = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
        if tuple(run_lengths["size"]) != shape:
            return "object of another size than its picture"
        refusal = limits.refusal(float(coco_mask.area(run_lengths)) / (height * width))
        # By columns as it comes; OpenCV turns it several times faster than NumPy.
        return refusal or cv2.transpose(coco_mask.decode(run_lengths).T)
    except Exception:  # pycocotools raises nearly anything for what it cannot read
        return "object's outline cannot be read"


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
    def files(self) -> tuple[str]:
        """The annotation file."""
        return (self.path,)

    def read(self) -> Objects:
        """The usable objects; those left out by reason."""
        annotations = read_elements(self.path, self.places)
        decoded = [decode_object(annotation, self.shape, self.limits) for annotation in annotations]
        masks = [mask for mask in decoded if not isinstance(mask, str)]
        return Objects(self.shape, masks, [refusal for refusal in decoded if isinstance(refusal, str)])


def read_annotations(path: Path) -> tuple[dict[int, dict], dict[int, list[tuple[int, int]]]]:
    """Reads an annotation file, without keeping its outlines.

    Returns:
        Pictures by id (file_name, height, width), and by the same id the places of each one's annotations.

    Raises:
        PreparationError: not such a file.
    """
    pictures, places = {}, defaultdict(list)
    try:
        bar = tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=path.name, delay=2)
        for key, start, length, value in elements(path):
            bar.update(start + length - bar.n)
            if key == "images":
                pictures[value["id"]] = {name: value[name] for name in ("file_name", "height", "width")}
            elif key == "annotations":
                places[value["image_id"]].append((start, length))
        bar.close()
    except OSError as error:
        raise PreparationError(f"--annotations={path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError) as error:
        raise PreparationError(f"--annotations={path}: not a COCO annotation file ({error})") from error
    if not pictures:
        raise PreparationError(f"--annotations={path}: lists no pictures under 'images'")
    return pictures, places


def list_coco(annotations: Path, images: Path, limits: AreaLimits, keep_without_objects: bool) -> Listing:
    """Lists the pictures of an annotation file with their objects.

    Args:
        annotations: the JSON file.
        images: folder of the pictures.
        limits: which objects are used.
        keep_without_objects: pictures without a usable one are kept, as authentic ones.
    """
    pictures, places = read_annotations(annotations)
    entries, skipped, seen = [], [], set()
    for number, picture in sorted(pictures.items(), key=lambda item: item[1]["file_name"]):
        name = picture["file_name"]
        if name in seen:
            skipped.append(Skipped(name, "listed twice", f"id {number}"))
            continue
        seen.add(name)
        shape = (picture["height"], picture["width"])
        objects = CocoObjects(str(annotations), shape, places.pop(number, ()), limits)
        entries.append(Entry(name, str(images / name), objects, keep_unmasked=keep_without_objects))
    skipped += [Skipped(f"image id {number}", "objects of no picture") for number in places if number not in pictures]
    settings = {"limits": limits._asdict(), "keep_without_objects": keep_without_objects}
    return Listing(entries, skipped, {**settings, "annotations_sha256": file_sha256(annotations)})


def define_objects(values: flags.FlagValues) -> None:
    """The flags of the scripts that take COCO's objects."""
    flags.DEFINE_string("annotations", None, "The annotation file, JSON.", required=True, flag_values=values)
    flags.DEFINE_string("images", None, "Folder of the pictures.", required=True, flag_values=values)
    flags.DEFINE_float(
        "min_area_fraction", 0.01, "Objects that cover less of the picture are left out.", 0, 1, flag_values=values
    )
    flags.DEFINE_float(
        "max_area_fraction", 0.5, "Objects that cover more of it are left out.", 0, 1, flag_values=values
    )
    flags.DEFINE_boolean(
        "keep_without_objects", True, "Keep pictures without a usable object, as targets.", flag_values=values
    )
    command.define_output(values)


def read_limits(args: flags.FlagValues) -> AreaLimits:
    """The limits that the flags set."""
    if args.min_area_fraction > args.max_area_fraction:
        raise flags.Error(
            f"--min_area_fraction={args.min_area_fraction} is more than --max_area_fraction={args.max_area_fraction}"
        )
    return AreaLimits(args.min_area_fraction, args.max_area_fraction)


def _run(args: flags.FlagValues) -> int:
    limits = read_limits(args)
    images = require_folder(args.images, "--images")
    listing = list_coco(Path(args.annotations), images, limits, args.keep_without_objects)
    return command.convert(listing, args)


main = functools.partial(command.main, _run, __doc__, define_objects)

if __name__ == "__main__":
    sys.exit(main())
