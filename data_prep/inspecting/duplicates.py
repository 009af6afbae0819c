"""Pictures that look the same, by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from data_prep.inspecting.inspection import HASH_BITS

# Of 256 bits. Among 302 different photographs of CASIA 1, COCO and IMD2020 no two are nearer than 58; the same
# photograph compressed again (JPEG 50) or halved is, in 99 of 100 cases, within 18.
NEAR = 24
BLOCK = 2048


class Twins(NamedTuple):
    """Two pictures that look the same: their numbers, and how many bits differ."""

    first: int
    second: int
    distance: int


def _signs(hashes: Sequence[bytes]) -> np.ndarray:
    """[pictures, 256] float32 of -1 and 1; a dot product is then 256 - 2 x the number of bits that differ."""
    bits = np.unpackbits(np.frombuffer(b"".join(hashes), np.uint8)).reshape(len(hashes), HASH_BITS)
    return bits.astype(np.float32) * 2 - 1


def _near(first: Sequence[bytes], second: Sequence[bytes]) -> Iterator[Twins]:
    rows, columns = _signs(first), _signs(second)
    for top in range(0, len(rows), BLOCK):
        for left in range(0, len(columns), BLOCK):
            distances = (HASH_BITS - rows[top : top + BLOCK] @ columns[left : left + BLOCK].T) / 2
            for row, column in np.argwhere(distances <= NEAR):
                yield Twins(int(top + row), int(left + column), int(distances[row, column]))


def between(first: Sequence[bytes], second: Sequence[bytes]) -> list[Twins]:
    """Pairs of one set's picture and another's that look the same.

    Args:
        first: hashes of one set; b"": left out.
        second: hashes of the other.
    """
    places = [[number for number, item in enumerate(hashes) if item] for hashes in (first, second)]
    kept = [[hashes[number] for number in chosen] for hashes, chosen in zip((first, second), places)]
    if not all(kept):
        return []
    return sorted(Twins(places[0][a], places[1][b], distance) for a, b, distance in _near(*kept))


def within(hashes: Sequence[bytes]) -> list[list[int]]:
    """Groups of a set's pictures that look the same, directly or through others of the group."""
    numbers: dict[bytes, list[int]] = {}  # equal hashes first: a set repeated a thousand times has few different ones
    for number, item in enumerate(hashes):
        if item:
            numbers.setdefault(item, []).append(number)
    unique = list(numbers)
    if not unique:
        return []
    near = np.array([twins[:2] for twins in _near(unique, unique)])  # each of them with itself, too
    graph = coo_matrix((np.ones(len(near)), near.T), shape=(len(unique), len(unique)))
    _, group_of = connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for group, key in zip(group_of, unique):
        groups.setdefault(group, []).extend(numbers[key])
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)
