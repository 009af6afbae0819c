"""Which pictures a folder or file of any known layout holds."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath, PurePosixPath

from data_prep import interchange
from data_prep.catalogue import recognise
from data_prep.inspecting.samples import Sample
from data_prep.reading.entries import Listing, PreparationError, Skipped
from data_prep.reading.files import require_folder
from data_prep.reading.listing import list_authentic, list_manipulated, merge
from data_prep.reading.pairing import picture_stem
from gsr_tf.data import folders
from gsr_tf.data.masks import MaskRule
from gsr_tf.data.records import INDEX_NAME, open_records

FOLDER_OF_MASKS = re.compile(r"(mask|ground.?truth|(^|[ _-])gt)s?$", re.IGNORECASE)


def _pictures_beside_masks(folder: Path) -> Path | None:
    """The one subfolder that is not named as one of masks, where another is; None where there is none, or several."""
    subfolders = [path for path in folder.glob("*/") if not folders.is_hidden(PurePath(path.name))]
    others = [path for path in subfolders if not FOLDER_OF_MASKS.search(path.name)]
    return others[0] if len(others) == 1 < len(subfolders) else None


def _list_folder(folder: Path) -> Listing:
    """A folder's pictures, by the first layout that fits; where none has masks, as authentic ones."""
    published = recognise(folder)
    if published is not None:
        return published.find("both", folder)
    pictures = _pictures_beside_masks(folder)
    published = pictures and recognise(pictures)
    if published and published.in_parts:
        return published.find("both", pictures, folder)
    if interchange.is_mani_dataset(folder):
        authentic = folder / "Au"
        manipulated = interchange.list_mani_dataset(folder, MaskRule())
        return merge([manipulated, list_authentic(authentic if authentic.is_dir() else None, name="Au")])
    images, masks = folder / "images", folder / "masks"
    if images.is_dir() and masks.is_dir():
        return list_manipulated(images, masks, MaskRule())
    side_by_side = list_manipulated(folder, folder, MaskRule())
    return side_by_side if side_by_side.entries else _list_photographs(folder)


def _list_photographs(folder: Path) -> Listing:
    """A folder's pictures as authentic; a PreparationError where some of them may be the others' masks."""
    listing = list_authentic(folder)
    doubt = _doubt(listing)
    if doubt:
        raise PreparationError(
            f"PATH={folder}: {doubt}, so its pictures are not taken for authentic. Give pictures and masks to "
            "`data_prep.folder --images=... --masks=...` and check the records; check authentic ones folder by folder"
        )
    return listing


def _doubt(listing: Listing) -> str:
    """What speaks for masks among a folder's files; "" when nothing does."""
    for name, *_ in (*listing.entries, *listing.skipped):
        for part in PurePosixPath(name).parts[:-1]:
            if FOLDER_OF_MASKS.search(part):
                return f"{part!r} in it is named as a folder of masks"
    seen: dict[str, str] = {}
    for entry in listing.entries:
        twin = seen.setdefault(picture_stem(PurePosixPath(entry.name)).casefold(), entry.name)
        if twin != entry.name:
            return f"{twin} and {entry.name} are named as a picture and its mask"
    return ""


def list_samples(path: Path) -> dict[str, tuple[list[Sample], list[Skipped]]]:
    """The sets at `path`, by name: their samples, and files that belong to none.

    Args:
        path: a records folder, a folder of pictures in any layout known here, or a list file of `interchange`.

    Raises:
        PreparationError, RecordsError: nothing that can be checked.
    """
    name = path.resolve().name
    if (path / INDEX_NAME).exists():
        names = open_records(path, "PATH").columns["name"]
        return {name: ([Sample(record, (os.path.abspath(path), number)) for number, record in enumerate(names)], [])}
    if path.is_file() and path.suffix.lower() in (".json", ".txt"):
        listings = {part or name: find() for part, find in interchange.find_sets(path, MaskRule()).items()}
    else:
        listings = {name: _list_folder(require_folder(path, "PATH"))}
    return {
        part: ([Sample(entry.name, entry) for entry in listing.entries], listing.skipped)
        for part, listing in listings.items()
    }
