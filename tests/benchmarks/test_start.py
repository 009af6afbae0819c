"""A run that is timed from its command on: its records, and when its first step was over."""

import time

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import libraries_ahead, start
from gsr_tf.config import Config
from gsr_tf.data.records import open_records
from gsr_tf.errors import UserError


def test_its_records_hold_a_mask_a_photograph(tmp_path):
    records = open_records(str(start.make_records(3, tmp_path)), "--source_records")
    assert len(records) == len(records.pairs) == 3


def test_the_first_step_is_over_when_its_curves_begin(tmp_path):
    with tf.summary.create_file_writer(str(tmp_path)).as_default():
        tf.summary.scalar("settings", 0.0, step=0)
        before = time.time()
        for step in (1, 2):
            tf.summary.scalar("loss", 0.5, step=step)
            after = time.time()
            time.sleep(0.05 if step == 1 else 0)
    assert before <= start.first_step_over(tmp_path) <= after - 0.04


@pytest.mark.parametrize("train", [start.TRAIN, start.TRAIN_AHEAD])
def test_a_run_that_fails_says_why(tmp_path, train):
    config = Config().changed(vgg16_weights="random", initial_weights="none.npz", width=0.03)
    with pytest.raises(UserError, match="(?s)gsr_tf.train ended with 1: .*--initial_weights=none.npz"):
        start.measure(config, 2, 10, tmp_path, train)


def test_what_loads_the_libraries_computes_in_both_precisions():
    product = libraries_ahead.load()
    assert product.dtype == tf.bfloat16
    top = 8 * np.array([4.0] + 6 * [6.0] + [4.0])  # 8 channels, and the taps within the picture, of its first row
    np.testing.assert_array_equal(product.numpy().astype(float), np.outer(top, [top.sum()] * 8))
