import cv2
import numpy as np
import pytest
from scipy import ndimage

from gsr_tf.comparators import cfa
from gsr_tf.comparators.blocks import to_pixels
from tests.comparators.photographs import best_f1, demosaiced, photograph, rectangle


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket"])
def test_a_rectangle_without_demosaicing_is_found(name):
    picture = photograph(name)
    mask = rectangle(picture)
    scores = cfa.score(np.where(mask[..., None], picture, demosaiced(picture)))
    assert scores.shape == mask.shape and scores.min() >= 0 and scores.max() <= 1
    assert best_f1(scores, mask) >= 0.85


@pytest.mark.parametrize("shift", [0, 1])
def test_green_sites_are_those_that_were_measured(shift):
    picture = demosaiced(photograph("coffee"))[:, shift : 200 + shift].astype(np.float64)
    down, across = np.indices(picture.shape[:2])
    np.testing.assert_array_equal(cfa.green_sites(picture), (down + across + shift) % 2 == 1)


@pytest.mark.parametrize("shift", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_red_and_blue_alone_say_where_green_was_measured(shift):
    picture = demosaiced(photograph("coffee"))[shift[0] : 200 + shift[0], shift[1] : 200 + shift[1]].astype(np.float64)
    picture[..., 1] = 128  # of an even channel no block can tell a phase
    down, across = np.indices(picture.shape[:2])
    np.testing.assert_array_equal(cfa.green_sites(picture), (down + across + sum(shift)) % 2 == 1)


@pytest.mark.parametrize(("deviation", "green"), [(5.1, 1), (4.9, 0)])
def test_blocks_tell_a_phase_where_their_deviation_is_above_five(deviation, green):
    """Where none is, nothing is known, and the answer is the first checkerboard."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    blocks = demosaiced(noise).astype(np.float64).reshape(4, 16, 5, 16, 3)
    blocks -= blocks.mean(axis=(1, 3), keepdims=True)
    blocks *= deviation / np.sqrt((blocks**2).sum(axis=(1, 3), keepdims=True) / 255)
    down, across = np.indices(noise.shape[:2])
    np.testing.assert_array_equal(cfa.green_sites(128 + blocks.reshape(noise.shape)), (down + across) % 2 == green)


@pytest.mark.parametrize(("kernel", "sites"), [(cfa.RED_BLUE_KERNEL, "one of four"), (cfa.GREEN_KERNEL, "one of two")])
def test_a_ramp_is_interpolated_exactly_wherever_it_was_measured(kernel, sites):
    down, across = np.indices((14, 16))
    ramp = 40.0 + 5 * down + 3 * across
    for first in (0, 1):
        both = (down % 2 == first) & (across % 2 == first)
        measured = both if sites == "one of four" else (down + across) % 2 == first
        found = ndimage.convolve(ramp * measured, kernel, mode="constant")
        np.testing.assert_allclose(found[1:-1, 1:-1], ramp[1:-1, 1:-1])


def test_local_variance_of_one_phase_ignores_the_other():
    rng = np.random.default_rng(0)
    checkerboard = np.indices((40, 40)).sum(axis=0) % 2 == 0
    error = np.where(checkerboard, rng.normal(0, 3, (40, 40)), 0.0)
    variance = cfa.local_variance(error, checkerboard)
    assert variance[~checkerboard].max() == 0
    assert variance[checkerboard].mean() == pytest.approx(9, rel=0.15)


def test_log_ratios_by_hand():
    acquired = np.indices((8, 16)).sum(axis=0) % 2 == 0
    variance = np.where(acquired, 4.0, 1.0)
    assert cfa.log_ratios(variance, acquired)[0] == pytest.approx([32 * np.log(4)] * 2)
    variance[0, 0] = 0  # an acquired pixel of the first block: 0 / x
    variance[0, 8] = variance[0, 9] = 0  # one of each in the second: 0 / 0
    np.testing.assert_array_equal(cfa.log_ratios(variance, acquired), [[-np.inf, 0]])


def test_products_beyond_floating_point_keep_their_ratio():
    acquired = np.indices((8, 8)).sum(axis=0) % 2 == 0
    ratio = cfa.log_ratios(np.where(acquired, 1e-30, 1e-29), acquired)
    assert ratio[0, 0] == pytest.approx(-32 * np.log(10))


def test_an_incomplete_block_has_the_ratio_one():
    acquired = np.indices((8, 12)).sum(axis=0) % 2 == 0
    assert cfa.log_ratios(np.where(acquired, 4.0, 1.0), acquired)[0, 1] == 0


def test_mixture_recovers_its_two_gaussians():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 4000), rng.normal(20, 3, 6000)])
    v1, mu, v2 = cfa.fit_mixture(values)
    assert (v1, mu, v2) == pytest.approx((1, 20, 9), rel=0.06)


def test_flat_and_odd_pictures_have_a_map_without_nan():
    for shape in ((33, 47), (16, 16)):
        flat = cfa.score(np.full((*shape, 3), 200, np.uint8))
        assert flat.shape == shape and np.isfinite(flat).all() and np.ptp(flat) == 0
    noisy = cfa.score(np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8))
    assert noisy.shape == (33, 47) and np.isfinite(noisy).all()


def interpolated_to_the_last_bit():
    """A picture but for whose flat square every interpolated pixel is the mean of its neighbours, without rounding."""
    acquired = np.indices((128, 128)).sum(axis=0) % 2 == 0
    measured = 4.0 * np.random.default_rng(0).integers(5, 58, (128, 128)) * acquired
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 4
    green = np.where(acquired, measured, cv2.filter2D(measured, -1, cross, borderType=cv2.BORDER_CONSTANT))
    green[40:96, 40:96] = 100
    return np.repeat(green.astype(np.uint8)[..., None], 3, axis=2)


def test_ratios_of_nothing_and_of_one_alone_have_a_map_that_says_nothing():
    with np.errstate(all="raise", under="ignore"):
        scores = cfa.score(interpolated_to_the_last_bit())
    np.testing.assert_array_equal(scores, np.full((128, 128), 0.5))


@pytest.mark.parametrize("atoms", [[0.0], [3.5], [0.0, 3.5], [-700.0, 0.0, 1500.0]])
def test_densities_of_equal_ratios_are_finite(atoms):
    values = np.repeat(atoms, 7)
    with np.errstate(all="raise", under="ignore"):
        v1, mu, v2 = cfa.fit_mixture(values)
    assert v1 > 0 and v2 > 0 and np.isfinite((2000 - mu) ** 2 / v2 + 2000**2 / v1)


def test_a_photograph_with_flat_blocks_has_a_map_without_overflow():
    with np.errstate(all="raise", under="ignore"):
        scores = cfa.score(np.ascontiguousarray(photograph("chelsea")[:101, :122]))
    assert scores.min() == 0 and scores.max() == 1


def test_blocks_keep_their_place():
    np.testing.assert_array_equal(to_pixels(np.array([[1, 2]]), 3, (2, 5)), [[1, 1, 1, 2, 2], [1, 1, 1, 2, 2]])
    np.testing.assert_array_equal(to_pixels(np.arange(3)[None], 8, (1, 26))[0], [*np.arange(24) // 8, 2, 2])


@pytest.mark.parametrize("side", [384, 385, 386, 390])
def test_a_square_of_whole_blocks_is_marked_where_it_is(side):
    """Whatever the number of pixels in the last, incomplete block: stretched, 49 blocks of 386 would end at 330."""
    texture = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 1, (side, side, 3)), (0, 0), 0.8)
    picture = np.clip(np.rint(128 + 40 * texture / texture.std()), 0, 255).astype(np.uint8)
    square = slice(208, 336)
    mask = np.zeros((side, side), bool)
    mask[square, square] = True
    marked = cfa.score(np.where(mask[..., None], picture, demosaiced(picture))) > 0.5
    for line in (marked[:, square].mean(axis=1), marked[square].mean(axis=0)):  # corners are rounded, by a median
        found = np.flatnonzero(line > 0.5)
        assert (found.min(), found.max()) == (208, 335)
