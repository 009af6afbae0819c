"""IMD2020 (real-life manipulated pictures from the internet) -> records.

    python -m data_prep.imd2020 --input=IMD2020 --output=records

    IMD2020/1a1ogs/1a1ogs_orig.jpg         authentic: the original of the others in its folder
    IMD2020/1a1ogs/c8t2g5p_0.jpg           manipulated
    IMD2020/1a1ogs/c8t2g5p_0_mask.png      its mask: bright is manipulated

The form that some tools redistribute is taken too: Tp/ and Gt/ with equal stems, and Au/. The mask of
z14/00030_fake.jpg is published in another size, so this one is skipped unless you put the corrected one in place.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

from data_prep.published import PublishedSet, find_folder, script
from data_prep.reading.entries import Listing
from data_prep.reading.listing import list_authentic, list_manipulated
from gsr_tf.data.masks import MaskRule

# https://github.com/SunnyHaze/IML-Dataset-Corrections, section 2.4.
KNOWN = {"00030_fake": "known; corrected mask: https://github.com/SunnyHaze/IML-Dataset-Corrections"}


def _is_authentic(file: PurePosixPath) -> bool:
    return file.stem.endswith("_orig")


def find_authentic(root: Path) -> Listing:
    """Authentic pictures; what is no picture is, in the form as published, counted with the manipulated ones."""
    authentic = find_folder(root, "Au")
    if authentic or find_folder(root, "Tp"):
        return list_authentic(authentic, name="Au")
    return list_authentic(root, _is_authentic)._replace(skipped=[])


def find_manipulated(root: Path) -> Listing:
    """Manipulated pictures with masks and originals."""
    images, masks = find_folder(root, "Tp"), find_folder(root, "Gt")
    if images and masks:
        return list_manipulated(images, masks, MaskRule(), known=KNOWN)
    original_of = {PurePosixPath(entry.name).parent: entry.image for entry in find_authentic(root).entries}
    return list_manipulated(
        root,
        root,
        MaskRule(),
        is_picture=lambda file: not _is_authentic(file),
        find_originals=lambda files: {file: original_of.get(file.parent, "") for file in files},
        known=KNOWN,
    )


SET = PublishedSet(
    name="imd2020",
    title="IMD2020",
    source="http://staff.utia.cas.cz/novozada/db (IMD2020, real-life manipulated images)",
    licence="Research use",
    size="about 3.4 GB",
    manipulated=2010,
    authentic=414,
    signs=("*/*_orig.*", "*/*_mask.png"),
    redistributed=("Tp", "Gt", "Au/*_orig.*"),
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
)

main = script(SET, __doc__)

if __name__ == "__main__":
    sys.exit(main())
