"""Lack of memory is told from damage, and names what was being read."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile

from gsr_tf.data.decoding import lacking, opening, webp_header
from gsr_tf.data.pictures import PictureError, decode_picture, probe_picture
from tests.picture_files import encoded, turned


def jpeg():
    return encoded(Image.new("RGB", (8, 8)), "JPEG", exif=turned(6))


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError("out of memory error when reading image file"), RuntimeError("Memory allocation error")],
    ids=repr,
)
def test_a_decoder_that_lacks_memory_does_not_call_the_picture_damaged(error, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", raising(error))
    with pytest.raises(MemoryError, match="a.jpg: needs more memory than there is now"):
        decode_picture(jpeg(), "a.jpg")


@pytest.mark.parametrize("use", [decode_picture, probe_picture])
def test_a_library_that_says_damaged_for_want_of_memory_is_not_believed(monkeypatch, use):
    """As libjpeg and libwebp do."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", raising(OSError("broken data stream")))
    monkeypatch.setattr(opening, "can_have", lambda size: size < 16 * 8 * 8)
    with pytest.raises(MemoryError, match="a.jpg: needs more memory"):
        use(jpeg(), "a.jpg")


@pytest.mark.parametrize("save", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}], ids=str)
def test_a_webp_for_whose_canvas_memory_lacks_is_not_damaged(monkeypatch, save):
    data = encoded(Image.new("RGB", (50, 30)), "WEBP", **save)
    assert webp_header.pixels(data) == 30 * 50
    monkeypatch.setattr(opening, "_identified", raising(OSError("could not create decoder object")))
    monkeypatch.setattr(opening, "can_have", lambda size: size < 16 * 30 * 50)
    with pytest.raises(MemoryError, match="a.webp: needs more memory"):
        decode_picture(data, "a.webp")
    with pytest.raises(PictureError, match="damaged header"):
        decode_picture(jpeg())


def test_what_memory_can_be_had():
    assert lacking.can_have(1 << 20) and not lacking.can_have(1 << 50)


def test_an_orientation_for_which_memory_lacks_is_not_none(monkeypatch):
    monkeypatch.setattr(Image.Image, "getexif", raising(MemoryError()))
    with pytest.raises(MemoryError):
        decode_picture(jpeg())


def test_damage_stays_damage(monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", raising(OSError("broken data stream")))
    with pytest.raises(PictureError, match="broken data stream"):
        decode_picture(jpeg())


def test_what_lacked_memory_is_named_and_other_errors_pass():
    with pytest.raises(MemoryError, match="b.png: needs more memory"), lacking.naming("b.png"):
        cv2.resize(np.zeros((2, 2, 3)), (30_000_000, 30_000_000))
    with pytest.raises(KeyError), lacking.naming("b.png"):
        {}["b.png"]
