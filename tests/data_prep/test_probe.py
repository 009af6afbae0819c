import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf.data.pictures import PictureError, decode_picture, probe_picture
from tests.picture_files import encoded, turned


def noise(mode="RGB", form="JPEG", size=(37, 21), **options):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels).convert(mode), form, **options)


FILES = {
    "jpeg": (noise(), True),
    "grey jpeg": (noise("L"), True),
    "progressive jpeg": (noise(progressive=True), True),
    "several in one jpeg": (noise(form="MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))]), True),
    "cmyk jpeg": (noise("CMYK"), False),
    "dot": (noise(size=(1, 1)), True),
    "png": (noise(form="PNG"), True),
    "alpha png": (noise("RGBA", "PNG"), False),
    "palette png": (noise("P", "PNG"), False),
    "tiff": (noise(form="TIFF"), False),
    "upright": (noise(exif=turned(1)), True),
    "upside down": (noise(exif=turned(3)), False),
    "on its side": (noise(exif=turned(6)), False),
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
    raster = decode_picture(noise(exif=turned(6)), orient=False)
    assert raster.plain and raster.pixels.shape == (21, 37, 3)


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_a_truncated_file_is_refused_by_both(form, part):
    data = noise(form=form, size=(150, 100))
    for read in (decode_picture, probe_picture):
        with pytest.raises(PictureError, match="x.jpg"):
            read(data[: int(len(data) * part)], "x.jpg")
