"""Folders of pictures and masks -> a Listing: what every data set's script builds on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from data_prep.reading.entries import Entry, Listing
from data_prep.reading.files import list_files, split_pictures
from data_prep.reading.masks import MaskFile
from data_prep.reading.pairing import Files, Pairs, mask_stem, pair, picture_stem
from gsr_tf.data.masks import MaskRule


def _files_outside(folder: Path, other: Path) -> Files:
    """The files of `folder` that do not lie in the folder `other`, which may be one of its subfolders."""

    @functools.cache
    def is_outside(parent: PurePosixPath) -> bool:
        above = (part for part in (parent, *parent.parents) if part.parts)
        return not any((folder / part).samefile(other) for part in above)

    return [file for file in list_files(folder) if is_outside(file.parent)]


def _split(images: Path, masks: Path, is_picture: Callable, is_mask: Callable) -> tuple[Files, Files, list]:
    """Pictures, masks and what is neither, of two folders, one in the other perhaps, or of one that holds both."""
    if masks.samefile(images):
        pictures, others = split_pictures(list_files(images))
        candidates = [file for file in pictures if mask_stem(file) != picture_stem(file)]
        pictures = sorted(set(pictures) - set(candidates))
    else:
        pictures, others = split_pictures(_files_outside(images, masks))
        candidates, not_masks = split_pictures(_files_outside(masks, images))
        others += not_masks
    return [file for file in pictures if is_picture(file)], [file for file in candidates if is_mask(file)], others


def list_manipulated(
    images: Path,
    masks: Path,
    rule: MaskRule,
    *,
    pair_files: Callable[[Files, Files], Pairs] = pair,
    is_picture: Callable[[PurePosixPath], bool] = lambda file: True,
    is_mask: Callable[[PurePosixPath], bool] = lambda file: True,
    find_originals: Callable[[Files], dict[PurePosixPath, str]] = lambda pictures: {},
    known: dict[str, str] | None = None,
) -> Listing:
    """Lists pictures with their masks.

    Args:
        images: folder of the pictures.
        masks: folder of the masks; the same one when pictures and masks lie side by side. Of two folders, one of
            which lies in the other, no file counts for both.
        rule: how the masks are read.
        pair_files: who belongs to whom.
        is_picture: which picture files of `images` are meant.
        is_mask: which of `masks`.
        find_originals: pictures -> the file of the authentic picture that each was made from, where there is one.
        known: stem -> what is known to be wrong with it, said when it is refused.
    """
    pictures, candidates, others = _split(images, masks, is_picture, is_mask)
    pairs, skipped = pair_files(pictures, candidates)
    originals = find_originals(pictures)
    entries = [
        Entry(
            str(picture),
            str(images / picture),
            MaskFile(str(masks / mask), rule),
            originals.get(picture, ""),
            known=(known or {}).get(picture.stem, ""),
        )
        for picture, mask in pairs
    ]
    return Listing(entries, others + skipped, {"mask_rule": rule._asdict()})


def list_authentic(
    folder: Path | None, is_picture: Callable[[PurePosixPath], bool] = lambda file: True, name: str = ""
) -> Listing:
    """Lists the pictures of a folder as authentic.

    Args:
        folder: None: the set was unpacked without them; the list is empty.
        is_picture: which of its picture files are meant.
        name: comes before the pictures' names, so that they differ from the manipulated ones'.
    """
    if folder is None:
        return Listing([], [], {})
    pictures, others = split_pictures(list_files(folder))
    pictures = [file for file in pictures if is_picture(file)]
    return Listing([Entry(str(PurePosixPath(name, file)), str(folder / file)) for file in pictures], others, {})


def merge(listings: Iterable[Listing]) -> Listing:
    """One listing of several; of settings with the same name the last one's stays."""
    listings = list(listings)
    return Listing(
        [entry for listing in listings for entry in listing.entries],
        [skip for listing in listings for skip in listing.skipped],
        {key: value for listing in listings for key, value in listing.settings.items()},
    )
