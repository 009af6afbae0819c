"""POST /v1/segment: what is answered."""

import base64
import hashlib
import io
import os
import sys

import numpy as np
import pytest
from PIL import Image

import gsr_tf
from gsr_tf.inference.segmentation import segmentation
from gsr_tf.web.answer import reduced
from tests.web.conftest import client_of, red_and_green, red_detector
from tests.web.pictures import blotches, encoded

PIXELS = blotches()
PICTURE = encoded(PIXELS)
RED = PIXELS[..., 0] / np.float32(255)


def asked(client, picture=PICTURE, **parameters):
    response = client.post("/v1/segment", content=picture, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def opened(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_the_numbers_are_the_detectors(client):
    expected = segmentation(RED, threshold=0.8)
    found = asked(client, threshold=0.8)
    assert found["score"] == pytest.approx(expected.score, abs=1e-9)
    assert found["flagged"] == expected.flagged
    assert [tuple(box.values()) for box in found["boxes"]] == expected.boxes
    assert len(expected.boxes) > 1
    assert (found["width"], found["height"], found["model"], found["fingerprint"]) == (120, 90, "red", "f1")
    assert (found["resolution"], found["scales"], found["version"]) == ("whole", [1.0], gsr_tf.__version__)
    assert found["precision"] == "float32"
    assert found["sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert set(found["seconds"]) == {"decode", "network"}


def test_what_the_file_has_and_was_not_looked_at_is_said(client):
    assert asked(client)["warnings"] == []
    seen_through = np.concatenate([PIXELS, PIXELS[..., :1]], -1)
    assert asked(client, encoded(seen_through))["warnings"] == ["transparency ignored"]
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    animated = encoded(PIXELS, "GIF", save_all=True, append_images=frames[1:])
    assert "the first of 2 frames" in asked(client, animated)["warnings"]


def test_the_threshold_is_the_models_by_default(client):
    assert asked(client)["threshold"] == 0.4


def test_maps_of_16_bits_are_precise(client):
    maps = asked(client)["maps"]
    np.testing.assert_allclose(opened(maps["probability"]) / 65535, RED, atol=0.5 / 65535 + 1e-7)
    np.testing.assert_array_equal(opened(maps["boundary"]), PIXELS[..., 1] * np.uint16(257))
    np.testing.assert_array_equal(opened(maps["mask"]), 255 * segmentation(RED, threshold=0.4).mask)
    assert (maps["bits"], maps["width"], maps["height"]) == (16, 120, 90)


def test_a_threshold_on_a_map_of_8_bits_is_one_on_the_probability(client):
    levels = opened(asked(client, maps=8)["maps"]["probability"])
    assert levels.dtype == np.uint8
    for k in range(255):
        np.testing.assert_array_equal(levels > k, k / 256 < RED)


def test_numbers_alone(client):
    found = asked(client, maps="none")
    assert found["maps"] is None
    assert found["preview"] is None


def test_what_is_shown_may_be_smaller_but_numbers_are_of_the_whole_picture(client):
    found, whole = asked(client, max_side=60, preview=True), asked(client)
    assert (found["maps"]["width"], found["maps"]["height"]) == (60, 45)
    for name in ("probability", "boundary", "mask"):
        assert opened(found["maps"][name]).shape == (45, 60)
    assert opened(found["preview"]).shape == (45, 60, 3)
    np.testing.assert_allclose(
        opened(found["maps"]["probability"]) / 65535, RED.reshape(45, 2, 60, 2).mean((1, 3)), atol=1e-5
    )
    for name in ("score", "flagged", "boxes", "width", "height"):
        assert found[name] == whole[name]


def test_a_reduced_mask_lies_over_the_reduced_map(client):
    whole = opened(asked(client)["maps"]["mask"])
    np.testing.assert_array_equal(opened(asked(client, max_side=40)["maps"]["mask"]), whole[1::3, 1::3])
    mask = np.zeros((300, 400), bool)
    mask[65:145, 125:225] = True
    np.testing.assert_array_equal(reduced(mask, 20), reduced(np.float32(mask), 20) > 0.5)


def test_picture_and_map_are_both_upright(client):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    found = asked(client, encoded(PIXELS, exif=exif), preview=True)
    assert (found["width"], found["height"]) == (90, 120)
    np.testing.assert_allclose(opened(found["maps"]["probability"]) / 65535, np.rot90(RED, -1), atol=1e-5)
    smooth = np.abs(opened(found["preview"])[..., 0].astype(float) - np.rot90(PIXELS[..., 0], -1)).mean()
    assert smooth < 25  # JPEG of coloured noise; 70 or more when turned otherwise


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_formats(client, format):
    found = asked(client, encoded(PIXELS, format), maps="none")
    assert (found["width"], found["height"]) == (120, 90)


def test_a_telephones_heic(client):
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow-heif")
    buffer = io.BytesIO()
    heif.from_pillow(Image.fromarray(PIXELS)).save(buffer, quality=90)
    found = asked(client, buffer.getvalue(), maps="none")
    assert (found["height"], found["width"]) == PIXELS.shape[:2]


def test_a_network_without_boundary_branch():
    def red(image):
        return {"probability": red_and_green(image)["probability"]}

    with client_of(red_detector(red)) as client:
        assert asked(client)["maps"]["boundary"] is None


OPENED = []


def _watch(event, arguments):
    if event != "open":
        return
    path, mode, flags = arguments
    writes = set(mode) & set("wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
    if writes and isinstance(path, str) and "__pycache__" not in path:  # a number is a pipe between processes
        OPENED.append(path)


def test_nothing_is_written_to_disk(client):
    sys.addaudithook(_watch)  # stays until the process ends: hooks cannot be taken back
    large = encoded(blotches(700, 900))
    assert len(large) > 1_000_000  # above what frameworks keep in memory
    OPENED.clear()
    asked(client, large)
    client.post("/v1/report", content=large, params={"format": "png", "name": "a.png"})
    assert OPENED == []
