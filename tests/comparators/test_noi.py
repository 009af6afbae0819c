import numpy as np
import pytest

from gsr_tf.comparators import noi
from tests.comparators.photographs import best_f1, demosaiced, floor, photograph, rectangle


def test_luma_is_the_studio_range_rounded():
    corners = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_array_equal(noi.luma(corners), [[16, 235, 81, 41]])


def test_one_value_a_block_of_sixteen_pixels():
    assert noi.noise_map(np.zeros((768, 1152, 3), np.uint8)).shape == (48, 72)
    assert noi.noise_map(np.zeros((1080, 1080, 3), np.uint8)).shape == (68, 68)


def test_a_flat_picture_has_no_noise():
    picture = np.full((64, 80, 3), 90, np.uint8)
    assert np.abs(noi.score(picture)).max() < 1e-9
    np.testing.assert_array_equal(noi.normalised(np.zeros((64, 80, 3), np.uint8)), np.zeros((64, 80)))


@pytest.mark.parametrize("sigma", [4, 8, 16])
def test_the_map_is_the_standard_deviation_of_the_noise(sigma):
    noise = np.random.default_rng(0).normal(128, sigma, (512, 512, 1))
    picture = np.clip(np.rint(noise), 0, 255).astype(np.uint8).repeat(3, axis=2)
    # Luma spans 219 of 255 levels, so the noise is that much smaller in it.
    assert np.median(noi.score(picture)) == pytest.approx(sigma * 219 / 255, rel=0.05)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_added_noise_is_found(name):
    picture = demosaiced(photograph(name))
    mask = rectangle(picture)
    noisy = np.clip(np.rint(picture + np.random.default_rng(0).normal(0, 10, picture.shape)), 0, 255).astype(np.uint8)
    scores = noi.score(np.where(mask[..., None], noisy, picture))
    assert scores.shape == mask.shape
    assert best_f1(scores, mask) > 3 * floor(mask)


@pytest.mark.parametrize("side", [16 * 24, 16 * 24 + 1, 16 * 24 + 15])
def test_a_noisy_square_of_whole_blocks_is_marked_where_it_is(side):
    """Whatever the number of pixels in the last, incomplete block."""
    noise = np.random.default_rng(0).normal(128, 2, (side, side))
    mask = np.zeros((side, side), bool)
    mask[320:368, 304:352] = True
    noise[mask] = np.random.default_rng(1).normal(128, 40, mask.sum())
    picture = np.clip(np.rint(noise), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    np.testing.assert_array_equal(noi.score(picture) > 10, mask)


def test_normalised_spans_zero_to_one_in_the_same_order():
    picture = photograph("coffee")
    raw, unit = noi.score(picture), noi.normalised(picture)
    assert (unit.min(), unit.max()) == (0, 1)
    np.testing.assert_allclose(unit, (raw - raw.min()) / np.ptp(raw))
