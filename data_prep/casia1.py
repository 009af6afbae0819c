"""CASIA v1.0 (image tampering detection evaluation database) -> records.

    python -m data_prep.casia1 --input=CASIA1 --output=records

    CASIA1/Modified Tp/Tp/{Sp,CM}/Sp_D_CND_A_pla0005_pla0023_0281.jpg      or CASIA1/Tp/{Sp,CM}/...
    CASIA1/CASIA 1.0 groundtruth/{Sp,CM}/Sp_D_CND_A_pla0005_pla0023_0281_gt.png
    CASIA1/Au/Au_pla_0005.jpg

CASIA published no masks: these are the public ones. Their publisher says that dozens of pictures in Tp are misnamed;
Modified Tp, in the collection that he offers, has them renamed, and is taken where both are there. A manipulated
picture's name holds the picture that it was made from and the one that the pasted part is from: the first, where Au has
it, is stored as its original.
Sp_D_NRN_A_cha0011_sec0011_0542.jpg has no mask and is skipped, which leaves 920.
"""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path, PurePosixPath

from data_prep.published import PublishedSet, find_folder, find_part, need_folder, need_masks, script
from data_prep.reading.entries import Listing
from data_prep.reading.files import list_files, split_pictures
from data_prep.reading.listing import list_authentic, list_manipulated
from gsr_tf.data.masks import MaskRule

MASKS = "CASIA 1.0 groundtruth"
OTHER_NAMES = ("groundtruth", "Gt")
AUTHENTIC = "Au_???_[0-9][0-9][0-9][0-9].*"  # CASIA 2 has a folder Au, too, with five digits

# The first picture id of a name, which CASIA 1 and 2 write as cha0063 and cha00063: the host. On CASIA 1 the
# picture outside its mask differs from that one by JPEG noise, from the second by everything.
HOST = re.compile(r"_([a-z]{3})(\d{4,5})_")


def find_originals(authentic: Path | None, pictures: list[PurePosixPath]) -> dict[PurePosixPath, str]:
    """Picture -> file of the authentic picture it was made from, where it is there."""
    if authentic is None:
        return {}
    by_stem = {file.stem.casefold(): str(authentic / file) for file in split_pictures(list_files(authentic))[0]}
    originals = {}
    for picture in pictures:
        host = HOST.search(picture.name)
        original = by_stem.get(f"au_{host[1]}_{host[2]}") if host else None
        if original:
            originals[picture] = original
    return originals


def _find_pictures(root: Path) -> Path:
    """The folder with Sp and CM."""
    modified = find_folder(root, "Modified Tp")
    return (find_folder(modified, "Tp") or modified) if modified else need_folder(root, "Tp")


def find_manipulated(*folders: Path) -> Listing:
    """Manipulated pictures with masks and originals."""
    images = _find_pictures(folders[0])
    masks = need_masks(folders, MASKS, also=OTHER_NAMES, source=SET.source)
    originals = functools.partial(find_originals, find_part(folders, "Au", signs=[AUTHENTIC]))
    return list_manipulated(images, masks, MaskRule(), find_originals=originals)


def find_authentic(*folders: Path) -> Listing:
    """Authentic pictures."""
    return list_authentic(find_part(folders, "Au", signs=[AUTHENTIC]), name="Au")


SET = PublishedSet(
    name="casia1",
    title="CASIA 1.0",
    source="https://github.com/namtpham/casia1groundtruth (masks, and where the pictures are)",
    licence="Research use, by the terms of CASIA",
    size="about 0.1 GB",
    manipulated=921,
    authentic=800,
    signs=("*T[pP]/**/Sp_[DS]_*",),  # seen from the folder above Modified Tp, where the masks are
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
    in_parts=True,
)

main = script(SET, __doc__)

if __name__ == "__main__":
    sys.exit(main())
