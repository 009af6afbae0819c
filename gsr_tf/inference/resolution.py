"""At which sizes a picture is looked at: as in training or at its own resolution, at one scale or several."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import tensorflow as tf

from gsr_tf.data.pictures import MAX_PIXELS, PictureTooLarge
from gsr_tf.errors import UserError
from gsr_tf.inference.module import STRIDE, DetectorModule, as_tensor, seen_at
from gsr_tf.inference.tiling import LAYOUT, tile
from gsr_tf.inference.together import Maps, arrays, go_together, native

# "whole": resized to the size trained on (the paper's way). "tile": its own resolution, in windows.
RESOLUTIONS = ("whole", "tile")
SMALLEST_SCALE, LARGEST_SCALE = 0.1, 4.0
ONE_SIZE = (1.0,)
RESOLUTION_HELP = (
    "How a model sees pictures: resized to the size trained on, as the paper does, or at their own resolution, in "
    "windows."
)
SCALES_HELP = (
    "Factors of the size at which pictures are seen, as in 0.75,1,1.35: maps are averaged over them. Without it the "
    "model's own for whole pictures, 1 at their own resolution."
)


class ResolutionError(UserError):
    """A resolution or scales that cannot be, or that a model was exported without."""


def check(resolution: str, scales: Sequence[float]) -> None:
    """Raises ResolutionError unless there is such a resolution and there are one or more scales within bounds."""
    if resolution not in RESOLUTIONS:
        raise ResolutionError(f"--resolution={resolution}: expected one of {', '.join(RESOLUTIONS)}")
    bad = [scale for scale in scales if not SMALLEST_SCALE <= scale <= LARGEST_SCALE]
    if bad or not scales or len(set(scales)) < len(scales):
        raise ResolutionError(
            f"--scales={','.join(f'{scale:g}' for scale in scales)}: expected one or more different factors from "
            f"{SMALLEST_SCALE:g} to {LARGEST_SCALE:g}"
        )


def parse_scales(words: Sequence[str] | None) -> tuple[float, ...] | None:
    """The scales that words name, ascending; None for None; ResolutionError when they are no numbers or cannot be."""
    if words is None:
        return None
    try:
        scales = tuple(sorted(map(float, words)))
    except ValueError as error:
        raise ResolutionError(f"--scales={','.join(words)}: expected numbers, as --scales=0.5,1,2") from error
    check("whole", scales)
    return scales


def describe(resolution: str, scales: Sequence[float]) -> str:
    """What tables add to a method's name: "" for the paper's way, else e.g. " tile 0.5,1"."""
    words = [] if resolution == "whole" else [resolution]
    words += [] if tuple(scales) == ONE_SIZE else [",".join(f"{scale:g}" for scale in scales)]
    return "".join(f" {word}" for word in words)


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
