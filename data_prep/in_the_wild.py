"""In-The-Wild (Huh et al., ECCV 2018: splices from the internet) -> records.

    python -m data_prep.in_the_wild --input=label_in_wild --output=records

    label_in_wild/images/2251.jpg
    label_in_wild/masks/2251.png      bright is manipulated

The set has no authentic pictures.
"""

from __future__ import annotations

import sys
from pathlib import Path

from data_prep.published import PublishedSet, find_folder, need_folder, script
from data_prep.reading.entries import Listing
from data_prep.reading.listing import list_authentic, list_manipulated
from gsr_tf.data.masks import MaskRule


def find_manipulated(root: Path) -> Listing:
    """Manipulated pictures with masks."""
    home = find_folder(root, "label_in_wild") or root  # beside it lie other sets, with images of their own
    return list_manipulated(need_folder(home, "images"), need_folder(home, "masks"), MaskRule())


def find_authentic(root: Path) -> Listing:
    """None: the set has no authentic pictures."""
    return list_authentic(None)


SET = PublishedSet(
    name="in_the_wild",
    title="In-The-Wild",
    source="https://minyoungg.github.io/selfconsistency (label_in_wild.tar.gz)",
    licence="Research use; the pictures are from many sources",
    size="about 0.1 GB",
    manipulated=201,
    authentic=0,
    signs=("label_in_wild/images", "label_in_wild/masks"),
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
)

main = script(SET, __doc__)

if __name__ == "__main__":
    sys.exit(main())
