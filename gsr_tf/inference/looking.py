"""The maps of a picture, looked at as in training or at its own resolution, at one scale or several."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import tensorflow as tf

from gsr_tf.data.pictures import MAX_PIXELS, PictureTooLarge
from gsr_tf.inference.module import STRIDE, DetectorModule, as_tensor, seen_at
from gsr_tf.inference.resolution import ONE_SIZE, ResolutionError, check
from gsr_tf.inference.tiling import LAYOUT, tile
from gsr_tf.inference.together import Maps, arrays, go_together, native


def check_sees(module: DetectorModule, resolution: str, scales: Sequence[float]) -> None:
    """Raises ResolutionError as `check`, and where a model was exported without these abilities."""
    check(resolution, scales)
    if (resolution != "whole" or tuple(scales) != ONE_SIZE) and getattr(module, "window", None) is None:
        raise ResolutionError(
            "this model can only see a whole picture at scale 1 (--resolution=whole --scales=1): it is another method "
            "than GSR-Net, or was exported by an earlier version (export it again with python -m gsr_tf.export)"
        )


def maps_at(module: DetectorModule, picture: np.ndarray, resolution: str, scales: Sequence[float]) -> Maps:
    """The maps of a picture, averaged over scales.

    Args:
        module: the detector, or what was saved of it.
        picture: [h, w, 3] uint8 RGB.
        resolution: one of `RESOLUTIONS`.
        scales: factors of the size at which `resolution` sees the picture; `check_sees` finds nothing to refuse.

    Returns:
        {name: [h, w] float32 in [0, 1]}.

    Raises:
        PictureTooLarge: scaled it has too many pixels; a smaller picture may be asked for at the same scales.
    """
    first, *others = sorted(scales, key=lambda scale: scale != 1)  # at 1 maps mostly come in the picture's size
    total = {name: _to_size(x, picture) for name, x in _maps_at_scale(module, picture, resolution, first).items()}
    for scale in others:
        maps = _maps_at_scale(module, picture, resolution, scale)
        total = {name: total[name] for name in total.keys() & maps.keys()}
        for name, values in total.items():  # one after the other: those of a large picture are large
            np.add(values, _to_size(maps.pop(name), picture), out=values)
    return {name: np.divide(values, len(scales), out=values) for name, values in total.items()}


def _to_size(values: np.ndarray, picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    return values if values.shape == (height, width) else cv2.resize(values, (width, height))


def _maps_at_scale(module: DetectorModule, picture: np.ndarray, resolution: str, scale: float) -> Maps:
    """The maps at one scale, in the picture's size or that at which it was seen."""
    if scale == 1:
        return _at_size_trained_on(module, picture) if resolution == "whole" else tile(module, picture)
    height, width = picture.shape[:2]
    seen = module.network_size([height, width]).numpy() if resolution == "whole" else (height, width)
    step = STRIDE if resolution == "whole" else 1  # as `network_size`: so that features lie as they did in training
    size = [max(step, int(length) + step * round((scale - 1) * int(length) / step)) for length in seen]
    if size[0] * size[1] > MAX_PIXELS:
        raise PictureTooLarge(f"--scales={scale:g}: {size[1]}x{size[0]} pixels, more than the limit of {MAX_PIXELS:,}")
    resized = cv2.resize(picture, size[::-1])  # bilinear, as in training
    if resolution == "whole" and size[0] * size[1] <= LAYOUT.side**2:
        return native(module, resized)  # a long picture, too, of which windows would take more
    return tile(module, resized)


def _at_size_trained_on(module: DetectorModule, picture: np.ndarray) -> Maps:
    if not go_together(module):
        return arrays(module(as_tensor(picture)))
    with tf.device("CPU"):  # large pictures need not travel, and levels are rounded as everywhere
        seen = seen_at(picture, module.network_size(picture.shape[:2])).numpy()
    return native(module, seen)
