"""CASIA v2.0 (image tampering detection evaluation database) -> records: what GSR-Net is trained on.

    python -m data_prep.casia2 --input=CASIA2 --output=records [--list=train_all_single_seg.txt]

    CASIA2/Tp/Tp_D_CRN_S_N_cha00063_art00014_11818.jpg
    CASIA2/CASIA 2 Groundtruth/Tp_D_CRN_S_N_cha00063_art00014_11818_gt.png   (the public masks)
    CASIA2/Au/Au_cha_00063.jpg

The authors' masks, which they give on request, lack the "_gt": both pair. Known mistakes of the publication are
handled: 99 pictures whose name says "spliced" where a region was copied, or the reverse, and whose mask says it
rightly; 17 masks of another size than their picture, which are skipped unless you put the corrected ones in place.
The authentic picture that each was made from is found by its name and stored as its original.

--list keeps the pictures that a file names, one a line, such as the release's list of 4,772 training pictures.
"""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path, PurePosixPath

from absl import flags

from data_prep import command
from data_prep.casia1 import find_originals
from data_prep.published import (
    PublishedSet,
    about,
    define_input,
    find_part,
    need_folder,
    need_masks,
)
from data_prep.reading.entries import Entry, Listing, PreparationError, Skipped
from data_prep.reading.files import require_folder
from data_prep.reading.listing import list_authentic, list_manipulated
from data_prep.reading.pairing import Pairs, mask_stem, pair, picture_stem
from gsr_tf.data.masks import MaskRule
from gsr_tf.marked_text import decode, lines

MASKS = ("CASIA 2 Groundtruth", "CASIA2.0_Groundtruth", "casia2groundtruth")
OTHER_NAMES = ("groundtruth", "Gt", "mask")
AUTHENTIC = "Au_???_[0-9][0-9][0-9][0-9][0-9].*"  # CASIA 1 has a folder Au, too, with four digits

# https://github.com/SunnyHaze/IML-Dataset-Corrections, section 2.2.
CORRECTED = "known; corrected masks: https://github.com/SunnyHaze/CASIA2.0-Corrected-Groundtruth"
OTHER_SIZE = (
    "Tp_D_CNN_M_N_sec00011_cha00085_11227",
    "Tp_D_CRN_S_N_ani10191_ani10190_12437",
    "Tp_D_CRN_S_N_nat10130_pla00049_11524",
    "Tp_D_NND_M_B_nat20098_nat20073_01602",
    "Tp_D_NRN_M_N_nat10134_nat00095_11912",
    "Tp_D_NRN_M_N_nat10134_nat10124_11913",
    "Tp_S_CRN_S_N_art00059_art00059_10508",
    "Tp_S_NND_S_N_sec20064_sec20064_01654",
    "Tp_S_NNN_S_N_art20077_art20077_01883",
    "Tp_S_NNN_S_N_ind20037_ind20037_01778",
    "Tp_S_NNN_S_N_sec00012_sec00012_11230",
    "Tp_S_NNN_S_N_sec00074_sec00074_00751",
    "Tp_S_NRD_S_N_arc20079_arc20079_01719",
    "Tp_S_NRD_S_N_pla20071_pla20071_01971",
    "Tp_S_NRN_S_B_ind10002_ind10002_20010",
    "Tp_S_NRN_S_N_art20077_art20077_02316",
    "Tp_S_NRN_S_N_pla20080_pla20080_01980",
)


def _without_kind(stem: str) -> str:
    """The stem without its second field, D (spliced) or S (copied): what 99 publications of it disagree about."""
    return re.sub(r"^tp_[ds]_", "tp_", stem.casefold())


