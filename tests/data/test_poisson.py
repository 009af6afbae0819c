import numpy as np
import pytest
from scipy import ndimage

from gsr_tf.data.poisson import membrane

RANDOM = np.random.default_rng(0)
S, T = (RANDOM.integers(0, 256, (20, 30, 3)).astype(np.uint8) for _ in range(2))
INNER = np.zeros((20, 30, 1), bool)
INNER[4:12, 5:20] = True
INNER[7:9, 8:12] = False  # a hole
AT_BORDER = np.zeros((20, 30, 1), bool)
AT_BORDER[:9, 22:] = True
AT_BORDER[15:, :3] = True


def second_derivatives(picture):
    """Sum of the differences to the neighbours that there are; at the picture's border it goes on as it is."""
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[..., None]
    return ndimage.convolve(picture, kernel, mode="nearest")


@pytest.mark.parametrize("k", [INNER, AT_BORDER], ids=["inner", "at the border"])
def test_the_blend_has_t_around_and_the_second_derivatives_of_s_inside(k):
    u = membrane(S, k, T)
    blended = S + u
    assert u.dtype == np.float32
    np.testing.assert_array_equal(blended[~k[..., 0]], T[~k[..., 0]].astype(np.float32))
    difference = second_derivatives(blended) - second_derivatives(S.astype(np.float32))
    assert np.abs(difference[k[..., 0]]).max() < 1e-3


def test_s_in_another_light_becomes_t():
    t = np.clip(T, 20, 235)
    np.testing.assert_allclose((t - 20) + membrane(t - 20, INNER, t), t, atol=1e-4)


def test_it_stays_between_the_differences_around_the_region():
    u = membrane(S, INNER, T)
    around = ndimage.binary_dilation(INNER[..., 0]) & ~INNER[..., 0]
    assert (u[INNER[..., 0]].min(0) >= u[around].min(0)).all() and (u[INNER[..., 0]].max(0) <= u[around].max(0)).all()


def test_a_region_that_is_nothing_or_everything():
    np.testing.assert_array_equal(membrane(S, np.zeros_like(INNER), T), T.astype(np.float32) - S)
    np.testing.assert_array_equal(membrane(S, np.ones_like(INNER), T), np.zeros(S.shape))
