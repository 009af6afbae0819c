"""A step as TensorFlow rewrites it for a GPU that is not there: what is counted, and what must not be in it."""

import json

import pytest
import tensorflow as tf

from benchmarks import card_graph
from gsr_tf.training.device import Device, set_up

NARROW = [
    "--flagfile=gsr_net",
    "--width=.0625",
    "--batch_size=2",
    "--input_size=64",
    "--passes=merged",
    "--vgg16_weights=random",
]


@pytest.fixture(autouse=True)
def as_before():
    """A step's settings are the process's."""
    yield
    set_up(Device(), 0)


def report(capsys, precision):
    assert card_graph.main(["card_graph", *NARROW, f"--precision={precision}"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_bytes_are_those_of_what_is_read_and_written():
    weights = tf.Variable(tf.ones([8, 16]))

    @tf.function(input_signature=[tf.TensorSpec([4, 8])])
    def half_of_a_product(x):
        product = tf.nn.relu(x @ weights)
        return product[:2] * tf.reverse(product[2:], [1])

    graph = card_graph.for_a_card(half_of_a_product.get_concrete_function().graph, "9.0")
    found = {kind: tuple(work) for kind, work in card_graph.work(graph).items()}
    assert found["MatMul"] == (1, 4 * (4 * 8 + 8 * 16 + 4 * 16))
    assert found["Relu"] == (1, 4 * 2 * 4 * 16)
    assert found["Mul"] == (1, 4 * 3 * 2 * 16)
    assert found["StridedSlice"] == (2, 0)  # whole rows stay where they are


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "tensorfloat32"])
def test_a_quick_step_keeps_its_layout(capsys, precision):
    found = report(capsys, precision)
    assert set(found["layouts"]) == {"NHWC"}
    assert found["kinds"]["Transpose"]["bytes"] < 0.01e9 * found["gigabytes"]  # of kernels alone
    assert found["operations"] == sum(of_kind["count"] for of_kind in found["kinds"].values())
    assert found["gigabytes"] == pytest.approx(sum(of_kind["bytes"] for of_kind in found["kinds"].values()) / 1e9)


def test_a_card_without_tensor_cores_gets_the_layout_that_it_likes(capsys):
    assert set(report(capsys, "float32")["layouts"]) == {"NCHW"}
