"""A photograph's region in other colours."""

import colorsys

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.data.augment.recolouring import Recolouring, recoloured
from gsr_tf.data.augment.retouching import Retouching
from gsr_tf.data.image_ops import CAFFE_MEAN_BGR
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation
from gsr_tf.settings import ConfigError

STILL = {"brightness": (1.0, 1.0), "contrast": (1.0, 1.0), "saturation": (1.0, 1.0), "hue": 0.0}
PREPARED = Preparation(input_size=32, seed=3)
PHOTOGRAPH = skimage.data.astronaut()[:40, :50, ::-1]


def other(random=(0.5, 0.5, 0.5, 0.5), photograph=PHOTOGRAPH, **changes):
    settings = Recolouring(**{**STILL, **changes})
    return recoloured(tf.constant(photograph.copy()), settings, tf.constant(random, tf.float32)).numpy()


def stream(sources, targets, size=20, **how):
    (batch,) = training_stream(sources, targets, PREPARED, batch_size=size, **how).take(1)
    return batch


def test_nothing_drawn_is_nothing_changed():
    photograph = skimage.data.astronaut()[..., ::-1]  # its reds are near the end of the hues
    np.testing.assert_array_equal(other(photograph=photograph), photograph)


@pytest.mark.parametrize(("random", "factor"), [(0.0, 0.5), (0.5, 1.0), (0.75, 2**0.5)])
def test_brightness_is_a_factor_of_which_all_ratios_are_equally_likely(random, factor):
    found = other((random, 0.5, 0.5, 0.5), brightness=(0.5, 2.0))
    assert np.abs(found - np.minimum(255, factor * PHOTOGRAPH.astype(float))).max() <= 0.51


def test_contrast_moves_levels_about_each_channels_mean():
    found = other((0.5, 0.0, 0.5, 0.5), contrast=(0.5, 2.0))
    mean = PHOTOGRAPH.mean(axis=(0, 1))
    assert np.abs(found - (mean + 0.5 * (PHOTOGRAPH - mean))).max() <= 0.51


def test_saturation_and_hue_are_those_of_the_colour():
    pixel = PHOTOGRAPH[20, 30, ::-1] / 255
    h, s, v = colorsys.rgb_to_hsv(*pixel)
    grey = other((0.5, 0.5, 0.0, 0.5), saturation=(0.5, 2.0))[20, 30, ::-1]
    turned = other((0.5, 0.5, 0.5, 1.0), hue=90.0)[20, 30, ::-1]
    assert s > 0.05
    np.testing.assert_allclose(grey, 255 * np.array(colorsys.hsv_to_rgb(h, s / 2, v)), atol=1)
    np.testing.assert_allclose(turned, 255 * np.array(colorsys.hsv_to_rgb((h + 0.25) % 1, s, v)), atol=1)


@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_hues_go_round(turn):
    """Red, green, blue and purple, by 90 degrees in either direction."""
    colours = np.uint8([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 40, 180]])
    found = other((0.5, 0.5, 0.5, turn), np.ascontiguousarray(colours[np.newaxis, :, ::-1]), hue=90.0)[0, :, ::-1]
    hsv = [colorsys.rgb_to_hsv(*(colour / 255)) for colour in colours]
    wanted = [colorsys.hsv_to_rgb((h + turn / 2 - 0.25) % 1, s, v) for h, s, v in hsv]
    np.testing.assert_allclose(found, 255 * np.array(wanted), atol=1)


@pytest.mark.parametrize(("recolour", "photograph"), [("target", "t"), ("source", "s")])
def test_m_is_the_photograph_but_for_its_region(sources, targets, recolour, photograph):
    plain = stream(sources, targets)
    batch = stream(sources, targets, recolouring=Recolouring(recolour=recolour))
    np.testing.assert_array_equal(batch.t, getattr(plain, photograph))
    np.testing.assert_array_equal(batch.k, plain.k)
    outside, inside = (np.broadcast_to(batch.k.numpy() == value, batch.t.shape) for value in (0, 1))
    np.testing.assert_array_equal(batch.m.numpy()[outside], batch.t.numpy()[outside])
    each = np.abs(batch.m - batch.t).sum((1, 2, 3)) / inside.sum((1, 2, 3))
    assert np.median(each) > 10  # of 255


def test_each_element_has_colours_of_its_own(sources, targets):
    brighter = Recolouring(**{**STILL, "brightness": (0.5, 1.0)})
    batch = stream(sources, targets, recolouring=brighter)
    levels = [x.numpy() + np.array(CAFFE_MEAN_BGR, np.float32) for x in (batch.s, batch.t)]
    factors = [float(s.sum() / t.sum()) for s, t in zip(*levels)]
    assert 0.5 <= min(factors) < 0.6 < 0.9 < max(factors) <= 1 and len(set(np.round(factors, 4))) == 20


def test_an_element_is_the_same_whenever_it_is_made(sources, targets):
    how = {"recolouring": Recolouring()}
    whole = stream(sources, targets, 8, **how)
    late = stream(sources, targets, 4, start=1, **how)
    np.testing.assert_array_equal(late.m, whole.m[4:])


def test_another_seed_is_another_stream(sources, targets):
    batches = [
        next(
            iter(training_stream(sources, targets, prepared, batch_size=6, recolouring=Recolouring(recolour="source")))
        )
        for prepared in (PREPARED, Preparation(input_size=32, seed=4))
    ]
    assert np.abs(batches[0].m - batches[1].m).mean() > 1


def test_a_retouched_m_is_one_of_the_recoloured_photograph(sources, targets):
    """With a soft seam M lies between the photograph and the photograph in other colours."""
    prepared = Preparation(input_size=32, seed=3, retouching=Retouching(feather=2.0))
    batch = next(iter(training_stream(sources, targets, prepared, batch_size=6, recolouring=Recolouring())))
    low, high = np.minimum(batch.s, batch.t), np.maximum(batch.s, batch.t)
    m = batch.m.numpy()
    assert ((low - 0.51 <= m) & (m <= high + 0.51)).all()
    between = (low + 2 < m) & (m < high - 2)
    assert between.any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"recolour": "pasted"}, "--recolour=pasted: expected one of target, source"),
        ({"brightness": (1.6, 0.6)}, "--brightness=1.6,0.6: expected the smaller number first"),
        ({"contrast": (0.0, 1.0)}, "--contrast=0.0: expected at least 0.01"),
        ({"hue": 200.0}, "--hue=200.0: expected at most 180"),
    ],
)
def test_what_makes_no_sense_names_its_flag(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Recolouring(**wrong)
