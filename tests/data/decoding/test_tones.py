"""Deep greys and floats become 0..255 by a stated rule, or are refused."""

import numpy as np
import pytest

from gsr_tf.data.pictures import PictureError, decode_picture, probe_picture
from tests.picture_files import encoded

GREY = np.arange(256, dtype=np.uint8).reshape(8, 32)
DEEP = GREY.astype(np.uint16)
FLOAT = GREY / np.float32(255)


def with_pixel(values, value):
    changed = values.copy()
    changed[0, 0] = value
    return changed


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (DEEP * 257, ""),
        (DEEP * 16 + 7, "levels of at most 4,087: taken as 12 bits"),
        (DEEP * 4, "levels of at most 1,020: taken as 10 bits"),
        (DEEP, "levels of at most 255: taken as 8 bits"),
        (GREY.astype(np.int32) * 257, ""),
        (FLOAT, ""),
        (with_pixel(FLOAT, 1.02), "some values outside 0 to 1, clipped"),
        (with_pixel(FLOAT, -9999), "some values outside 0 to 1, clipped"),
        (with_pixel(FLOAT, np.nan), "some values outside 0 to 1, clipped"),
        (GREY.astype(np.float32), "floating point values: 255 taken as white"),
        (GREY * np.float32(257), "floating point values: 65,535 taken as white"),
    ],
)
def test_the_same_grey_in_every_depth(values, note):
    raster = decode_picture(encoded(values, "TIFF"))
    np.testing.assert_array_equal(raster.pixels[..., 1].ravel()[1:], GREY.ravel()[1:])
    said = [one for one in raster.notes if one not in ("greyscale", "more than 8 bits a channel, reduced to 8")]
    assert said == ([note] if note else [])


@pytest.mark.parametrize("values", [65535 - DEEP * 257, 4095 - DEEP * 16], ids=["16", "12"])
def test_levels_from_white_to_black(values):
    pixels = decode_picture(encoded(values, "TIFF")).pixels[..., 0]
    inverted = decode_picture(encoded(values, "TIFF", tiffinfo={262: 0})).pixels[..., 0]
    np.testing.assert_array_equal(inverted, 255 - pixels)
    np.testing.assert_array_equal(255 - pixels, GREY)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (GREY.astype(np.int32) << 20, "x.tif: 32-bit levels from 0 to 267,386,880: which is white"),
        (GREY.astype(np.int32) - 5, "x.tif: 32-bit levels from -5 to 250: which is white"),
        (with_pixel(FLOAT, 7), "x.tif: floating point values up to 7: which is white"),
        (with_pixel(FLOAT, 3e38), r"x.tif: floating point values up to 3e\+38: which is white"),
    ],
)
def test_what_nobody_can_say_is_refused(values, message):
    for use in (decode_picture, probe_picture):
        with pytest.raises(PictureError, match=message):
            use(encoded(values, "TIFF"), "x.tif")
