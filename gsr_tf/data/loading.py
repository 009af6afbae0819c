"""Records -> pictures ready for the graph: decoded and resized by OpenCV, as in the release's preparation.

OpenCV works without Python's lock, so the pipeline's threads decode side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import cv2
import google_crc32c
import numpy as np
from tqdm import tqdm

from gsr_tf.data.aspect import refuse_sliver
from gsr_tf.data.pictures import PictureError
from gsr_tf.data.records import Example, Records, RecordsError

# Records hold pictures as they are to be seen; an orientation tag beside them is of the past.
COLOUR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION

Layer = str | int  # of a record: "image", "original", or the number of a mask
Loaded = TypeVar("Loaded")


class Readable:
    """Records, of which one that cannot be decoded is named once, on the terminal too, and the next takes its place.

    Attributes:
        unreadable: {name: what is wrong} of such records so far.
    """

    def __init__(self, records: Records):
        self.records = records
        self.unreadable: dict[str, str] = {}

    def readable(
        self, load: Callable[[int], Loaded], number: int, count: int, alone: str = ""
    ) -> Iterator[tuple[int, Loaded]]:
        """What can be decoded of `count` things, each with its number, from this one on and round to it.

        Args:
            load: what loads one; PictureError: it cannot be decoded.
            number: of the first.
            count: of all.
            alone: what else may be why there is no further one, for the error.

        Raises:
            RecordsError: there is none, or no further one.
        """
        for candidate in range(number, number + count):
            try:
                loaded = load(candidate % count)
            except PictureError as error:
                self._note(str(error))
            else:
                yield candidate % count, loaded
        raise RecordsError(f"{self.records.path}: not one of its pictures can be decoded{alone}; prepare the set again")

    def _note(self, error: str) -> None:
        name, _, reason = error.partition(": ")
        if name not in self.unreadable:
            self.unreadable[name] = reason
            tqdm.write(f"{self.records.path}: skipped {error} ({len(self.unreadable)} so far)")


class Loader(Readable):
    """Loads pictures of one set of records; safe from many threads.

    Decoded pictures are kept while they fit into memory: an epoch visits all of them once, so keeping the first ones
    is as good as keeping the latest.
    """

    def __init__(self, records: Records, *, size: int, resize_mode: str, cache_gib: float = 0.0):
        cv2.setNumThreads(1)  # the pipeline's threads are the parallelism
        super().__init__(records)
        self.size, self.resize_mode = size, resize_mode
        self._digests: dict[int, int] = {}
        self._kept: dict[tuple[int, Layer], np.ndarray] = {}
        self._room = int(cache_gib * 2**30)

    def digest(self, record: int) -> int:
        """Of the file of a picture that was loaded before: the same in whichever records it is."""
        return self._digests[record]

    def picture(self, record: int, but: int | None = None) -> np.ndarray:
        """[h, w, 3] uint8 BGR: a record's picture, resized.

        Args:
            record: its number.
            but: the `digest` of a picture that it must not be: in its place, too, there is the next one.

        Raises:
            RecordsError: there is none.
        """
        alone = "" if but is None else ", or S itself alone"
        found = self.readable(lambda number: self._layers(number, ["image"]), record, len(self.records), alone)
        return next(pixels for number, (pixels,) in found if self.digest(number) != but)

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

        return next(self.readable(load, number, len(pairs)))

    def _layers(self, record: int, wanted: list[Layer]) -> list[np.ndarray]:
        """Layers of a record, from memory where they are there."""
        kept = [self._kept.get((record, layer)) for layer in wanted]
        if all(pixels is not None for pixels in kept):
            return kept
        example = self.records.example(record)
        self._digests[record] = google_crc32c.value(example.image)
        decoded = [self._decode(example, layer) for layer in wanted]
        for layer, pixels in zip(wanted, decoded):
            if self._room >= pixels.nbytes and (record, layer) not in self._kept:
                self._kept[record, layer] = pixels
                self._room -= pixels.nbytes
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
