"""The authors' numbers for a step's forward passes; benchmarks.release_parity has all of them, gradients too."""

import pytest
import tensorflow as tf

from gsr_tf.data.image_ops import boundary
from gsr_tf.models import losses
from tests.goldens import release_step
from tests.goldens.release_step import LOSS_TOLERANCE, OUTPUT_TOLERANCE, output_error


@pytest.fixture(scope="module")
def golden():
    return release_step.read()


@pytest.fixture(scope="module")
def net(golden):
    return release_step.release_net(golden)


@pytest.fixture(scope="module")
def batch(golden):
    return release_step.batch(golden)


def same(golden, name):
    return pytest.approx(float(golden[f"loss/{name}"]), rel=LOSS_TOLERANCE)


def test_generation_is_the_authors(golden, net, batch):
    generation = net.generate(batch)
    values = {name: float(value) for name, value in generation.losses.items()}
    assert values["loss/background"] == same(golden, "background")
    assert values["loss/gradient"] + 2 * values["loss/edge"] == same(golden, "gradient_plus_2edge")
    assert values["loss/adversarial"] == same(golden, "adversarial_generator")
    assert values["loss/generator"] == same(golden, "generator_total")
    assert output_error("generated", generation.g_m.numpy(), golden) < OUTPUT_TOLERANCE


def test_segmentation_of_the_source_is_the_authors(golden, net, batch):
    logits = net.segmenter(batch.s, training=True)
    assert output_error("seg_source", logits["segmentation"].numpy(), golden) < OUTPUT_TOLERANCE
    assert output_error("edge_source", logits["boundary"].numpy(), golden) < OUTPUT_TOLERANCE
    ce = losses.cross_entropy(logits["segmentation"], batch.k)
    assert float(tf.reduce_mean(ce)) == same(golden, "ce_source")
    edge = tf.reduce_mean(losses.cross_entropy(logits["boundary"], boundary(batch.k), (0.3, 0.7)))
    assert float(edge) == same(golden, "ce_edge_source")
