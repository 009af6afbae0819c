r"""COCO's panoptic PNGs -> records: every usable thing of a picture is a mask K of it.

    python -m data_prep.coco_panoptic --annotations=annotations/panoptic_train2017.json \
        --panoptic=panoptic_train2017 --images=train2017 --output=records

    train2017/000000000009.jpg
    panoptic_train2017/000000000009.png      each pixel's segment id is red + 256 green + 65,536 blue
    annotations/panoptic_train2017.json      what the segments are

Get them from https://cocodataset.org/#download (2017 panoptic: 0.8 GB besides the pictures). Licences and filters as
in data_prep.coco; segments of stuff (sky, grass) are no objects, they are left out and counted. A picture without a
usable thing is skipped and named.
"""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import flags

from data_prep import command
from data_prep.coco import define_objects, read_limits
from data_prep.reading.annotations import id_text, inside, read_annotations, refuse_crowds, refusing
from data_prep.reading.entries import Entry, Listing, Objects, PreparationError, Refused, Skipped
from data_prep.reading.files import file_sha256, require_folder
from data_prep.reading.json_arrays import elements, read_elements
from data_prep.reading.outlines import CROWD, STUFF, AreaLimits
from gsr_tf.data.pictures import decode_picture, read_bytes


class PanopticSegments(NamedTuple):
    """The segments of one picture.

    Attributes:
        path: the annotation file.
        places: (first byte, length) of the picture's annotations in it; several are taken together.
        folder: of the PNGs.
        things: category ids of things.
        limits: which objects are used.
    """

    path: str
    places: Sequence[tuple[int, int]]
    folder: str
    things: frozenset
    limits: AreaLimits

    @property
    def files(self) -> list[str]:
        """The PNGs that the annotations name."""
        names = (annotation.get("file_name") for annotation in read_elements(self.path, self.places))
        return list(filter(None, (inside(Path(self.folder), name) for name in names if isinstance(name, str))))

    def read(self) -> Objects:
        """The usable things; what is left out by reason."""
        segments = {}  # by PNG, then by id: annotations of one picture may name the same
        for annotation in read_elements(self.path, self.places):
            try:
                png = inside(Path(self.folder), annotation["file_name"])
                for segment in annotation["segments_info"]:
                    number, category = int(id_text(segment["id"])), id_text(segment["category_id"])
                    segments.setdefault(png, {})[number] = category, segment.get("iscrowd")
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise Refused("annotation is incomplete", f"{error} missing or of another form") from error
        if None in segments:
            raise Refused("annotation is incomplete", "file_name leads outside the folder")
        if not segments:
            raise Refused("annotation is incomplete", "no segments")
        parts = [self._of_png(png, own) for png, own in segments.items()]
        if len({part.shape for part in parts}) > 1:
            raise Refused("sizes differ", f"of {', '.join(segments)}")
        masks, refused = [mask for part in parts for mask in part.masks], [x for part in parts for x in part.refused]
        return Objects(parts[0].shape, masks, refused)

    def _of_png(self, png: str, segments: dict) -> Objects:
        pixels = decode_picture(read_bytes(png), png).pixels.astype(np.uint32)
        segment_of = pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2]
        masks, refused = [], []
        for number, (category, crowd) in segments.items():
            mask = (segment_of == number).astype(np.uint8)
            refusal = self._refusal(category, crowd, float(mask.mean()))
            if refusal:
                refused.append(refusal)
            else:
                masks.append(mask)
        return Objects(segment_of.shape, masks, refused)

    def _refusal(self, category: str, crowd: object, share: float) -> str:
        if category not in self.things:
            return STUFF
        return CROWD if crowd and not self.limits.crowds else self.limits.refusal(share)


def _read_things(annotations: Path, crowds: bool) -> frozenset:
    """The ids of the categories of things; PreparationError where there are none, or all things are crowds."""
    things, crowded, segments = set(), Counter(), Counter()
    with refusing(annotations):
        for key, _, _, value in elements(annotations):
            if key == "categories" and value.get("isthing"):
                things.add(id_text(value["id"]))
            for segment in value.get("segments_info") or () if key == "annotations" else ():
                if isinstance(segment, dict) and type(segment.get("category_id")) in (int, float, str):
                    category = id_text(segment["category_id"])
                    segments[category] += 1
                    crowded[category] += bool(segment.get("iscrowd"))
    if not things:
        raise PreparationError(f"--annotations={annotations}: no category says 'isthing'; is it a panoptic file?")
    if not crowds:
        refuse_crowds(annotations, *(sum(counted[thing] for thing in things) for counted in (crowded, segments)))
    return frozenset(things)


def list_panoptic(annotations: Path, panoptic: Path, images: Path, limits: AreaLimits) -> Listing:
    """Lists the pictures of a panoptic annotation file; arguments as `data_prep.coco.list_coco`.

    None of them is authentic: of every picture that it annotates, the file says what covers it.
    """
    pictures, skipped = read_annotations(annotations, images, limits.crowds)
    things = _read_things(annotations, limits.crowds)
    entries = []
    for picture in pictures:
        if not picture.places:
            skipped.append(Skipped(picture.name, "no mask", "no annotation"))
            continue
        segments = PanopticSegments(str(annotations), picture.places, str(panoptic), things, limits)
        entries.append(Entry(picture.name, picture.path, segments))
    return Listing(entries, skipped, {"limits": limits._asdict(), "annotations_sha256": file_sha256(annotations)})


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("annotations", None, "The annotation file, JSON.", required=True, flag_values=values)
    flags.DEFINE_string("images", None, "Folder of the pictures.", required=True, flag_values=values)
    flags.DEFINE_string("panoptic", None, "Folder of the panoptic PNGs.", required=True, flag_values=values)
    define_objects(values)


def _run(args: flags.FlagValues) -> int:
    images, panoptic = require_folder(args.images, "--images"), require_folder(args.panoptic, "--panoptic")
    limits = read_limits(args)
    listing = list_panoptic(Path(args.annotations), panoptic, images, limits)
    return command.convert(listing, args)


main = functools.partial(command.main, _run, __doc__, _define)

if __name__ == "__main__":
    from data_prep import coco_panoptic

    sys.exit(coco_panoptic.main())  # not this module's own: workers know its classes by its name, not as __main__'s
