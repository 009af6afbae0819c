"""One entry -> one record: its pictures and masks are read, checked and encoded."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from data_prep.reading.entries import Entry, Objects, Refused
from data_prep.writing.mask_png import encode_mask
from gsr_tf.data.example import encode_example
from gsr_tf.data.pictures import PictureError, decode_picture, encode_png, probe_picture, read_bytes


class Example(NamedTuple):
    """A record, ready to be written.

    Attributes:
        payload: the serialized tf.Example.
        columns: its line in the index, without its place.
        remarks: how many objects, originals ... of it were left out, and what was not plain to see, by reason.
    """

    payload: bytes
    columns: dict
    remarks: Counter


PICTURE_UNREAD, MASK_UNREAD = "picture cannot be read", "mask cannot be read"
LOST = "last rows are plain grey, as where a file's data were lost"


def _encode_picture(path: str, shape: tuple[int, int] | None = None) -> tuple[bytes, tuple[int, int], bool]:
    """The bytes to store of a picture, its (height, width), and whether its last rows seem lost.

    They are the published ones when TensorFlow decodes them as viewers do, else a lossless PNG. Where only the
    picture as stored, before its EXIF orientation, has the masks' `shape`, the masks were drawn on that.
    """
    data = read_bytes(path)
    probe = probe_picture(data, path)
    size = (probe.height, probe.width)
    as_stored = shape is not None and size != shape and size[::-1] == shape
    if probe.plain and not as_stored:
        return data, size, probe.lost
    raster = decode_picture(data, path, orient=not as_stored)
    return (data if raster.plain else encode_png(raster.pixels)), raster.pixels.shape[:2], probe.lost


def _read_objects(entry: Entry) -> Objects | None:
    if entry.masks is None:
        return None
    try:
        objects = entry.masks.read()
    except PictureError as error:
        raise Refused(MASK_UNREAD, str(error)) from error
    if not objects.masks and (objects.refused or not entry.keep_unmasked):  # what is annotated is never authentic
        raise Refused("no usable mask", ", ".join(sorted(set(objects.refused))))
    return objects


def _read_picture(entry: Entry, shape: tuple[int, int] | None) -> tuple[bytes, tuple[int, int], bool]:
    try:
        image, size, lost = _encode_picture(entry.image, shape)
    except PictureError as error:
        raise Refused(PICTURE_UNREAD, str(error)) from error
    if shape is not None and size != shape:
        detail = f"picture {size[1]}x{size[0]}, mask {shape[1]}x{shape[0]} (width x height)"
        raise Refused("sizes differ", f"{detail}; {entry.known}" if entry.known else detail)
    return image, size, lost


def open_entry(entry: Entry) -> tuple[np.ndarray, list[np.ndarray]]:
    """The pixels that a record of the entry would hold, [h, w, 3] uint8 RGB, and its masks, [h, w] uint8, 0 or 1.

    Raises:
        Refused: the picture or its mask cannot be used.
    """
    objects = _read_objects(entry)
    image, _, _ = _read_picture(entry, objects.shape if objects else None)
    try:
        pixels = decode_picture(image, entry.image, orient=False).pixels
    except PictureError as error:
        raise Refused(PICTURE_UNREAD, str(error)) from error
    return pixels, objects.masks if objects else []


def is_unread(entry: Entry) -> bool:
    """Whether the picture or its mask cannot be read at all; one that is refused for what it holds was read."""
    try:
        open_entry(entry)
    except Refused as refusal:
        return refusal.reason in (PICTURE_UNREAD, MASK_UNREAD)
    return False


def make_example(entry: Entry) -> Example:
    """Reads, checks and encodes one picture with its masks and its original.

    Raises:
        Refused: the picture or its mask cannot be used.
    """
    objects = _read_objects(entry)
    image, (height, width), lost = _read_picture(entry, objects.shape if objects else None)
    remarks = Counter([*objects.refused, *objects.notes] if objects else ())
    if lost:
        remarks[f"picture: {LOST}"] += 1
    original = b""
    if entry.original:
        try:
            original, _, _ = _encode_picture(entry.original)
        except PictureError:
            remarks["original cannot be read"] += 1
    masks = [encode_mask(mask) for mask in objects.masks] if objects else []
    columns = {
        "name": entry.name,
        "height": height,
        "width": width,
        "masks": len(masks),
        "original": int(bool(original)),
    }
    return Example(encode_example(image, entry.name, masks, original), columns, remarks)
