import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf.data.pictures import PictureError, decode_picture, probe_picture


def encoded(mode="RGB", form="JPEG", size=(37, 21), **options):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(exif=exif)


FILES = {
    "jpeg": (encoded(), True),
    "grey jpeg": (encoded("L"), True),
    "progressive jpeg": (encoded(progressive=True), True),
    "several in one jpeg": (encoded(form="MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))]), True),
    "cmyk jpeg": (encoded("CMYK"), False),
    "dot": (encoded(size=(1, 1)), True),
    "png": (encoded(form="PNG"), True),
    "alpha png": (encoded("RGBA", "PNG"), False),
    "palette png": (encoded("P", "PNG"), False),
    "tiff": (encoded(form="TIFF"), False),
    "upright": (turned(1), True),
    "upside down": (turned(3), False),
    "on its side": (turned(6), False),
}


@pytest.mark.parametrize(("data", "plain"), FILES.values(), ids=FILES)
def test_a_probe_says_what_decoding_shows(data, plain):
    raster, probe = decode_picture(data), probe_picture(data)
    assert (probe.height, probe.width) == raster.pixels.shape[:2]
    assert probe.plain == raster.plain == plain
    if plain:
        decoded = tf.io.decode_image(data, channels=3, expand_animations=False).numpy().astype(int)
        assert np.abs(decoded - raster.pixels).mean() < 3  # JPEG decoders round differently


def test_pixels_as_stored():
    raster = decode_picture(turned(6), orient=False)
    assert raster.plain and raster.pixels.shape == (21, 37, 3)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_a_truncated_file_is_refused_by_both(form, part):
    data = encoded(form=form, size=(150, 100))
    for read in (decode_picture, probe_picture):
        with pytest.raises(PictureError, match="x.jpg"):
            read(data[: int(len(data) * part)], "x.jpg")
