"""A picture of any size at its own resolution: overlapping windows, blended without seams, in bounded memory.

A picture that fits one window is seen whole. Windows are whole strides from the size trained on, as pictures are that
are seen whole (`DetectorModule`). The network normalises by a picture's own moments, and those of a window
would make each window another function: a larger picture's moments are measured once, of the picture reduced to fit
one window, and held for all of them. Windows then agree wherever they see the same surroundings: the network reaches
228 pixels far, its upsampling included, the last 70 of them hardly.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from gsr_tf.inference.module import STRIDE, DetectorModule
from gsr_tf.inference.together import ONE_PASS, Maps, arrays, native

# Above it the boundary map is left out and windows are smaller: else 200 megapixels would not fit in 3 GiB.
LARGE_PIXELS = 64_000_000


class Layout(NamedTuple):
    """How windows lie, in pixels; multiples of 8.

    Attributes:
        side: of a window, at most. At the full width 1024 take 1.1 GiB, which TensorFlow then keeps.
        margin: next to a border inside the picture a window's answer, which cannot see across, does not count at all.
        ramp: over which, behind the margin, its weight rises to that of its neighbour.
    """

    side: int = 1024
    margin: int = 128
    ramp: int = 128


LAYOUT, LAYOUT_OF_LARGE = Layout(), Layout(side=768)


class Stretch(NamedTuple):
    """One window along one axis: its first pixel and its weights, [pixels of it in the picture] float32."""

    start: int
    weights: np.ndarray


def stretches(length: int, layout: Layout) -> Iterator[Stretch]:
    """The windows along an axis of `length` pixels, evenly spread; at each pixel their weights sum to one."""
    starts = _starts(length, layout)
    for start in starts:
        positions = np.arange(start, min(start + layout.side, length))
        near = starts[bisect_right(starts, start - layout.side) : bisect_left(starts, start + layout.side)]
        total = sum(_rise(positions, other, starts, layout) for other in near)
        yield Stretch(start, (_rise(positions, start, starts, layout) / total).astype(np.float32))


def _starts(length: int, layout: Layout) -> list[int]:
    if length <= layout.side:
        return [0]
    # Windows that start at multiples of the stride sample features at the same places; the last may end outside.
    room = -(-(length - layout.side) // STRIDE) * STRIDE
    steps = -(-room // (layout.side - 2 * layout.margin - layout.ramp))
    return [room * step // steps // STRIDE * STRIDE for step in range(steps + 1)]


def _rise(positions: np.ndarray, start: int, starts: list[int], layout: Layout) -> np.ndarray:
    """Raised cosines from both borders of the window at `start`; none towards a border of the picture."""

    def rise(depth: np.ndarray) -> np.ndarray:
        return 0.5 - 0.5 * np.cos(np.pi * np.clip((depth - layout.margin) / layout.ramp, 0, 1))

    weights = np.where((positions >= start) & (positions < start + layout.side), 1.0, 0.0)
    if start != starts[0]:
        weights *= rise(positions + 0.5 - start)
    if start != starts[-1]:
        weights *= rise(start + layout.side - positions - 0.5)
    return weights


def tile(module: DetectorModule, picture: np.ndarray, layout: Layout | None = None) -> Maps:
    """The maps of a picture at its own resolution.

    Beside the picture and its maps (4 bytes a pixel each) it takes the memory of one window.

    Args:
        module: the detector, or what was saved of it.
        picture: [h, w, 3] uint8 RGB, of the size at which it is to be seen.
        layout: of the windows; None: `LAYOUT`, above 64 megapixels `LAYOUT_OF_LARGE`.

    Returns:
        {"probability": [h, w] float32 in [0, 1]}, and with a boundary branch "boundary", of pictures that
        are seen at up to 64 megapixels.
    """
    height, width = picture.shape[:2]
    large = height * width > LARGE_PIXELS
    trained_on = int(module.network_size([1, 1])[0])
    layout = layout or (LAYOUT_OF_LARGE if large else LAYOUT)
    layout = layout._replace(side=layout.side - (layout.side - trained_on) % STRIDE)
    if max(height, width) <= layout.side:
        found = native(module, _cut(picture, 0, 0, layout.side))
        return {name: values[:height, :width] for name, values in found.items()}
    return _blended(module, picture, layout, boundary=not large)


def _blended(module: DetectorModule, picture: np.ndarray, layout: Layout, *, boundary: bool) -> Maps:
    """The maps of a picture larger than one window, with that of the boundary if it is wanted and there is one."""
    height, width = picture.shape[:2]
    small = tf.constant(moments_picture(picture, layout.side))
    with ONE_PASS:
        moments = module.moments(small)
    maps: Maps = {}
    windows = ((top, left) for top in stretches(height, layout) for left in stretches(width, layout))
    count = len(_starts(height, layout)) * len(_starts(width, layout))
    for top, left in tqdm(windows, total=count, unit="window", delay=5, leave=False):
        window = tf.constant(_cut(picture, top.start, left.start, layout.side))
        with ONE_PASS:
            answer = module.window(window, moments)
        found = arrays(answer)  # after the turn, so that a GPU need not wait with the next pass until these are fetched
        if not boundary:
            found.pop("boundary", None)
        weights = top.weights[:, np.newaxis] * left.weights
        rows, columns = weights.shape
        for name, values in found.items():
            if name not in maps:
                maps[name] = np.zeros([height, width], np.float32)
            here = np.s_[top.start : top.start + rows, left.start : left.start + columns]
            maps[name][here] += weights * values[:rows, :columns]
    for values in maps.values():
        np.minimum(values, 1.0, out=values)  # weights sum to one but for the last bit
    return maps


def moments_picture(picture: np.ndarray, side: int) -> np.ndarray:
    """What a large picture's moments are measured of: all of it, reduced by the mean over areas to fit `side`."""
    scale = side / max(picture.shape[:2])
    height, width = (max(1, round(scale * length)) for length in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _cut(picture: np.ndarray, top: int, left: int, side: int) -> np.ndarray:
    """A window's pixels, whole strides from `side` high and wide; the few outside the picture mirror those inside."""
    window = picture[top : top + side, left : left + side]
    outside = [
        (0, min(side, length + (side - length) % STRIDE) - have)
        for length, have in zip(picture.shape[:2], window.shape[:2])
    ]
    return np.pad(window, [*outside, (0, 0)], mode="symmetric")
