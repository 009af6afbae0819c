"""Carvalho, also called DSO-1 (people spliced into photographs) -> records.

python -m data_prep.carvalho --input=tifs-database --output=records

tifs-database/DSO-1/splicing-01.png                     manipulated
tifs-database/DSO-1/normal-01.png                       authentic
tifs-database/DSO-1-Fake-Images-Masks/splicing-01.png   its mask: black (0) is manipulated
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

from data_prep.published import PublishedSet, need_folder, script
from data_prep.reading.entries import Listing
from data_prep.reading.listing import list_authentic, list_manipulated
from gsr_tf.data.masks import MaskRule


def _is_authentic(file: PurePosixPath) -> bool:
    return file.name.startswith("normal")


def find_manipulated(root: Path) -> Listing:
    """Manipulated pictures with masks."""
    images, masks = need_folder(root, "DSO-1"), need_folder(root, "DSO-1-Fake-Images-Masks")
    dark = MaskRule(inverted=True)
    return list_manipulated(images, masks, dark, is_picture=lambda file: not _is_authentic(file))


def find_authentic(root: Path) -> Listing:
    """Authentic pictures; what is no picture is counted with the manipulated ones."""
    return list_authentic(need_folder(root, "DSO-1"), _is_authentic)._replace(skipped=[])


SET = PublishedSet(
    name="carvalho",
    title="Carvalho (DSO-1)",
    source="https://recodbr.wordpress.com/code-n-data (tifs-database.zip)",
    licence="Research use",
    size="about 1 GB",
    manipulated=100,
    authentic=100,
    signs=("DSO-1", "DSO-1-Fake-Images-Masks"),
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
)

main = script(SET, __doc__)

if __name__ == "__main__":
    sys.exit(main())
