import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.models.dropout import Dropout
from gsr_tf.models.keras import keras


def ones():
    return tf.ones([100, 100])


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_a_share_is_dropped_and_the_mean_kept(rate):
    dropped = Dropout(rate)(ones(), training=True).numpy()
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / (1 - rate))}
    assert (dropped == 0).mean() == pytest.approx(rate, abs=0.03)


def test_each_number_is_dropped_by_itself():
    dropped = Dropout(0.5)(tf.ones([4, 32, 32, 32]), training=True).numpy() == 0
    for axis in range(4):
        shares = dropped.mean(axis)  # 0 or 1, of what all numbers along an axis had in common
        assert ((shares > 0) & (shares < 1)).mean() > 0.8


def test_in_half_precision_the_answer_is_in_half_precision():
    dropped = Dropout(0.5, dtype="mixed_bfloat16")(ones(), training=True)
    assert dropped.dtype == tf.bfloat16
    assert set(np.unique(tf.cast(dropped, tf.float32))) == {0.0, 2.0}


def test_nothing_is_dropped_unless_it_is_said_to_be_training():
    np.testing.assert_array_equal(Dropout(0.5)(ones()), ones())


@pytest.mark.parametrize(("rate", "training"), [(0.5, False), (0.0, True)])
def test_nothing_is_dropped(rate, training):
    np.testing.assert_array_equal(Dropout(rate)(ones(), training=training), ones())


def test_every_call_and_every_layer_drops_something_else():
    layer = Dropout(0.5)
    one, two, other = layer(ones(), training=True), layer(ones(), training=True), Dropout(0.5)(ones(), training=True)
    assert (one != two).numpy().mean() > 0.4
    assert (one != other).numpy().mean() > 0.4


def test_the_seed_of_all_decides():
    drawn = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        drawn.append(Dropout(0.5)(ones(), training=True).numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).mean() > 0.4


def test_a_checkpoint_goes_on_with_the_same_numbers(tmp_path):
    layer, resumed = Dropout(0.5), Dropout(0.5)
    layer(ones(), training=True)
    path = tf.train.Checkpoint(layer=layer).save(str(tmp_path / "ckpt"))
    tf.train.Checkpoint(layer=resumed).restore(path).assert_consumed()
    np.testing.assert_array_equal(resumed(ones(), training=True), layer(ones(), training=True))
