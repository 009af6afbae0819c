"""COVERAGE, also called COVER (copy-move forgeries with similar but genuine objects) -> records.

    python -m data_prep.coverage --input=COVERAGE --output=records

    COVERAGE/image/1.tif          authentic: the original of
    COVERAGE/image/1t.tif         manipulated
    COVERAGE/mask/1forged.tif     its mask (1copy.tif and 1paste.tif, which halve it, are not used)

The masks of 41, 48, 55 to 59, 61 and 95 are published in another size than their pictures: these nine are skipped
unless you put the corrected masks in place, which leaves 91.
"""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path, PurePosixPath

from data_prep.published import PublishedSet, need_folder, script
from data_prep.reading.entries import Listing
from data_prep.reading.listing import list_authentic, list_manipulated
from data_prep.reading.pairing import pair, picture_stem
from gsr_tf.data.masks import MaskRule

# https://github.com/wenbihan/coverage/issues/2; https://github.com/SunnyHaze/IML-Dataset-Corrections, section 2.3.
OTHER_SIZE = (41, 48, 55, 56, 57, 58, 59, 61, 95)
CORRECTED = "known; corrected masks: https://github.com/SunnyHaze/IML-Dataset-Corrections"


def _is_manipulated(file: PurePosixPath) -> bool:
    return file.stem.lower().endswith("t")


def find_authentic(root: Path) -> Listing:
    """Authentic pictures; what is no picture is counted with the manipulated ones."""
    images = need_folder(root, "image")
    return list_authentic(images, lambda file: not _is_manipulated(file))._replace(skipped=[])


def find_manipulated(root: Path) -> Listing:
    """Manipulated pictures with masks and originals."""
    images, masks = need_folder(root, "image"), need_folder(root, "mask")
    original_of = {PurePosixPath(entry.name).stem: entry.image for entry in find_authentic(root).entries}
    return list_manipulated(
        images,
        masks,
        MaskRule(),
        pair_files=functools.partial(
            pair,
            stem_of_picture=lambda file: picture_stem(file)[:-1],
            stem_of_mask=lambda file: re.sub("forged$", "", picture_stem(file).lower()),
        ),
        is_picture=_is_manipulated,
        is_mask=lambda file: not re.search("(copy|paste)$", file.stem.lower()),
        find_originals=lambda files: {file: original_of.get(file.stem[:-1], "") for file in files},
        known={f"{number}t": CORRECTED for number in OTHER_SIZE},
    )


SET = PublishedSet(
    name="coverage",
    title="COVERAGE (COVER)",
    source="https://github.com/wenbihan/coverage",
    licence="Research use",
    size="about 0.2 GB",
    manipulated=100,
    authentic=100,
    signs=("image/*t.tif", "mask/*forged.tif"),
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
)

main = script(SET, __doc__)

if __name__ == "__main__":
    sys.exit(main())
