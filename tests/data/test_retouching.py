import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from gsr_tf.data.augment.retouching import Retouching, retouch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation

RANDOM = np.random.default_rng(0)
S, T = (RANDOM.integers(0, 256, (48, 48, 3)).astype(np.uint8) for _ in range(2))
K = np.zeros((48, 48, 1), bool)
K[10:30, 8:40] = True
NEVER, ALWAYS = (0.999,) * 3, (0.0, 0.999, 0.999)


NOTHING = Retouching()


def retouched(size=48, settings=NOTHING, random=NEVER):
    return [x.numpy() for x in retouch(S, tf.constant(K), T, size, settings, tf.constant(random))]


def test_nothing_asked_for_is_equation_1():
    s, k, t, m = retouched()
    np.testing.assert_array_equal(s, S)
    np.testing.assert_array_equal(k, K)
    np.testing.assert_array_equal(t, T)
    np.testing.assert_array_equal(m, np.where(K, S, T))


def test_m_is_composed_before_it_is_reduced():
    _, k, _, m = retouched(size=24)
    pasted = np.where(K, S, T).astype(np.float32)
    expected = tf.image.resize(pasted, [24, 24], antialias=True).numpy()
    assert np.abs(m - expected).max() <= 0.5
    np.testing.assert_array_equal(k[..., 0], K[::2, ::2, 0])


@pytest.mark.parametrize("size", [16, 24, 32])
def test_a_region_thinner_than_half_a_pixel_does_not_vanish_from_k(size):
    thin = np.zeros_like(K)
    thin[20, 10:30] = True
    _, k, _, m = (x.numpy() for x in retouch(S, tf.constant(thin), T, size, NOTHING, tf.constant(NEVER)))
    changed = np.abs(m.astype(int) - retouch(S, tf.zeros_like(thin), T, size, NOTHING, tf.constant(NEVER))[3]).any(-1)
    assert k.any() and changed[k[..., 0]].mean() > 0.8
    assert not retouch(S, tf.zeros_like(thin), T, size, NOTHING, tf.constant(NEVER))[1].numpy().any()


@pytest.mark.parametrize("extra", [False, True], ids=["even", "with one pixel more"])
def test_of_a_thin_region_k_has_every_pixel_that_shows_it(extra):
    """A line across the picture, one pixel wide where the result has one of four: K crosses it, too."""
    thin = np.zeros_like(K)
    np.fill_diagonal(thin[..., 0], True)
    thin[20, 21] = extra
    k = retouch(S, tf.constant(thin), T, len(K) // 4, NOTHING, tf.constant(NEVER))[1].numpy()[..., 0]
    assert k.diagonal().all()


def test_the_feather_is_a_gaussian_of_k():
    sigma = 1.5 * 0.999
    m = retouched(settings=Retouching(feather=1.5))[3]
    soft = ndimage.gaussian_filter(K[..., 0].astype(np.float32), sigma, mode="nearest", radius=5)[..., None]
    assert np.abs(m - (soft * S + (1 - soft) * T)).max() <= 0.51
    assert retouched(settings=Retouching(feather=1.5))[1].sum() == K.sum()  # K itself stays hard


def test_m_and_t_are_saved_at_the_quality_drawn():
    for random, quality in (((0.9, 0, 0.0), 60), ((0.9, 0, 0.9999), 95)):
        s, _, t, m = retouched(settings=Retouching(jpeg_quality=(60, 95)), random=random)
        for found, picture in ((m, np.where(K, S, T)), (t, T)):
            rgb = tf.constant(picture[..., ::-1].astype(np.uint8))
            expected = tf.io.decode_jpeg(tf.io.encode_jpeg(rgb, quality=quality)).numpy()[..., ::-1]
            assert np.abs(found.astype(int) - expected).mean() < 1
        np.testing.assert_array_equal(s, S)
    assert not np.array_equal(m, retouched(settings=Retouching(jpeg_quality=(60, 60)))[3])


def test_an_authentic_example_is_t_and_an_empty_k():
    settings = Retouching(authentic_share=0.1)
    _, k, t, m = retouched(settings=settings, random=ALWAYS)
    assert not k.any()
    np.testing.assert_array_equal(m, t)
    assert retouched(settings=settings)[1].any()


WINDOWS = Preparation(input_size=16, resize_mode="crop", short_side=40, window_scale=(1.0, 2.5), seed=3)


def drawn(sources, targets, preparation, count=40, **more):
    (batch,) = training_stream(sources, targets, preparation, batch_size=count, **more).take(1)
    return batch


def test_windows_of_several_scales_share_one_stream(sources, targets):
    batch = drawn(sources, targets, WINDOWS)
    assert [x.shape.as_list() for x in batch[:4]] == [[40, 16, 16, channels] for channels in (3, 1, 3, 3)]
    assert set(np.unique(batch.k)) == {0.0, 1.0}
    # Away from the seam M is what was pasted, or what it was pasted on; at the seam it is neither.
    inside = -tf.nn.max_pool2d(-batch.k, 7, 1, "SAME").numpy()
    outside = 1 - tf.nn.max_pool2d(batch.k, 7, 1, "SAME").numpy()
    for region, picture in ((inside, batch.s), (outside, batch.t)):
        assert region.sum() > 100
        shown, expected = ((region * x)[:, 2:-2, 2:-2] for x in (batch.m, picture))  # K may end at the border
        np.testing.assert_allclose(shown, expected, atol=1.01)
    assert np.abs(batch.m - copy_paste(batch.s, batch.k, batch.t)).max() > 20


def test_larger_windows_show_more_of_a_picture(sources, targets):
    """The same pixels, reduced: what a window of scale 2 shows varies more slowly than one of scale 1."""
    one, two = (
        drawn(
            sources, targets, Preparation(input_size=16, resize_mode="crop", short_side=40, window_scale=(x, x)), 80
        ).k
        for x in (1.0, 2.5)
    )
    assert tf.reduce_mean(one) > 1.5 * tf.reduce_mean(two)


def test_a_retouched_stream_is_a_function_of_seed_and_number(sources, targets):
    preparation = Preparation(input_size=32, seed=3, retouching=Retouching(1.0, (50, 90), 0.3))
    stream = training_stream(sources, targets, preparation, batch_size=1, start=0)
    first = [batch.m.numpy() for batch in stream.take(8)]
    late = [batch.m.numpy() for batch in training_stream(sources, targets, preparation, batch_size=1, start=5).take(3)]
    for one, other in zip(first[5:], late):
        np.testing.assert_array_equal(one, other)


def test_the_original_is_reduced_as_s_is(sources, targets):
    preparation = dataclasses.replace(WINDOWS, window_scale=(2.5, 2.5))
    batch = drawn(sources, targets, preparation, with_original=True)
    around = tf.nn.max_pool2d(batch.k, 7, 1, "SAME").numpy()
    a, s = (np.where(around, 0, x)[:, 2:-2, 2:-2] for x in (batch.a, batch.s))
    np.testing.assert_allclose(a, s, atol=1.01)
    assert np.abs(batch.a - batch.s)[batch.k[..., 0] == 1].mean() > 10
