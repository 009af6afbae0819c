"""What the benchmark of a training step says: the names that others read, and numbers that fit one another."""

import pytest
import tensorflow as tf

from benchmarks import machine, step_flops, train_step
from gsr_tf import config as config_lib

NARROW = ["--vgg16_weights=random", "--width=.03", "--input_size=40", "--batch_size=1"]
PLAIN = ["--noboundary_branch", "--segment_on=pasted", "--refine_steps=0"]


def test_its_report_has_the_names_and_the_units_that_it_explains(monkeypatch):
    monkeypatch.setattr(machine, "product", lambda: (lambda: tf.zeros([]), 6e9))
    monkeypatch.setattr(machine, "product_seconds", lambda multiply: 2.0)
    config = config_lib.from_arguments([*NARROW, *PLAIN])
    report = train_step.measure(config, rounds=1)
    assert {"seconds_per_step", "seconds_alone", "peak_memory_bytes"} < set(report)
    assert report["matmul_flops_per_second"] == 3e9
    assert report["flops_per_step"] == step_flops.step_flops(config)
    assert report["tflops_per_second"] == pytest.approx(report["flops_per_step"] / report["seconds_per_step"] / 1e12)
    assert report["fraction_of_matmul"] == pytest.approx(report["tflops_per_second"] * 1e12 / 3e9)
    assert all(name in train_step.__doc__ for name in report)
