"""Records, read back as they are stored."""

from __future__ import annotations

import functools
from typing import NamedTuple

import tensorflow as tf

from gsr_tf.data.records import Records, open_records


class Stored(NamedTuple):
    """A record's parts, as stored."""

    name: str
    image: bytes
    masks: list[bytes]


def read_stored(serialized: bytes) -> Stored:
    """The parts of a serialized record."""
    features = tf.train.Example.FromString(serialized).features.feature
    return Stored(
        features["image/name"].bytes_list.value[0].decode(),
        features["image/encoded"].bytes_list.value[0],
        list(features["mask/encoded"].bytes_list.value),
    )


@functools.lru_cache(maxsize=8)
def open_once(path: str, flag: str) -> Records:
    """`open_records`, once a process: workers are given a path rather than an index of many megabytes."""
    return open_records(path, flag)
