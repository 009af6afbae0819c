"""What `data_prep.check` looks at: pictures with masks, from files of any known layout or from records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep import interchange
from data_prep.catalogue import recognise
from data_prep.entries import Entry, Refused, Skipped
from data_prep.examples import open_entry
from data_prep.files import require_folder
from data_prep.listing import list_authentic, list_manipulated, merge
from data_prep.masks import MaskRule
from data_prep.stored import open_input, open_once
from gsr_tf.data.pictures import PictureError, decode_picture
from gsr_tf.data.records import INDEX_NAME, parse_example


class Sample(NamedTuple):
    """One picture to look at.

    Attributes:
        name: in its set.
        source: where its pixels come from: an entry of a listing, or (records folder, number).
    """

    name: str
    source: Entry | tuple[str, int]

    def load(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Its pixels, [h, w, 3] uint8 RGB, and its masks, [h, w] uint8 of 0 and 1; raises Refused."""
        if isinstance(self.source, Entry):
            return open_entry(self.source)
        stored = parse_example(open_once(self.source[0]).read(self.source[1]))
        try:
            pixels = decode_picture(stored.image, self.name).pixels
            masks = [decode_picture(png, self.name).pixels[..., 0] // 255 for png in stored.masks]
        except PictureError as error:
            raise Refused("record cannot be read", str(error)) from error
        if any(mask.shape != pixels.shape[:2] for mask in masks):
            raise Refused("sizes differ", f"picture {pixels.shape[:2]}, mask {masks[0].shape} (height, width)")
        return pixels, masks


def _list_folder(folder: Path) -> tuple[list[Entry], list[Skipped]]:
    """A folder's pictures, by the first layout that fits: published set, ManiDataset, side by side, authentic."""
    published = recognise(folder)
    if published is not None:
        listing = merge(published.find(folder))
    elif interchange.is_mani_dataset(folder):
        parts = [interchange.list_mani_dataset(folder, MaskRule())]
        authentic = folder / "Au"
        listing = merge([*parts, list_authentic(authentic if authentic.is_dir() else None, name="Au")])
    else:
        listing = list_manipulated(folder, folder, MaskRule())
        if not listing.entries:
            listing = list_authentic(folder)
    return listing.entries, listing.skipped


def list_samples(path: Path) -> dict[str, tuple[list[Sample], list[Skipped]]]:
    """The sets at `path`, by name: their samples, and files that belong to none.

    Args:
        path: a records folder, a folder of pictures in any layout known here, or a list file of `interchange`.

    Raises:
        PreparationError: nothing that can be checked.
    """
    name = path.resolve().name
    if (path / INDEX_NAME).exists():
        names = open_input(path, "PATH").columns["name"]
        return {name: ([Sample(record, (os.path.abspath(path), number)) for number, record in enumerate(names)], [])}
    if path.is_file() and path.suffix.lower() in (".json", ".txt"):
        listings = interchange.list_source(path, MaskRule())
        return {
            part or name: ([Sample(entry.name, entry) for entry in listing.entries], listing.skipped)
            for part, listing in listings.items()
        }
    entries, skipped = _list_folder(require_folder(path, "PATH"))
    return {name: ([Sample(entry.name, entry) for entry in entries], skipped)}