def pair_renamed(pictures: list[PurePosixPath], masks: list[PurePosixPath]) -> Pairs:
    """Pairs by name, and those that are left by the name without D or S.

    https://github.com/namtpham/casia2groundtruth (Notes) renames 39 pictures from S to D and 60 from D to S; its
    masks have the right names, the pictures as published the wrong ones.
    """
    exact = pair(pictures, masks)
    left = {skip.name for skip in exact.skipped if skip.reason in ("no mask", "no picture")}
    renamed = pair(
        [file for file in pictures if str(file) in left],
        [file for file in masks if str(file) in left],
        stem_of_picture=lambda file: _without_kind(picture_stem(file)),
        stem_of_mask=lambda file: _without_kind(mask_stem(file)),
    )
    doubtful = [skip for skip in exact.skipped if skip.name not in left]
    return Pairs(sorted(exact.pairs + renamed.pairs), doubtful + renamed.skipped)


def find_manipulated(*folders: Path) -> Listing:
    """Manipulated pictures with masks and originals."""
    return list_manipulated(
        need_folder(folders[0], "Tp"),
        need_masks(folders, *MASKS, also=OTHER_NAMES, source=SET.source),
        MaskRule(),
        pair_files=pair_renamed,
        find_originals=functools.partial(find_originals, find_part(folders, "Au", signs=[AUTHENTIC])),
        known=dict.fromkeys(OTHER_SIZE, CORRECTED),
    )


def find_authentic(*folders: Path) -> Listing:
    """Authentic pictures."""
    return list_authentic(find_part(folders, "Au", signs=[AUTHENTIC]), name="Au")


def keep_listed(listing: Listing, path: Path) -> Listing:
    """The manipulated pictures that a list file names; the others, and names without a picture, are skipped.

    Args:
        listing: of the set; its authentic pictures stay.
        path: one picture a line, the first word; folders and suffixes are ignored.

    Raises:
        PreparationError: the file cannot be read, or names none of the set's pictures.
    """
    try:
        named = lines(decode(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise PreparationError(f"--list={path}: cannot be read as text ({error})") from error
    wanted = {_without_kind(PurePosixPath(line.split()[0]).stem) for line in named if line.strip()}

    def stem(entry: Entry) -> str:
        return _without_kind(PurePosixPath(entry.name).stem)

    manipulated = [entry for entry in listing.entries if entry.masks]
    there = {stem(entry) for entry in manipulated}
    if not there & wanted:
        raise PreparationError(f"--list={path}: names none of the {len(manipulated)} pictures with a mask")
    kept = [entry for entry in listing.entries if not entry.masks or stem(entry) in wanted]
    missing = wanted - there
    unlisted = [Skipped(entry.name, "not in the list") for entry in manipulated if stem(entry) not in wanted]
    skipped = [*listing.skipped, *unlisted, *(Skipped(name, "listed but not there") for name in sorted(missing))]
    return Listing(kept, skipped, {**listing.settings, "list": sorted(wanted)})


SET = PublishedSet(
    name="casia2",
    title="CASIA 2.0",
    source="https://github.com/namtpham/casia2groundtruth (masks, and where the pictures are)",
    licence="Research use, by the terms of CASIA",
    size="about 2.6 GB",
    manipulated=5123,
    authentic=7491,
    signs=("Tp/Tp_[DS]_*",),
    find_manipulated=find_manipulated,
    find_authentic=find_authentic,
    in_parts=True,
)


def _define(values: flags.FlagValues) -> None:
    define_input(values)
    flags.DEFINE_string("list", None, "Keep only the pictures that this file names.", flag_values=values)


def _run(args: flags.FlagValues) -> int:
    if args.list and args.pictures == "authentic":
        raise flags.Error("--list names manipulated pictures, of which --pictures=authentic takes none")
    listing = SET.find(args.pictures, require_folder(args.input, "--input"))
    return command.convert(keep_listed(listing, Path(args.list)) if args.list else listing, args)


main = functools.partial(command.main, _run, f"{__doc__.rstrip()}\n\n{about(SET)}", _define)

if __name__ == "__main__":
    sys.exit(main())
