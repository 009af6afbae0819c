"""The connected regions of a mask, however large: in bands of rows, since OpenCV's labels take 5 bytes a pixel."""

from __future__ import annotations

import cv2
import numpy as np

from gsr_tf.data.decoding.strips import strips

BAND_PIXELS = 8_000_000
# Columns of the statistics, OpenCV's: left, top, width, height, area.
LEFT, TOP, WIDTH, HEIGHT, AREA = range(5)


def without_small(mask: np.ndarray, smallest: int, *, band_pixels: int = BAND_PIXELS) -> np.ndarray:
    """Removes a mask's 8-connected regions of fewer than `smallest` pixels, in place.

    A band is labelled with `smallest` rows more on either side: a region that leaves these reaches `smallest` rows
    into them, so it counts as large in the band as it does in the whole. What is left of a small one whose upper rows
    are gone already is smaller still.

    Args:
        mask: [h, w] uint8, 0 or 1; changed.
        smallest: area in pixels.
        band_pixels: labelled at once.

    Returns:
        The same memory as [h, w] bool.
    """
    for rows in strips(*mask.shape, band_pixels):
        first = max(0, rows.start - smallest)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask[first : rows.stop + smallest], connectivity=8)
        large = stats[:, AREA] >= smallest
        large[0] = False  # the background
        mask[rows] = large[labels[rows.start - first : rows.stop - first]]
    return mask.view(bool)


def statistics(mask: np.ndarray, *, band_pixels: int = BAND_PIXELS) -> np.ndarray:
    """[n, 5] int64: left, top, width, height and area of each 8-connected region of a mask, [h, w] bool."""
    found: list[np.ndarray] = []  # (left, top, right, bottom, area) a piece, band after band
    touching: list[tuple[int, int]] = []
    above, count = np.zeros(mask.shape[1] + 2, int), 0  # numbers of the pieces in the row above, from 1; a border
    for rows in strips(*mask.shape, band_pixels):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask[rows].view(np.uint8), connectivity=8)
        pieces = stats[1:].astype(np.int64)
        pieces[:, TOP] += rows.start
        pieces[:, [WIDTH, HEIGHT]] += pieces[:, [LEFT, TOP]]
        found.append(pieces)
        first, last = (np.pad(np.where(row > 0, row + count, 0), 1) for row in (labels[0], labels[-1]))
        for shift in (0, 1, 2):
            neighbours = np.stack([above[shift : shift + mask.shape[1]], first[1:-1]])
            touching.extend(np.unique(neighbours[:, neighbours.all(axis=0)], axis=1).T - 1)
        above, count = last, count + len(pieces)
    return _merged(np.concatenate(found), np.array(touching, int).reshape(-1, 2))


def _merged(pieces: np.ndarray, touching: np.ndarray) -> np.ndarray:
    """Regions of pieces, (left, top, right, bottom, area), that touch one another, as pairs of indices."""
    if not len(touching):
        return _sized(pieces)
    from scipy.sparse import coo_matrix  # slow to import, and needed by pictures of several bands alone
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(touching)), touching.T), shape=(len(pieces), len(pieces)))
    count, region = connected_components(graph, directed=False)
    merged = np.zeros([count, 5], np.int64)
    merged[:, [LEFT, TOP]] = np.iinfo(np.int64).max
    np.minimum.at(merged, (region, LEFT), pieces[:, LEFT])
    np.minimum.at(merged, (region, TOP), pieces[:, TOP])
    np.maximum.at(merged, (region, WIDTH), pieces[:, WIDTH])
    np.maximum.at(merged, (region, HEIGHT), pieces[:, HEIGHT])
    np.add.at(merged, (region, AREA), pieces[:, AREA])
    return _sized(merged)


def _sized(regions: np.ndarray) -> np.ndarray:
    """(left, top, right, bottom, area) -> (left, top, width, height, area), in place."""
    regions[:, [WIDTH, HEIGHT]] -= regions[:, [LEFT, TOP]]
    return regions
