"""Lack of memory, told from damage and from defects, whoever says it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import cv2
import numpy as np

from gsr_tf.errors import of_tensorflow

SAID = (
    *("out of memory", "Memory allocation"),  # by Pillow's decoders and libheif
    *("Insufficient memory", "std::bad_alloc"),  # by OpenCV, whose errors all have the code of the latest one
    "Status: 1, message: ",  # by oneDNN
)


def was_lacking(error: Exception) -> bool:
    """Whether an error says that Python, NumPy, Pillow, TensorFlow or OpenCV could not get the memory it asked for."""
    if isinstance(error, (MemoryError, *of_tensorflow("ResourceExhaustedError"))):
        return True
    saying = (OSError, RuntimeError, cv2.error, *of_tensorflow("AbortedError"))
    return isinstance(error, saying) and any(words in str(error) for words in SAID)


def can_have(size: int) -> bool:
    """Whether `size` bytes could be had now; they are not touched, and given back at once."""
    try:
        np.empty(size, np.uint8)
    except MemoryError:
        return False
    return True


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Turns lack of memory within, whoever says it, into a MemoryError whose message names `what`."""
    try:
        yield
    except Exception as error:
        if not was_lacking(error):
            raise
        raise MemoryError(f"{what}: needs more memory than there is now") from error
