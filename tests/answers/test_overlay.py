"""What is drawn on a picture, in numbers."""

import io

import numpy as np
import pytest
from PIL import Image

from gsr_tf.answers import files
from gsr_tf.answers.overlay import draw_overlay
from gsr_tf.inference.segmentation import segmentation

INFERNO = {0.0: (0, 0, 4), 0.5: (188, 55, 84), 1.0: (252, 255, 164)}  # Matplotlib's, of 0, 128 and 255
WHITE, BLACK, GREY = 255, 0, 100


def no_heat(shape):
    return np.full([*shape, 3], GREY, np.uint8), np.zeros(shape, np.float32)


def test_heat_covers_grey_the_more_the_more_probable():
    picture = np.full([1, 3, 3], (200, 100, 50), np.uint8)
    probability = np.float32([list(INFERNO)])
    found = draw_overlay(picture, probability, np.zeros([1, 3], bool))[0]
    grey = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    for pixel, (level, heat) in zip(found, INFERNO.items()):
        np.testing.assert_allclose(pixel, (1 - 0.75 * level) * grey + 0.75 * level * np.array(heat), atol=1.5)


def test_a_mask_and_its_holes_have_a_white_line_within_a_black_one():
    mask = np.zeros([40, 40], bool)
    mask[8:32, 8:32] = True
    mask[16:24, 16:24] = False
    column = draw_overlay(*no_heat(mask.shape), mask)[:, 20]
    white = np.flatnonzero((column == WHITE).all(axis=1))
    np.testing.assert_array_equal(white, [8, 15, 24, 31])  # the mask's own pixels at its edges
    assert (column[[*white - 1, *white + 1]] == BLACK).all()
    np.testing.assert_array_equal(column[[4, 20, 35]], 3 * [3 * [GREY]])


def test_lines_are_as_wide_as_a_large_picture_asks_for():
    widths = []
    for height in (200, 1200):
        mask = np.zeros([height, 60], bool)
        mask[100:] = True
        widths.append((draw_overlay(*no_heat(mask.shape), mask)[50:150, 30] == WHITE).all(axis=1).sum())
    assert widths[0] == 1 and 3 <= widths[1] <= 5  # OpenCV draws a line of three pixels five wide


def test_a_preview_is_the_picture_beside_its_overlay():
    picture = np.full([40, 50, 3], (250, 0, 0), np.uint8)
    overlay, small = (
        np.asarray(Image.open(io.BytesIO(data)))
        for data in files.draw(picture, segmentation(np.zeros([40, 50], np.float32)))
    )
    grey = 3 * [0.299 * 250]
    np.testing.assert_allclose(overlay.mean((0, 1)), grey, atol=3)
    np.testing.assert_allclose(small[:, :45].mean((0, 1)), picture[0, 0], atol=6)
    np.testing.assert_allclose(small[:, 55:].mean((0, 1)), grey, atol=3)


def test_a_preview_has_no_longer_side_than_208_pixels_a_half():
    picture, probability = no_heat((100, 300))
    small = Image.open(io.BytesIO(files.draw(picture, segmentation(probability))[1]))
    assert small.size == (2 * 208, 69)


@pytest.mark.parametrize("length", [208, 2500])
def test_a_preview_outlines_every_region_in_white_on_black(length):
    probability = np.zeros([length, length], np.float32)
    probability[length // 2 :] = 0.6
    probability[100:108, 100:108] = 0.6  # as small as a region may be
    small = np.asarray(
        Image.open(io.BytesIO(files.draw(*no_heat(probability.shape)[:1], segmentation(probability))[1]))
    )
    across = small[95:113, small.shape[1] * 3 // 4].mean(-1)  # from the upper half to the lower
    assert across.max() > 230 and across.min() < 60
    around = small[: 108 * 208 // length + 4, 208:][:, : 108 * 208 // length + 4].mean(-1)
    assert around.max() - around.min() > 120
