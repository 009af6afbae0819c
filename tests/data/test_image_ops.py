import cv2
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from gsr_tf.data import image_ops
from tests import tiny


def rectangle(rows, columns):
    mask = np.zeros((40, 30), np.float32)
    mask[rows, columns] = 1
    return mask


@pytest.mark.parametrize(
    "mask",
    [
        rectangle(slice(10, 25), slice(8, 20)),
        rectangle(slice(0, 9), slice(0, 9)),
        rectangle(slice(0, 40), slice(12, 30)),
        rectangle(slice(7, 8), slice(29, 30)),
        (np.random.default_rng(0).random((40, 30)) < 0.02).astype(np.float32),
    ],
    ids=["inside", "corner", "three borders", "one pixel", "scattered"],
)
def test_boundary_is_opencvs_dilation_less_erosion(mask):
    square = np.ones((5, 5), np.uint8)
    expected = cv2.dilate(mask, square) - cv2.erode(mask, square)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(image_ops.boundary(mask[None, ..., None])[0, ..., 0], expected)


@pytest.mark.parametrize("size", [3, 4, 7])
def test_boundary_of_any_width(size):
    mask = rectangle(slice(10, 30), slice(10, 20))
    found = image_ops.boundary(mask[None, ..., None], size).numpy()[0, 20, :, 0]
    assert found.sum() == 2 * (size - 1)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_empty_and_full_masks_have_no_boundary(value):
    assert not image_ops.boundary(tf.fill([1, 12, 9, 1], value)).numpy().any()


def test_laplacian_is_scipys():
    x = np.random.default_rng(0).normal(size=(2, 9, 7, 3)).astype(np.float32)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, ..., None]
    expected = scipy.ndimage.convolve(x, kernel, mode="constant")
    np.testing.assert_allclose(image_ops.laplacian(x), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(20, 90), (100, 31), (56, 56)])
def test_resize_is_opencvs(size):
    picture = tiny.tile(2).astype(np.float32)
    expected = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(image_ops.resize(picture, size), expected, atol=1e-3)


def legacy_resize(x, size):
    """TF1: output i is sampled at i * in / out."""
    for axis in (0, 1):
        position = np.arange(size[axis]) * (x.shape[axis] / size[axis])
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        weight = np.expand_dims(position - low, [1 - axis, 2])
        x = np.take(x, low, axis) * (1 - weight) + np.take(x, high, axis) * weight
    return x


@pytest.mark.parametrize("size", [(20, 90), (100, 31)])
def test_legacy_resize_samples_at_multiples(size):
    picture = tf.constant(tiny.tile(1), tf.float32)
    found = image_ops.resize(picture, size, half_pixel=False)
    np.testing.assert_allclose(found, legacy_resize(picture.numpy(), size), atol=1e-3)
    batched = image_ops.resize(picture[None], size, half_pixel=False)
    np.testing.assert_array_equal(batched[0], found)


def test_ranges():
    rgb = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    bgr = image_ops.to_network_range(rgb)
    np.testing.assert_allclose(bgr[..., 2], rgb[..., 0] - 122.67891434, atol=1e-4)
    np.testing.assert_allclose(bgr[..., 0], rgb[..., 2] - 104.00698793, atol=1e-4)
    np.testing.assert_array_equal(image_ops.from_network_range(bgr), rgb)
    np.testing.assert_array_equal(image_ops.from_network_range(bgr * 1000), np.where(bgr[..., ::-1] > 0, 255, 0))
