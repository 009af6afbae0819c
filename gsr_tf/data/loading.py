"""Records -> pictures ready for the graph: decoded and resized by OpenCV, as in the release's preparation.

OpenCV works without Python's lock, so the pipeline's threads decode side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import cv2
import google_crc32c
import numpy as np
from tqdm import tqdm

from gsr_tf.data.aspect import refuse_sliver
from gsr_tf.data.example import Example
from gsr_tf.data.pictures import PictureError
from gsr_tf.data.records import Records, RecordsError
from gsr_tf.errors import one_line

# Records hold pictures as they are to be seen; an orientation tag beside them is of the past.
COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION

Layer = str | int  # of a record: "image", "original", or the number of a mask
Loaded = TypeVar("Loaded")


class Excluded(Exception):
    """A picture that can be decoded and is not wanted here: the next one takes its place, too."""


class Readable:
    """Records, of which one that cannot be decoded is named once, on the terminal too, and the next takes its place.

    What is decoded is kept while it fits into memory: an epoch visits all of it once, so keeping the first is as good
    as keeping the latest. Safe from many threads.

    Attributes:
        unreadable: {name: what is wrong} of such records so far.
    """

    def __init__(self, records: Records, cache_gib: float):
        self.records = records
        self.unreadable: dict[str, str] = {}
        self._digests: dict[int, int] = {}
        self._kept: dict[Hashable, Any] = {}
        self._room = int(cache_gib * 2**30)

    def digest(self, record: int) -> int:
        """Of the file of a picture that was loaded before: the same in whichever records it is."""
        return self._digests[record]

    def example(self, record: int) -> Example:
        """A record, whose digest is known from now on."""
        example = self.records.example(record)
        self._digests[record] = google_crc32c.value(example.image)
        return example

    def keep(self, key: Hashable, found: Any, size: int) -> None:
        """In memory, where `size` bytes are left of it."""
        if self._room >= size and key not in self._kept:
            self._kept[key] = found
            self._room -= size

    def first(self, load: Callable[[int], Loaded], number: int, count: int) -> tuple[int, Loaded, bool]:
        """What can be loaded first of `count` things, from this one on and round to it.

        Args:
            load: what loads one; PictureError: it cannot be decoded; Excluded: it is not wanted.
            number: of the first.
            count: of all.

        Returns:
            Its number, what was loaded, and whether all before it could be decoded.

        Raises:
            RecordsError: there is none.
        """
        whole, excluded = True, False
        for candidate in range(number, number + count):
            try:
                return candidate % count, load(candidate % count), whole
            except PictureError as error:
                self._note(str(error))
                whole = False
            except Excluded:
                excluded = True
        if excluded:
            why = "all that can be decoded of its pictures are one; expected another one beside it"
        else:
            why = "not one of its pictures can be decoded; prepare the set again"
        raise RecordsError(f"{self.records.flag}={self.records.path}: {why}")

    def _note(self, error: str) -> None:
        name, _, reason = error.partition(": ")
        if name not in self.unreadable:
            self.unreadable[name] = reason
            tqdm.write(one_line(f"{self.records.path}: skipped {error} ({len(self.unreadable)} so far)"))


class Loader(Readable):
    """Loads pictures of one set of records."""

    def __init__(self, records: Records, *, size: int, resize_mode: str, cache_gib: float = 0.0):
        cv2.setNumThreads(1)  # the pipeline's threads are the parallelism
        super().__init__(records, cache_gib)
        self.size, self.resize_mode = size, resize_mode

    def picture(self, record: int, but: int | None = None) -> tuple[np.ndarray, bool]:
        """A record's picture, resized.

        Args:
            record: its number.
            but: the `digest` of a picture that it must not be: in its place, too, there is the next one.

        Returns:
            [h, w, 3] uint8 BGR, and whether it is in the place of none that could not be decoded.

        Raises:
            RecordsError: there is none.
        """

        def load(number: int) -> np.ndarray:
            (pixels,) = self._layers(number, ["image"])
            if self.digest(number) == but:
                raise Excluded
            return pixels

        _, pixels, whole = self.first(load, record, len(self.records))
        return pixels, whole

    def source(self, pairs: np.ndarray, number: int, with_original: bool) -> tuple[int, list[np.ndarray]]:
        """S, K and, if asked for, S's own original, all of one size.

        Args:
            pairs: [n, 2], (record, number of the mask in it).
            number: which pair.
            with_original: whether the third is wanted.

        Returns:
            Which pair it is, another one where that could not be decoded, and its layers: [h, w, 3] uint8 BGR,
            [h, w, 1] uint8 with 255 for manipulated, and [h, w, 3] uint8 BGR.

        Raises:
            RecordsError: there is none.
        """
        original = ["original"] if with_original else []

        def load(number: int) -> list[np.ndarray]:
            record, mask = pairs[number].tolist()
            return self._layers(record, ["image", mask, *original])

        found, layers, _ = self.first(load, number, len(pairs))
        return found, layers

    def _layers(self, record: int, wanted: list[Layer]) -> list[np.ndarray]:
        """Layers of a record, from memory where they are there."""
        kept = [self._kept.get((record, layer)) for layer in wanted]
        if all(pixels is not None for pixels in kept):
            return kept
        example = self.example(record)
        decoded = [self._decode(example, layer) for layer in wanted]
        for layer, pixels in zip(wanted, decoded):
            self.keep((record, layer), pixels, pixels.nbytes)
        return decoded

    def _decode(self, example: Example, layer: Layer) -> np.ndarray:
        encoded = example.masks[layer] if isinstance(layer, int) else getattr(example, layer)
        mode = GREY if isinstance(layer, int) else COLOUR
        try:
            picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), mode)
        except cv2.error as error:
            raise PictureError(f"{example.name}: {layer}: {error}") from error
        if picture is None:
            raise PictureError(f"{example.name}: {layer} cannot be decoded")
        resized = cv2.resize(picture, self._size_of(picture, example.name), interpolation=cv2.INTER_LINEAR)
        return resized[..., np.newaxis] if mode == GREY else resized

    def _size_of(self, picture: np.ndarray, name: str) -> tuple[int, int]:
        """(width, height) after resizing: the square, or with the aspect ratio kept and the short side at `size`.

        Raises:
            PictureError: it is to be kept and is too large.
        """
        if self.resize_mode == "squash":
            return self.size, self.size
        height, width = picture.shape[:2]
        refuse_sliver(height, width, name)
        short = min(height, width)
        return -(-width * self.size // short), -(-height * self.size // short)
