"""The norms of a step's gradients are those of the variables whose names they have."""

import re

import numpy as np
import tensorflow as tf

from benchmarks.release_parity import GradientNorms, outputs
from gsr_tf.config import from_flagfile
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import resize
from gsr_tf.models.weights import named_variables
from tests.goldens.release_step import RELEASE_FLAGS
from tests.networks import make_batch, tiny_net


def test_variables_without_a_gradient_leave_the_others_their_names():
    variables = {name: tf.Variable([0.0, 0.0]) for name in ("first", "second", "third")}
    recorder = GradientNorms(variables)
    recorder.apply_gradients([([3.0, 4.0], variables["third"]), ([0.0, 2.0], variables["first"])])
    norms = {name: float(norm) for name, norm in recorder.norms.items()}
    assert norms == {"first": 2, "second": 0, "third": 5}


def test_a_step_gives_each_variable_a_norm_but_biases_before_a_normalisation():
    once = {"segment_on": ("generated",), "refine_on": (), "refine_steps": 0}
    config = from_flagfile(RELEASE_FLAGS, width=0.0625, vgg16_weights="random", input_size=64, batch_size=1, **once)
    net = config.build()
    recorders = {}
    for network in ("generator", "discriminator", "segmenter"):
        recorders[network] = GradientNorms(named_variables(getattr(net, network)))
        setattr(net, f"{network}_optimizer", recorders[network])
    s, t = (tf.random.stateless_uniform([1, 64, 64, 3], [seed, 0], -1, 1) for seed in (0, 1))
    k = tf.constant(np.pad(np.ones([1, 24, 24, 1], np.float32), [(0, 0), (20, 20), (20, 20), (0, 0)]))
    net.train_step(Batch(s, k, t, copy_paste(s, k, t), t))
    unmoved = {name for recorder in recorders.values() for name, norm in recorder.norms.items() if float(norm) == 0}
    assert unmoved == {name for name in recorders["segmenter"].norms if re.fullmatch(r"segmenter/conv\d_\d/bias", name)}


def test_outputs_are_those_of_the_networks():
    net, batch = tiny_net(half_pixel=False), make_batch(pictures=1)
    found = outputs(net, batch, tf.zeros_like(batch.k))
    g_m = net.generate(batch).g_m
    np.testing.assert_array_equal(found["generated"], g_m)
    np.testing.assert_array_equal(found["refined"], batch.s)  # no boundary: nothing is put back
    for name, image in {"d_real": batch.t, "d_fake": g_m}.items():
        logits = net.discriminator([resize(x, [256, 256], half_pixel=False) for x in (image, batch.k)])
        np.testing.assert_allclose(found[name], tf.sigmoid(logits), 1e-5)
