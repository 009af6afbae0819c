"""A folder of pictures, with a folder of masks -> records.

    python -m data_prep.folder --images=photos --masks=masks --output=records

A picture and its mask are paired by name: x.jpg with x.png, x_gt.png, x_mask.png ..., in the same subfolder or,
where that leaves no doubt, anywhere. Masks are bright where the picture was manipulated, and of its size.
Without --masks the pictures are authentic: targets that objects are pasted into. With --originals, the authentic
picture that each was made from, of the same name, is kept beside it.

What cannot be used is named, counted and skipped: found = kept + skipped.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path, PurePosixPath

from absl import flags

from data_prep import command
from data_prep.reading.files import list_files, require_folder, split_pictures
from data_prep.reading.listing import list_authentic, list_manipulated
from data_prep.reading.pairing import pair, picture_stem
from gsr_tf.data.masks import MaskRule

OF_MASKS = ("originals", "inverted", "mask_threshold")  # flags that say nothing of authentic pictures


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("images", None, "Folder of pictures.", required=True, flag_values=values)
    flags.DEFINE_string("masks", None, "Folder of their masks; none: the pictures are authentic.", flag_values=values)
    flags.DEFINE_string("originals", None, "Folder of the authentic pictures they were made from.", flag_values=values)
    flags.DEFINE_boolean("inverted", False, "Manipulated is dark in the masks.", flag_values=values)
    command.define_threshold(values)
    command.define_output(values)


def _find_originals(folder: Path | None, pictures: list[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Picture -> file of its original, where there is one."""
    if folder is None:
        return {}
    candidates, _ = split_pictures(list_files(folder))
    matched = pair(pictures, candidates, stem_of_mask=picture_stem).pairs
    return {picture: str(folder / original) for picture, original in matched}


def _run(args: flags.FlagValues) -> int:
    images = require_folder(args.images, "--images")
    if args.masks is None:
        for name in OF_MASKS:
            if args[name].present:
                raise flags.Error(f"--{name} needs --masks: without it the pictures are authentic")
        return command.convert(list_authentic(images), args)
    masks = require_folder(args.masks, "--masks")
    originals = require_folder(args.originals, "--originals") if args.originals else None
    rule = MaskRule(args.mask_threshold, args.inverted)
    listing = list_manipulated(images, masks, rule, find_originals=functools.partial(_find_originals, originals))
    return command.convert(listing, args)


main = functools.partial(command.main, _run, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
