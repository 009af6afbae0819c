"""What one record holds: a picture and its masks, as encoded bytes in a tf.Example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gsr_tf.data.pictures import decode_picture


def encode_example(image: bytes, name: str, masks: Sequence[bytes] = (), original: bytes = b"") -> bytes:
    """The serialized tf.Example of one picture.

    Args:
        image: JPEG or PNG bytes, 8-bit grey or RGB.
        name: the source's name, unique in its set (a relative path).
        masks: PNG bytes of each K, one channel, 0 or 255, of the picture's size; none: an authentic picture.
        original: JPEG or PNG bytes of S's own authentic picture; empty when there is none.
    """
    import tensorflow as tf

    def feature(values: Sequence[bytes]) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    features = {
        "image/encoded": feature([image]),
        "image/name": feature([name.encode()]),
        "mask/encoded": feature(masks),
    }
    if original:
        features["original/encoded"] = feature([original])
    # Deterministic: the same example has the same bytes whichever process writes it.
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


class Example(NamedTuple):
    """One picture's record: its name and, as encoded bytes, the picture, its masks and its original (b"": none)."""

    name: str
    image: bytes
    masks: list[bytes]
    original: bytes

    def read_picture(self) -> np.ndarray:
        """[h, w, 3] uint8 RGB, as stored: an orientation in the bytes is of the past, masks were drawn without it.

        Raises:
            PictureError: the bytes are damaged.
        """
        return decode_picture(self.image, self.name, orient=False).pixels

    def read_mask(self, number: int) -> np.ndarray:
        """[h, w] bool: K of this number, over the picture as stored; raises PictureError when it is damaged."""
        return decode_picture(self.masks[number], f"{self.name}: mask {number}", orient=False).pixels[..., 0] > 127


def parse_example(serialized: bytes) -> Example:
    """The inverse of `encode_example`."""
    import tensorflow as tf

    features = tf.train.Example.FromString(serialized).features.feature

    def values(name: str) -> list[bytes]:
        return list(features[name].bytes_list.value)

    (image,), (name,) = values("image/encoded"), values("image/name")
    return Example(name.decode(), image, values("mask/encoded"), next(iter(values("original/encoded")), b""))
