import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.augment import toning
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation


def curves(gamma, random):
    return toning.gamma_curves(gamma, tf.constant(random, tf.float32)).numpy()


def test_the_exponents_are_log_uniform_between_the_limits():
    x = np.arange(256) / 255
    drawn = curves(1.5, (0.0, 0.5, 0.75))
    for channel, exponent in enumerate((1 / 1.5, 1.0, 1.5**0.5)):
        assert np.abs(drawn[:, channel] - 255 * x**exponent).max() <= 0.501
    np.testing.assert_array_equal(drawn[[0, 255]], [[0] * 3, [255] * 3])


def test_each_channel_takes_its_own_curve():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    drawn = curves(2.0, (0.1, 0.5, 0.9))
    expected = np.stack([drawn[picture[..., n], n] for n in range(3)], axis=-1)
    np.testing.assert_array_equal(toning.toned(tf.constant(picture), drawn), expected)


@pytest.mark.parametrize("with_original", [False, True])
def test_s_t_and_m_share_their_curves_and_k_stays(sources, targets, with_original):
    kept, stream = {"input_size": 32, "seed": 3}, {"batch_size": 20, "with_original": with_original}
    (plain,) = training_stream(sources, targets, Preparation(**kept), **stream).take(1)
    (toned,) = training_stream(sources, targets, Preparation(**kept, gamma=1.6), **stream).take(1)
    np.testing.assert_array_equal(plain.k, toned.k)
    for example in range(20):
        for channel in range(3):
            layers = [layer for layer in (0, 2, 3, 4) if plain[layer] is not None]
            before, after = (
                np.concatenate([batch[layer][example, ..., channel].numpy().ravel() for layer in layers])
                for batch in (plain, toned)
            )
            values, first, number = np.unique(before, return_index=True, return_inverse=True)
            np.testing.assert_array_equal(after, after[first][number])  # one curve for all of them
            assert (np.diff(after[first]) >= 0).all() and len(values) > 40
    assert np.abs(plain.s - toned.s).mean() > 10
