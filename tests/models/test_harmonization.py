"""Table 2's "DL + [32]": the segmenter learns from harmonised pictures, and what harmonises them stays as it is."""

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.comparators.dih.network import build_network
from gsr_tf.comparators.dih.settings import Network
from gsr_tf.data.image_ops import CAFFE_MEAN_BGR
from gsr_tf.models.harmonization import harmonized
from gsr_tf.models.keras import keras
from gsr_tf.training.summaries import panel_pictures
from tests.models.drawn_weights import give_weights
from tests.models.equations import resized
from tests.networks import make_batch, tiny_net

HARMONIZED = {"segment_on": ("source", "harmonized"), "refine_steps": 0, "boundary_branch": False}


@pytest.fixture(name="harmonizer")
def frozen():
    network = build_network(Network(width=0.03, network_size=64).channels)
    network.trainable = False
    return network


def stand_in(change, size=(64, 64)):
    """A harmoniser of 64x64 pixels that does to M and K what is asked."""
    m, k = keras.Input([*size, 3]), keras.Input([*size, 1])
    return keras.Model([m, k], change(m, k))


def test_a_picture_is_resized_on_the_way_in_and_out_and_clipped():
    m, k = make_batch().m, make_batch().k
    seen = tf.image.resize(m, [64, 64])
    wanted = tf.image.resize(2 * seen + tf.image.resize(k, [64, 64]), [32, 32])
    found = harmonized(stand_in(lambda m, k: 2 * m + k), m, k)
    mean = np.array(CAFFE_MEAN_BGR, np.float32)
    np.testing.assert_allclose(found, np.clip(wanted, -mean, 255 - mean), atol=1e-3)
    assert found.numpy().min() == -mean.max() and np.abs(wanted).max() > 255  # some was cut off


@pytest.mark.parametrize("half_pixel", [True, False])
def test_in_and_out_a_picture_is_resized_in_one_way_and_to_the_right_side_each(half_pixel):
    m, k = (x[:, :40] for x in (make_batch(size=64).m / 4, make_batch(size=64).k))  # 40x64, for a network of 64x48
    seen_m, seen_k = (resized(x, 64, 48, half_pixel) for x in (m, k))
    found = harmonized(stand_in(lambda m, k: m / 2 + k, (64, 48)), m, k, half_pixel=half_pixel)
    np.testing.assert_allclose(found, resized(seen_m / 2 + seen_k, 40, 64, half_pixel), atol=1e-4)


def test_the_harmoniser_answers_and_does_not_train():
    m, k = make_batch(size=64).m / 4, make_batch(size=64).k
    np.testing.assert_allclose(harmonized(stand_in(lambda m, k: keras.layers.Dropout(0.5)(m)), m, k), m, atol=1e-5)


def test_no_gradient_reaches_the_harmoniser(harmonizer):
    net, batch = tiny_net(harmonizer=harmonizer, **HARMONIZED), make_batch()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(harmonizer.variables)
        h = net.harmonize(batch)
        loss = tf.reduce_sum(net.segmenter(h)["segmentation"] ** 2)
    assert all(gradient is None for gradient in tape.gradient(loss, harmonizer.variables))
    assert tape.gradient(loss, net.segmenter.trainable_variables)[0] is not None


@pytest.mark.parametrize("passes", ["apart", "merged"])
def test_a_step_moves_the_segmenter_and_not_the_harmoniser(harmonizer, passes):
    net = tiny_net(harmonizer=harmonizer, passes=passes, **HARMONIZED)
    before = [v.numpy() for v in harmonizer.variables]
    segmenter = [v.numpy() for v in net.segmenter.trainable_variables]
    generator = [v.numpy() for v in net.generator.trainable_variables]
    losses = net.train_step(make_batch())
    assert {"loss/segmentation/source", "loss/segmentation/harmonized"} < set(losses)
    assert not {name for name in losses if "generat" in name or "pasted" in name}
    np.testing.assert_equal([v.numpy() for v in harmonizer.variables], before)
    np.testing.assert_equal([v.numpy() for v in net.generator.trainable_variables], generator)
    assert any((v.numpy() != old).any() for v, old in zip(net.segmenter.trainable_variables, segmenter))
    assert net.train_step.experimental_get_tracing_count() == 1


def test_the_segmenter_sees_what_the_harmoniser_makes_of_m():
    """Of a harmoniser that gives M back, what is learnt is what is learnt from M."""
    noise, losses = make_batch(size=64), {}
    batch = noise._replace(s=noise.s / 2, t=noise.t / 2, m=noise.m / 2)  # nothing of it outside 0..255
    for kind, harmonizer in (("pasted", None), ("harmonized", stand_in(lambda m, k: m))):
        net = tiny_net(harmonizer=harmonizer, segment_on=(kind,), refine_steps=0)
        give_weights(net.segmenter)
        losses[kind] = float(net._step(batch)[f"loss/segmentation/{kind}"])
    assert losses["harmonized"] == pytest.approx(losses["pasted"], rel=1e-5)


@pytest.mark.parametrize("half_pixel", [True, False])
def test_for_the_harmoniser_pictures_are_resized_as_for_the_other_networks(half_pixel):
    batch, network = make_batch(), stand_in(lambda m, k: m / 2 + k)
    wanted, other = (harmonized(network, batch.m, batch.k, half_pixel=way) for way in (half_pixel, not half_pixel))
    net = tiny_net(harmonizer=network, half_pixel=half_pixel, **HARMONIZED)
    np.testing.assert_array_equal(net.harmonize(batch), wanted)
    assert np.abs(wanted - other).max() > 10


def test_with_its_background_composited_h_is_kept_within_k_alone():
    batch = make_batch(size=64)
    batch = batch._replace(m=batch.m / 2)  # around K it is T no more, as after retouching
    whole, region = (
        tiny_net(harmonizer=stand_in(lambda m, k: 0 * m + 7.0), composite_background=composite, **HARMONIZED)
        .harmonize(batch)
        .numpy()
        for composite in (False, True)
    )
    assert (whole == 7.0).all()
    np.testing.assert_array_equal(region, np.where(batch.k.numpy() == 1, 7.0, batch.m.numpy()))


def test_a_harmonised_picture_is_refined(harmonizer):
    how = {"segment_on": ("harmonized",), "refine_on": ("harmonized",)}
    names = set(tiny_net(harmonizer=harmonizer, **how)._step(make_batch()))
    assert {"loss/segmentation/harmonized", "loss/segmentation/harmonized_refined_1"} < names


def test_a_panel_shows_the_harmonised_picture(harmonizer):
    net, batch = tiny_net(harmonizer=harmonizer, **HARMONIZED), make_batch()
    pictures = panel_pictures(net, batch)
    assert list(pictures) == ["S", "K", "T", "M", "H(M)", "prediction"]
    levels = (net.harmonize(batch).numpy() + np.array(CAFFE_MEAN_BGR, np.float32))[..., ::-1]
    assert np.abs(pictures["H(M)"] - levels).max() <= 0.51


def test_without_a_harmoniser_nothing_is_frozen(harmonizer):
    assert tiny_net().frozen == () and tiny_net(harmonizer=harmonizer).frozen == ("harmonizer",)
