"""A run of DIH: its settings, its validation, its panels."""

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf import config
from gsr_tf.config import ConfigError
from gsr_tf.data.augment.recolouring import Recolouring
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.pipeline import training_stream
from gsr_tf.models.keras import keras
from gsr_tf.training.dih import DIHRun, foreground_errors, summary
from tests.networks import make_batch

TINY = {"width": 0.03, "network_size": 64, "input_size": 32}


def giving_back():
    """A harmoniser that answers with M, and leaves all as it is."""
    m, k = keras.Input([32, 32, 3]), keras.Input([32, 32, 1])
    return keras.Model([m, k], m + 0 * k)


def test_errors_are_mean_squares_within_k_by_hand():
    t, k = tf.zeros([1, 32, 32, 3]), np.zeros([1, 32, 32, 1], np.float32)
    k[0, :4, :4] = 1
    s = tf.constant([3.0, 0.0, 6.0]) + t  # mean square 15
    m = copy_paste(s, tf.constant(k), t) + 50.0 * (1 - k)  # what is off around K counts for nothing
    assert list(map(float, foreground_errors(giving_back(), Batch(s, k, t, m)))) == pytest.approx([15, 15], 1e-6)
    halving = keras.Model((inputs := giving_back().inputs), 0.5 * inputs[0])
    assert list(map(float, foreground_errors(halving, Batch(s, k, t, m)))) == pytest.approx([3.75, 15], 1e-6)


def test_errors_of_an_empty_k_are_nothing():
    batch = make_batch()
    empty = batch._replace(k=0 * batch.k)
    assert list(map(float, foreground_errors(giving_back(), empty))) == [0, 0]


@pytest.mark.parametrize(("fmse", "of_input", "improvement"), [(5.0, 20.0, 0.75), (30.0, 20.0, -0.5), (1.0, 0.0, 0.0)])
def test_the_improvement_is_the_share_that_is_gone(fmse, of_input, improvement):
    assert summary(fmse, of_input) == {"improvement": improvement, "fmse": fmse, "fmse_of_input": of_input}


@pytest.mark.parametrize("recolour", ["target", "source"])
def test_a_validation_is_of_held_out_photographs_recoloured_the_same_each_time(sources, targets, recolour):
    run = DIHRun().changed(**TINY, validation_pictures=3, recolour=recolour)
    net = run.build()
    records = {"--validation_records": sources, "--validation_targets": targets}
    scores = run.scores(net, records)
    first = scores()
    assert first == scores() == run.changed(seed=5).scores(net, records)()
    assert first["improvement"] == 1 - first["fmse"] / first["fmse_of_input"]
    still = run.preparation.unmoved(seed=20_000_000)
    stream = training_stream(sources, targets, still, batch_size=1, recolouring=run.recolouring).take(3)
    errors = [foreground_errors(net.harmonizer, batch) for batch in stream]
    np.testing.assert_allclose(np.mean(errors, 0), [first["fmse"], first["fmse_of_input"]], 1e-4)
    assert first["fmse_of_input"] > 100


def test_without_held_out_pictures_nothing_is_scored():
    run = DIHRun().changed(**TINY)
    assert run.scores(run.build(), {}) is None


def test_a_panel_shows_what_is_given_what_becomes_of_it_and_what_it_was():
    run = DIHRun().changed(**TINY)
    pictures = run.panel(run.build(), make_batch())
    assert list(pictures) == ["M", "K", "H(M)", "T"]
    assert all(x.shape == (2, 32, 32, 3) and x.dtype == np.uint8 for x in pictures.values())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"network_size": 100}, "--network_size=100: expected one of 64, 128, 256, 512"),
        ({"target_size": 256}, "--target_size=256 takes T's sharpness away"),
        ({"hue": -1.0}, "--hue=-1.0: expected at least 0"),
        ({"method": "mfcn"}, "settings of --method=mfcn, expected those of dih"),
        ({"vgg16_weights": "random"}, "unknown settings: vgg16_weights"),
    ],
)
def test_what_makes_no_sense_names_its_flag(wrong, message):
    with pytest.raises(ConfigError, match=message):
        DIHRun.from_dict(wrong)


def test_settings_come_back_as_they_were_written(tmp_path):
    run = DIHRun().changed(**TINY, recolour="source", brightness=(0.9, 1.1))
    run.write(tmp_path)
    assert config.load_any(tmp_path) == run
    assert run.recolouring == Recolouring(recolour="source", brightness=(0.9, 1.1))


def test_the_flagfile_is_the_ports():
    values = config.from_flagfile("comparators/dih").flat()
    expected = {"network_size": 256, "input_size": 256, "batch_size": 32, "learning_rate": 1e-4, "recolour": "target"}
    assert {name: values[name] for name in expected} == expected


def test_the_row_of_table_2_is_deeplabs_but_for_harmonised_pictures():
    row, dl = (config.from_flagfile(f"table2/{name}") for name in ("dl_dih", "dl"))
    assert row == dl.changed(segment_on=("source", "harmonized"), harmonizer="runs/comparators/dih/dih.npz")
    assert not row.step.composite_background
