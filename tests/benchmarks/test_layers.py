"""What a benchmark says that it times is computed: nothing that TensorFlow could leave out."""

import numpy as np
import tensorflow as tf

from benchmarks import alternatives, layers, other_ways, step_flops, step_pieces
from gsr_tf import config as config_lib

NARROW = ("--flagfile=gsr_net", "--vgg16_weights=random", "--width=.03", "--input_size=40", "--batch_size=1")


def counted(passes, name):
    """A function without side effects, for TensorFlow, that notes each of its calls."""

    def note(x):
        passes.append(name)
        return x

    return lambda x: tf.ensure_shape(tf.numpy_function(note, [x], tf.float32, stateful=False), x.shape)


def test_backward_passes_are_computed_as_often_as_they_are_timed():
    passes, weight = [], tf.Variable([2.0])

    @tf.custom_gradient
    def product(x, w):
        return counted(passes, "forward")(x * w), lambda dy: (
            counted(passes, "of x")(dy * w),
            counted(passes, "of w")(tf.reduce_sum(dy * x, keepdims=True)),
        )

    taken = layers.times(lambda x: product(x, weight + 0.0), [tf.ones([3])], [weight], True, repetitions=4)
    assert passes.count("of x") == passes.count("of w") == 1 + 4
    assert passes.count("forward") >= 2 * (1 + 4)
    assert min(taken) > 0


def test_without_a_backward_pass_there_is_one_time():
    taken = layers.times(tf.square, [tf.ones([3])], [], False, repetitions=2)
    assert taken.both == taken.forward


def test_pieces_of_the_segmenter_have_its_flops_and_all_its_weights():
    own = ["--noboundary_branch", "--segment_on=pasted", "--refine_on=", "--refine_steps=0", "--batch_size=2"]
    config = config_lib.from_arguments([*NARROW, *own])
    pieces = list(step_pieces.pieces(config))
    assert sum(one.times * one.flops for one in pieces) == 2 * 2 * step_flops.segmenter_multiply_adds(config)
    weights = [variable for one in pieces for variable in one.weights]
    convolutions = {tuple(variable.shape) for variable in config.build_segmenter().trainable_variables}
    assert {tuple(variable.shape) for variable in weights} == convolutions
    assert all(one.bytes > 0 for one in pieces)


def test_other_ways_compute_the_same(monkeypatch):
    monkeypatch.setattr(other_ways, "networks", lambda *_: [])  # whole networks, compiled: tests/models has them
    report = alternatives.measure(config_lib.from_arguments([*NARROW, "--passes=merged"]), repetitions=1)
    ways = [row for row in report["ways"] if "refused" not in row]
    assert len({row["piece"] for row in ways}) == 12
    assert all(row["difference"] < 1e-3 for row in ways), ways
    own = [row for row in ways if row["beside_own"] == 1.0]
    assert {row["piece"] for row in own} == {row["piece"] for row in ways}
    assert len(alternatives.table(report).splitlines()) == 2 + len(report["ways"])
    assert np.isfinite([row["all_ms"] for row in ways]).all()
