import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.augment import shapes
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation

EXPONENTS = {1: 0.0, 2: 0.25, 4: 0.5}  # p: the random number that draws it


def region(random, shape=(201, 301)):
    k = shapes.superellipse(tf.constant(shape), tf.constant(random, tf.float32)).numpy()
    assert k.shape == (*shape, 1) and k.dtype == np.uint8 and set(np.unique(k)) <= {0, 255}
    return k[..., 0] > 0


@pytest.mark.parametrize("p", EXPONENTS)
@pytest.mark.parametrize("area, share", [(0.0, 0.02), (0.5, 0.2**0.5 * 0.02**0.5), (1.0, 0.2)])
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_its_area_is_the_one_drawn(p, area, share, angle):
    assert region((area, 0.5, EXPONENTS[p], angle, 0.5, 0.5)).mean() == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("p, filled", [(1, 0.5), (2, np.pi / 4), (4, 0.927)])
def test_exponents_are_rhombus_ellipse_and_nearly_a_rectangle(p, filled):
    k = region((0.5, 0.5, EXPONENTS[p], 0.0, 0.5, 0.5))
    rows, columns = np.nonzero(k)
    assert k.sum() / (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(filled, rel=0.03)


@pytest.mark.parametrize("aspect, expected", [(0.0, 0.5), (0.5, 1.0), (1.0, 2.0)])
def test_aspect_and_centre(aspect, expected):
    rows, columns = np.nonzero(region((0.3, aspect, 0.25, 0.0, 0.4, 0.6)))
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(expected, rel=0.05)
    assert rows.mean() == pytest.approx(0.4 * 200, abs=0.5) and columns.mean() == pytest.approx(0.6 * 300, abs=0.5)


def test_it_is_turned():
    flat, upright = region((0.3, 1.0, 0.25, 0.0, 0.5, 0.5)), region((0.3, 1.0, 0.25, 0.5, 0.5, 0.5))
    assert np.ptp(np.nonzero(flat)[1]) == np.ptp(np.nonzero(upright)[0]) > 1.9 * np.ptp(np.nonzero(flat)[0])
    rows, columns = np.nonzero(region((0.3, 1.0, 0.25, 0.25, 0.5, 0.5)))  # by 45 degrees, downwards
    assert np.corrcoef(rows, columns)[0, 1] > 0.4


@pytest.mark.parametrize("mode", ["squash", "crop"])
def test_a_stream_changes_k_alone_in_the_share_asked_for(sources, targets, mode):
    kept = {"input_size": 32, "seed": 3, "resize_mode": mode, "short_side": 32 if mode == "crop" else 0}
    (plain,) = training_stream(sources, targets, Preparation(**kept), batch_size=60).take(1)
    (shaped,) = training_stream(sources, targets, Preparation(**kept, shape_share=0.5), batch_size=60).take(1)
    np.testing.assert_array_equal(plain.t, shaped.t)
    changed = np.mean([not np.array_equal(one, other) for one, other in zip(plain.k, shaped.k)])
    assert changed == pytest.approx(0.5, abs=0.2)
    assert tf.reduce_all(tf.reduce_any(shaped.k > 0, [1, 2, 3]))
