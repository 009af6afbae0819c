"""From the way a picture is looked at back to the way its file stores it: EXIF's orientation, undone."""

from __future__ import annotations

import numpy as np

OPPOSITE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}  # what applying one is undone with


def to_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Turns and mirrors an array into the raster of the file.

    Args:
        upright: [h, w, ...], laid out as viewers show the picture.
        orientation: the file's, 1 to 8; 5 to 8 exchange height and width.

    Returns:
        [h, w, ...] or [w, h, ...]: pixel by pixel over the file's own pixels.
    """
    return np.ascontiguousarray(stored_view(upright, orientation))


def stored_view(upright: np.ndarray, orientation: int) -> np.ndarray:
    """As `to_stored`, without a copy: other strides over the same memory."""
    return {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: np.swapaxes(x, 0, 1),
        6: np.rot90,
        7: lambda x: np.swapaxes(np.rot90(x, 2), 0, 1),
        8: lambda x: np.rot90(x, -1),
    }[orientation](upright)
