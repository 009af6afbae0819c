"""What is to be converted: pictures with what gives their masks, and what was refused and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from gsr_tf.errors import UserError


class PreparationError(UserError):
    """An input or output that cannot be used at all; the message names the flag or file to change."""


class Refused(Exception):
    """One picture that cannot become a record; the run goes on.

    Attributes:
        reason: a few words, the same for all pictures of that fate: what is counted.
        detail: what was found in this one.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


class Skipped(NamedTuple):
    """A file or picture that did not become a record."""

    name: str
    reason: str
    detail: str = ""


class Objects(NamedTuple):
    """The masks of one picture.

    Attributes:
        shape: (height, width) that the masks were made for.
        masks: each K, [h, w] uint8, 0 or 1; none is all zero or all one.
        refused: the reason of each object that is not a usable K.
        notes: what was not plain to see in how they were read.
    """

    shape: tuple[int, int]
    masks: list[np.ndarray]
    refused: list[str]
    notes: Sequence[str] = ()


class MaskSource(Protocol):
    """Whatever the masks of a picture are read from."""

    @property
    def files(self) -> Sequence[str]:
        """The files that are read, but for an annotation file of many pictures: the settings have its SHA-256."""

    def read(self) -> Objects:
        """Reads the masks; raises Refused or PictureError."""


class Entry(NamedTuple):
    """One picture to be converted.

    Attributes:
        name: unique in its set: the picture's path below the set's folder, with "/".
        image: the file.
        masks: what gives its masks; None: an authentic picture.
        original: the file of the authentic picture that it was made from; "" when there is none.
        keep_unmasked: a picture without any mask, usable or not, is kept, as an authentic one.
        known: what is known to be wrong with the published files, said when they are refused.
    """

    name: str
    image: str
    masks: MaskSource | None = None
    original: str = ""
    keep_unmasked: bool = False
    known: str = ""


class Listing(NamedTuple):
    """What a data set's script found: entries to convert, files that it already refuses, and its settings.

    Attributes:
        entries: one a picture.
        skipped: files that are not converted. Found = entries + skipped.
        settings: what the records depend on besides the files, as JSON values.
    """

    entries: list[Entry]
    skipped: list[Skipped]
    settings: dict
