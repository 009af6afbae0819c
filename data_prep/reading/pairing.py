"""Which mask belongs to which picture: by name, never by position."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

from data_prep.reading.entries import Skipped
from gsr_tf.data.pictures import PICTURE_SUFFIXES
from gsr_tf.errors import first_of

# What publishers append to a picture's stem to name its mask.
MASK_ENDINGS = ("_gt", "-gt", "_mask", "-mask", "_groundtruth", "_edgemask")
UNPAIRED = ("no mask", "several masks", "several pictures")  # reasons
UNDERSTOOD = f"a mask's name is its picture's, with or without {', '.join(MASK_ENDINGS)}"

Stem = Callable[[PurePosixPath], str]


def picture_stem(file: PurePosixPath) -> str:
    """The name without its suffix, in one unicode form (disks differ in how they store accents)."""
    return unicodedata.normalize("NFC", file.stem)


def mask_stem(file: PurePosixPath) -> str:
    """The stem of the picture that a mask belongs to."""
    stem = picture_stem(file)
    ending = next((ending for ending in MASK_ENDINGS if stem.lower().endswith(ending)), "")
    return stem[: len(stem) - len(ending)]


def whole_name_stem(mask: PurePosixPath) -> str:
    """Of a mask named after its picture's whole name, "IMG (1).jpg.png", that name's stem; else as `mask_stem`."""
    inner = PurePosixPath(mask_stem(mask))
    return inner.stem if inner.suffix.lower() in PICTURE_SUFFIXES else str(inner)


def _folder(file: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(file.parent))


class Pairs(NamedTuple):
    """Pictures with their masks, and what found no partner or too many."""

    pairs: list[tuple[PurePosixPath, PurePosixPath]]
    skipped: list[Skipped]


Files = list[PurePosixPath]
Key = Callable[[PurePosixPath], object]


def _groups(files: Iterable[PurePosixPath], key: Key) -> dict[object, Files]:
    groups = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return groups


def _match(pictures: Files, masks: Files, picture_key: Key, mask_key: Key) -> dict[PurePosixPath, PurePosixPath]:
    """Pictures whose key no other picture and exactly one mask has, each with that mask."""
    mask_groups = _groups(masks, mask_key)
    return {
        group[0]: mask_groups[key][0]
        for key, group in _groups(pictures, picture_key).items()
        if len(group) == len(mask_groups.get(key, ())) == 1
    }


def _explain(picture: PurePosixPath, rivals: Files, masks: Files, names: str) -> Skipped:
    if not masks:
        return Skipped(str(picture), "no mask", names)
    if len(masks) > 1:
        return Skipped(str(picture), "several masks", first_of(masks))
    return Skipped(str(picture), "several pictures", f"{first_of(rivals)} all match the mask {masks[0]}")


def _unmatched(pictures: Files, masks: Files, picture_key: Key, mask_key: Key, names: str) -> list[Skipped]:
    """Why these pictures have no mask, and the masks that belong to no picture; `names` says how masks are named."""
    groups, mask_groups = _groups(pictures, picture_key), _groups(masks, mask_key)
    skipped = [
        _explain(file, group, mask_groups.get(key, []), names) for key, group in groups.items() for file in group
    ]
    orphans = [mask for key, group in mask_groups.items() if key not in groups for mask in group]
    return sorted([*skipped, *(Skipped(str(mask), "no picture", "a mask that belongs to none") for mask in orphans)])


def pair(
    pictures: Iterable[PurePosixPath],
    masks: Iterable[PurePosixPath],
    *,
    stem_of_picture: Stem = picture_stem,
    stem_of_mask: Stem = whole_name_stem,
) -> Pairs:
    """Pairs one picture with one mask, by folder and stem, then regardless of case, then by stem alone.

    Args:
        pictures: files relative to their folder.
        masks: files relative to theirs.
        stem_of_picture: what of a picture's name its mask's name repeats.
        stem_of_mask: the same, from the mask's name.

    Returns:
        Pairs in the pictures' order. A picture with several possible masks, or a mask with several pictures, is
        refused rather than guessed at; a mask without a picture is listed as skipped too.
    """
    pictures, masks = sorted(pictures), sorted(masks)
    # A picture named like a mask, me_mask.jpg, has a mask of the very same stem or none.
    odd = [file for file in pictures if mask_stem(file) != picture_stem(file)]
    pairs = _match(odd, masks, _in_its_folder(picture_stem), _in_its_folder(picture_stem))
    # Then from the strictest likeness to the loosest: each round sees what the ones before left.
    for likeness in (_in_its_folder, _in_its_folder_whatever_case, _anywhere_whatever_case):
        keys = likeness(stem_of_picture), likeness(stem_of_mask)
        pairs |= _match(*_left(pictures, masks, pairs), *keys)
    names = UNDERSTOOD if stem_of_mask is whole_name_stem else ""
    return Pairs(sorted(pairs.items()), _unmatched(*_left(pictures, masks, pairs), *keys, names))


def _in_its_folder(stem: Stem) -> Key:
    return lambda file: (_folder(file), stem(file))


def _in_its_folder_whatever_case(stem: Stem) -> Key:
    return lambda file: (_folder(file).casefold(), stem(file).casefold())


def _anywhere_whatever_case(stem: Stem) -> Key:
    return lambda file: stem(file).casefold()


def _left(pictures: Files, masks: Files, pairs: dict[PurePosixPath, PurePosixPath]) -> tuple[Files, Files]:
    """The pictures and masks that are in no pair."""
    taken = set(pairs.values())
    return [file for file in pictures if file not in pairs], [file for file in masks if file not in taken]
