"""Columbia uncompressed image splicing -> records.

    python -m data_prep.columbia --input=Columbia --output=records

    Columbia/4cam_splc/canong3_canonxt_sub_01.tif                      manipulated
    Columbia/4cam_splc/edgemask/canong3_canonxt_sub_01_edgemask.jpg    its mask, in colours
    Columbia/4cam_auth/canong3_02_sub_01.tif                           authentic

The edge masks colour the two cameras' parts red and green, in two shades each. Green is taken as manipulated, by the
rule of GSR-Net's release: red below 100, which JPEG noise does not reach.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePosixPath

from data_prep.published import PublishedSet, find_part, need_folder, script
from data_prep.reading.entries import Listing
from data_prep.reading.listing import list_authentic, list_manipulated
from gsr_tf.data.masks import MaskRule

NOT_RED = MaskRule(threshold=99, inverted=True, channel=0)


def _is_photograph(file: PurePosixPath) -> bool:
    return "edgemask" not in file.parts  # both folders of pictures hold a folder of edge masks


def find_manipulated(root: Path, *_: Path) -> Listing:
    """Manipulated pictures with masks."""
    images = need_folder(root, "4cam_splc")
    return list_manipulated(images, need_folder(images, "edgemask"), NOT_RED, is_picture=_is_photograph)


def find_authentic(*folders: Path) -> Listing:
    """Authentic pictures."""
    return list_authentic(find_part(folders, "4cam_auth"), _is_photograph, name="4cam_auth")


SET = PublishedSet(
    name="columbia",
    title="Columbia (uncompressed)",
    source="https://www.ee.columbia.edu/ln/dvmm/downloads/authsplcuncmp",
    licence="Research use, on request",
    size="about 0.8 GB",
    manipulated=180,
    authentic=183,
    signs=("4cam_splc",),
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
    in_parts=True,
)

main = script(SET, __doc__)

if __name__ == "__main__":
    sys.exit(main())
