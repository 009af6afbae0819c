"""Records, read back as they are stored."""

from __future__ import annotations

import functools
import os
from typing import NamedTuple

import tensorflow as tf

from data_prep.entries import PreparationError
from gsr_tf.data.records import Records, RecordsError, open_records


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


def open_input(path: str | os.PathLike, flag: str) -> Records:
    """`open_records` for a command's input; a PreparationError where there are none, or damaged ones."""
    try:
        return open_records(path, flag)
    except RecordsError as error:
        raise PreparationError(str(error)) from error


@functools.lru_cache(maxsize=8)
def open_once(path: str) -> Records:
    """`open_records`, once a process: workers are handed a path rather than an index of many megabytes.

    Args:
        path: absolute.
    """
    return open_records(path)
