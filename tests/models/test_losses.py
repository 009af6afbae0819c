"""Every loss against NumPy, under both conventions."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import convolve

from gsr_tf.models import losses


@pytest.fixture(scope="module")
def pictures():
    random = np.random.default_rng(0)
    x, y = random.uniform(-120, 150, [2, 2, 9, 7, 3]).astype(np.float32)
    k = np.zeros([2, 9, 7, 1], np.float32)
    k[0, 2:5, 3:6] = 1
    k[1, 0:2, 0:2] = 0.25  # soft, as after resizing
    return x, y, k


def region_mean(error, region):
    """Sum of |x - y|_1 over the region / N, a picture; then the mean of pictures."""
    return np.mean([(e * r).sum() / r.sum() for e, r in zip(error, region)])


def laplacian(x):
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[:, :, np.newaxis]
    return np.stack([convolve(picture, kernel, mode="constant") for picture in x])


def test_background_loss_is_eq_3(pictures):
    x, y, k = pictures
    assert losses.background_loss(x, y, k).numpy() == pytest.approx(region_mean(abs(x - y), 1 - k), rel=1e-5)


def test_gradient_loss_is_eq_4(pictures):
    x, y, k = pictures
    expected = region_mean(abs(laplacian(x) - laplacian(y)), k)
    assert losses.gradient_loss(x, y, k).numpy() == pytest.approx(expected, rel=1e-5)
    assert losses.gradient_loss(x, y, k, laplacian_scale=0.25).numpy() == pytest.approx(expected / 4, rel=1e-5)


def test_edge_loss_is_eq_5(pictures):
    x, y, e = pictures
    assert losses.edge_loss(x, y, e).numpy() == pytest.approx(region_mean(abs(x - y), e), rel=1e-5)


@pytest.mark.parametrize("loss", [losses.gradient_loss, losses.edge_loss, losses.background_loss])
def test_the_release_averages_over_all_pixels_and_channels(pictures, loss):
    x, y, k = pictures
    transform = laplacian if loss is losses.gradient_loss else (lambda picture: picture)
    region = 1 - k if loss is losses.background_loss else k
    expected = np.mean(abs(transform(x) - transform(y)) * region)
    assert loss(x, y, k, normalization="pixel").numpy() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [losses.gradient_loss, losses.edge_loss])
def test_an_empty_mask_costs_nothing(pictures, loss):
    x, y, _ = pictures
    assert loss(x, y, np.zeros([2, 9, 7, 1], np.float32)).numpy() == 0


def test_equal_pictures_cost_nothing(pictures):
    x, _, k = pictures
    for loss in (losses.background_loss, losses.gradient_loss, losses.edge_loss):
        assert loss(x, x, k).numpy() == 0


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_adversarial_losses_are_eq_6():
    real, fake = np.random.default_rng(1).normal(0, 2, [2, 2, 30, 30, 1])
    discriminator = np.mean(-np.log(sigmoid(real)) - np.log(1 - sigmoid(fake)))
    logits = [tf.constant(x, tf.float32) for x in (real, fake)]
    assert losses.discriminator_loss(*logits).numpy() == pytest.approx(discriminator, rel=1e-5)
    assert losses.adversarial_loss(logits[1]).numpy() == pytest.approx(np.mean(-np.log(sigmoid(fake))), rel=1e-5)


def test_a_discriminator_that_cannot_tell_costs_two_log_two():
    zeros = tf.zeros([1, 30, 30, 1])
    assert losses.discriminator_loss(zeros, zeros).numpy() == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.3, 0.7)])
def test_cross_entropy_averages_weight_times_entropy(weights):
    random = np.random.default_rng(2)
    logits = random.normal(0, 3, [2, 5, 4, 2])
    label = (random.random([2, 5, 4, 1]) < 0.4).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    chosen = np.where(label[..., 0] == 1, p[..., 1], p[..., 0])
    expected = np.mean(np.where(label[..., 0] == 1, weights[1], weights[0]) * -np.log(chosen), axis=(1, 2))
    loss = losses.cross_entropy(tf.constant(logits, tf.float32), tf.constant(label), weights)
    assert loss.numpy() == pytest.approx(expected, rel=1e-5)


def test_weight_decay_is_half_the_sum_of_squares_of_kernels():
    kernels = [tf.Variable([[1.0, 2.0]], name="fc6/kernel"), tf.Variable([3.0], name="kernel")]
    others = [tf.Variable([4.0], name="fc6/bias"), tf.Variable([5.0], name="bn/gamma")]
    assert losses.weight_decay([*kernels, *others], 0.1).numpy() == pytest.approx(0.1 * (1 + 4 + 9) / 2)
