"""The published data sets that this project prepares, and which pictures a folder or file of any known layout holds."""

from __future__ import annotations

import os
from pathlib import Path

from data_prep import carvalho, casia1, casia2, columbia, coverage, imd2020, in_the_wild, interchange, nist16
from data_prep.inspecting.samples import Sample
from data_prep.published import PublishedSet, matches
from data_prep.reading.entries import Entry, Skipped
from data_prep.reading.files import require_folder
from data_prep.reading.listing import list_authentic, list_manipulated, merge
from gsr_tf.data.masks import MaskRule
from gsr_tf.data.records import INDEX_NAME, open_records

# Order matters: the first whose signs are there is taken.
SETS: tuple[PublishedSet, ...] = tuple(
    module.SET for module in (casia1, casia2, coverage, carvalho, in_the_wild, columbia, nist16, imd2020)
)


def recognise(folder: Path) -> PublishedSet | None:
    """The published set that a folder holds; None when it holds none."""
    return next((published for published in SETS if matches(folder, published.signs)), None)


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
        PreparationError, RecordsError: nothing that can be checked.
    """
    name = path.resolve().name
    if (path / INDEX_NAME).exists():
        names = open_records(path, "PATH").columns["name"]
        return {name: ([Sample(record, (os.path.abspath(path), number)) for number, record in enumerate(names)], [])}
    if path.is_file() and path.suffix.lower() in (".json", ".txt"):
        listings = interchange.list_source(path, MaskRule())
        return {
            part or name: ([Sample(entry.name, entry) for entry in listing.entries], listing.skipped)
            for part, listing in listings.items()
        }
    entries, skipped = _list_folder(require_folder(path, "PATH"))
    return {name: ([Sample(entry.name, entry) for entry in entries], skipped)}
