"""A part of benchmarks.release_parity: the authors' numbers for everything but the backward pass."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import release_parity as parity
from gsr_tf.models import losses

GOLDEN = Path(__file__).parents[2] / "shared" / "goldens" / "release_step_seed0.npz"
pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason=f"no golden numbers of the release at {GOLDEN}")


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def net(golden):
    return parity.release_net(int(golden["seed"]), tf.constant(parity.golden_boundary(golden)))


@pytest.fixture(scope="module")
def batch(golden):
    return parity.golden_batch(golden)


def test_generation_is_the_authors(golden, net, batch):
    generation = net.generate(batch)
    values = {name: float(value) for name, value in generation.losses.items()}
    two_edge = values["loss/gradient"] + 2 * values["loss/edge"]
    assert values["loss/background"] == pytest.approx(golden["loss/background"], rel=1e-4)
    assert two_edge == pytest.approx(golden["loss/gradient_plus_2edge"], rel=1e-4)
    assert values["loss/adversarial"] == pytest.approx(golden["loss/adversarial_generator"], rel=1e-4)
    assert values["loss/generator"] == pytest.approx(golden["loss/generator_total"], rel=1e-4)
    assert parity.output_error("generated", generation.g_m.numpy(), golden) < 1e-3


def test_segmentation_of_the_source_is_the_authors(golden, net, batch):
    logits = net.segmenter(batch.s, training=True)
    assert parity.output_error("seg_source", logits["segmentation"].numpy(), golden) < 1e-3
    assert parity.output_error("edge_source", logits["boundary"].numpy(), golden) < 1e-3
    loss = losses.cross_entropy(logits["segmentation"], batch.k)
    assert float(loss) == pytest.approx(golden["loss/ce_source"], rel=1e-4)
    edge = losses.cross_entropy(logits["boundary"], parity.boundary(batch.k), (0.3, 0.7))
    assert float(edge) == pytest.approx(golden["loss/ce_edge_source"], rel=1e-4)
