"""Photographs of records at their own size, with the codes of their files' tags."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from gsr_tf.comparators.exif.attributes import tag_codes
from gsr_tf.data.loading import Excluded, Readable
from gsr_tf.data.records import Records, RecordsError
from gsr_tf.errors import one_line


class Photographs(Readable):
    """Those of a set of records that are large enough.

    Attributes:
        numbers: of the records that are large enough.
    """

    def __init__(self, records: Records, *, minimum_side: int, cache_gib: float):
        """Names and counts what is too small; raises RecordsError where fewer than two photographs are left."""
        super().__init__(records, cache_gib)
        self.numbers = large_enough(records, range(len(records)), minimum_side)
        if len(self.numbers) < 2:
            raise RecordsError(
                f"{records.flag}={records.path}: {len(self.numbers)} pictures of at least {minimum_side} pixels a "
                "side; at least 2 are needed to be paired"
            )

    def __len__(self) -> int:
        return len(self.numbers)

    def read(self, place: int, but: int | None = None) -> tuple[np.ndarray, np.ndarray, int]:
        """A photograph.

        Args:
            place: in `numbers`.
            but: the digest of a photograph which it must not be; the next one takes its place.

        Returns:
            [h, w, 3] uint8 RGB, [80] int32 codes (`tag_codes`), and the digest of its file.

        Raises:
            RecordsError: there is none.
        """

        def load(place: int) -> tuple[np.ndarray, np.ndarray, int]:
            found = self._decoded(self.numbers[place])
            digest = self.digest(self.numbers[place])
            if digest == but:
                raise Excluded
            return *found, digest

        return self.first(load, place, len(self))[1]

    def _decoded(self, record: int) -> tuple[np.ndarray, np.ndarray]:
        """From memory where it is there."""
        if record in self._kept:
            return self._kept[record]
        example = self.example(record)
        found = example.read_picture(), tag_codes(example.image)
        self.keep(record, found, found[0].nbytes)
        return found


def large_enough(records: Records, numbers: range | list[int], minimum_side: int) -> list[int]:
    """Those records, of `numbers`, whose pictures have so many pixels a side; the others are counted, one is named."""
    columns = records.columns
    small = [n for n in numbers if min(columns["height"][n], columns["width"][n]) < minimum_side]
    if small:
        n = small[0]
        tqdm.write(
            one_line(
                f"{records.flag}={records.path}: {len(small)} of {len(numbers)} pictures left out, the first "
                f"{columns['name'][n]}: {columns['width'][n]}x{columns['height'][n]} pixels; EXIF-consistency needs at "
                f"least {minimum_side} on each side"
            )
        )
    left_out = set(small)
    return [n for n in numbers if n not in left_out]
