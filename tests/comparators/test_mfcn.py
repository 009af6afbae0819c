"""MFCN: its network, its loss, its step, its edges."""

import math

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
import tensorflow as tf

from gsr_tf.comparators.mfcn.edges import edge_enhanced, edge_label, fill_holes
from gsr_tf.comparators.mfcn.losses import balanced_cross_entropy, class_weights
from gsr_tf.comparators.mfcn.mfcn import MFCN
from gsr_tf.comparators.mfcn.module import EdgeEnhancedModule
from gsr_tf.comparators.mfcn.network import BilinearUpsample, build_network
from gsr_tf.comparators.mfcn.settings import Network, Optimization, Step
from gsr_tf.comparators.mfcn.weights import stored_variables
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import CAFFE_MEAN_BGR, boundary, to_network_range
from gsr_tf.evaluation import metrics
from gsr_tf.models.keras import keras
from gsr_tf.models.vgg16 import initialize_vgg16
from gsr_tf.models.weights import WeightsError, load_npz, named_variables
from tests.comparators import runs
from tests.networks import make_batch

TINY = Network(width=0.03, fc_channels=8, dropout=0.0)


def tiny(**step):
    optimization = {"learning_rate": step.pop("learning_rate", 1e-2)}
    return MFCN(TINY, Optimization(**optimization), Step(**step))


# -------------------------------------------------------------------------------------------------- the network


def test_the_parameters_are_vgg16s_and_two_decoders():
    """134,274,122 of convolutions and up-sampling; offsets of the normalisation, and as many scales."""
    network = build_network(Network())
    counts = {name: int(np.prod(v.shape)) for name, v in named_variables(network).items()}
    scales = sum(count for name, count in counts.items() if name.endswith("bn_gamma"))
    offsets = sum(count for name, count in counts.items() if name.endswith("bn_beta"))
    assert (scales, offsets) == (4_224, 4_224)
    assert sum(counts.values()) - scales - offsets == 134_274_122
    assert sum(counts.values()) == 134_278_346 + 4_224
    decoder = {name: count for name, count in counts.items() if name.startswith("mfcn/edge")}
    assert decoder == {
        **{"mfcn/edge_pool4/kernel": 1024, "mfcn/edge_pool4/bias": 2, "mfcn/edge_up4/kernel": 64},
        **{"mfcn/edge_pool3/kernel": 512, "mfcn/edge_pool3/bias": 2, "mfcn/edge_up3/kernel": 64},
        "mfcn/edge_up/kernel": 1024,
    }


@pytest.mark.parametrize("size", [(64, 64), (75, 53), (1, 1), (300, 33)])
def test_maps_have_the_pictures_size(size):
    maps = build_network(TINY)(tf.zeros([2, *size, 3]))
    assert {name: tuple(x.shape) for name, x in maps.items()} == dict.fromkeys(
        ("segmentation", "boundary"), (2, *size, 2)
    )


@pytest.mark.parametrize("factor", [2, 8])
def test_upsampling_begins_as_tensorflows_bilinear(factor):
    x = tf.random.stateless_uniform([1, 7, 9, 2], [0, 1])
    wanted = tf.image.resize(x, [7 * factor, 9 * factor], "bilinear").numpy()
    found = BilinearUpsample(factor)(x, like=wanted).numpy()
    inside = slice(factor, -factor)  # beyond the ends a transposed convolution sees zeros
    np.testing.assert_allclose(found[:, inside, inside], wanted[:, inside, inside], atol=1e-6)


def test_a_map_that_came_out_larger_is_cut_at_its_end():
    x = tf.random.stateless_uniform([1, 4, 5, 2], [0, 1])
    layer = BilinearUpsample(2)
    whole = layer(x, like=tf.zeros([1, 8, 10, 1])).numpy()
    np.testing.assert_array_equal(layer(x, like=tf.zeros([1, 7, 9, 1])).numpy(), whole[:, :7, :9])


def test_each_decoder_hears_the_score_and_both_skips():
    network = build_network(TINY)
    before = {name: x.numpy() for name, x in network(make_batch().s).items()}
    for name, moved in (("score", set(before)), ("surface_pool4", {"segmentation"}), ("edge_pool3", {"boundary"})):
        bias = named_variables(network)[f"mfcn/{name}/bias"]
        bias.assign_add([0.0, 1.0])
        after = network(make_batch().s)
        assert {key for key, x in after.items() if not np.array_equal(x, before[key])} == moved
        bias.assign_sub([0.0, 1.0])


def test_pictures_are_in_levels_less_the_mean_and_not_divided():
    keras.utils.set_random_seed(0)  # of some draws the moments of so few pixels make rounding visible
    network = build_network(TINY)
    module = EdgeEnhancedModule(network, size=64, resize_mode="squash")
    picture = skimage.data.astronaut()[:64, :64]
    seen = (picture[..., ::-1].astype(np.float32) - np.array(CAFFE_MEAN_BGR, np.float32))[np.newaxis]
    edge = tf.nn.softmax(network(seen)["boundary"])[0, ..., 1:]
    np.testing.assert_allclose(module(tf.constant(picture))["boundary"], edge, atol=1e-5)


@pytest.mark.parametrize("form", ["block{}_conv{}/{}", "segmenter/conv{}_{}/{}"], ids=["Keras", "segmenter"])
def test_vgg16_comes_in_by_the_names_of_keras_or_of_a_segmenter(tmp_path, form):
    network = build_network(Network(fc_channels=1))
    mine = named_variables(network)
    names = [name for name in mine if name.startswith("mfcn/conv") and "/bn_" not in name]
    values = {form.format(name[9], name[11], name[13:]): np.zeros(mine[name].shape, np.float32) for name in names}
    values[form.format(5, 3, "kernel")] += 0.25
    np.savez(tmp_path / "vgg.npz", **values)
    initialize_vgg16(network, str(tmp_path / "vgg.npz"))
    assert len(values) == 26
    assert (mine["mfcn/conv5_3/kernel"].numpy() == 0.25).all()
    assert not any(mine[name].numpy().any() for name in names if name != "mfcn/conv5_3/kernel")
    assert mine["mfcn/fc6/kernel"].numpy().any()


def test_weights_by_name_hold_the_edge_threshold(tmp_path):
    one, other = build_network(TINY), build_network(TINY)
    one.edge_threshold.assign(0.3)
    np.savez(tmp_path / "w.npz", **{name: v.numpy() for name, v in stored_variables(one).items()})
    load_npz(stored_variables(other), str(tmp_path / "w.npz"), "--initial_weights=w.npz")
    assert float(other.edge_threshold.numpy()) == pytest.approx(0.3)
    np.testing.assert_array_equal(other(make_batch().s)["boundary"], one(make_batch().s)["boundary"])
    wide = build_network(Network(width=0.1, fc_channels=8))
    with pytest.raises(WeightsError, match=r"--initial_weights=.*w.npz: mfcn/conv1_1/kernel is \(3, 3, 3, 2\)"):
        load_npz(stored_variables(wide), str(tmp_path / "w.npz"), "--initial_weights=w.npz")


# -------------------------------------------------------------------------------------------------- the loss


def test_classes_weigh_the_same_by_hand():
    label = tf.reshape(tf.constant([1.0, 0, 0, 0]), [1, 2, 2, 1])  # counts 3 and 1, mean 2
    np.testing.assert_allclose(class_weights(label), [2 / 3, 2.0])
    logits = tf.reshape(tf.constant([[0.0, 0], [0, 0], [1, 0], [0, 2]]), [1, 2, 2, 2])
    entropies = [math.log(2), math.log(2), math.log1p(math.exp(-1)), math.log1p(math.exp(2))]
    by_hand = (2 * entropies[0] + 2 / 3 * sum(entropies[1:])) / 4
    assert float(balanced_cross_entropy(logits, label)) == pytest.approx(by_hand)
    assert float(balanced_cross_entropy(tf.zeros([1, 2, 2, 2]), label)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_without_a_class_all_weigh_one(value):
    label = tf.fill([2, 3, 3, 1], value)
    np.testing.assert_array_equal(class_weights(label), [1, 1])
    assert float(balanced_cross_entropy(tf.zeros([2, 3, 3, 2]), label)) == pytest.approx(math.log(2))


@pytest.mark.parametrize("edge_weight", [0.0, 0.5])
def test_the_steps_loss_is_the_sum_of_its_parts(edge_weight):
    net, batch = tiny(edge_weight=edge_weight, weight_decay=0.1, boundary_size=3), make_batch()
    kernels = [v.numpy() for name, v in named_variables(net.segmenter).items() if name.endswith("/kernel")]
    logits = [net.segmenter(batch.s[i : i + 1]) for i in range(2)]  # each by its own moments
    logits = {name: tf.concat([one[name] for one in logits], 0) for name in logits[0]}
    found = {name: float(value) for name, value in runs.one_step(net, batch).items()}
    assert found["loss/surface"] == pytest.approx(float(balanced_cross_entropy(logits["segmentation"], batch.k)), 1e-4)
    edge = float(balanced_cross_entropy(logits["boundary"], edge_label(batch.k, 3)))
    assert found["loss/edge"] == pytest.approx(edge, 1e-4)
    assert found["loss/weight_decay"] == pytest.approx(0.05 * sum(float((x**2).sum()) for x in kernels), 1e-4)
    total = found["loss/surface"] + edge_weight * found["loss/edge"] + found["loss/weight_decay"]
    assert found["loss/segmenter"] == pytest.approx(total, 1e-5)


# -------------------------------------------------------------------------------------------------- the step


def moved(net, step):
    before = {name: v.numpy() for name, v in named_variables(net.segmenter).items()}
    step()
    return {name: v.numpy() - before[name] for name, v in named_variables(net.segmenter).items()}


def test_a_step_moves_every_weight_and_its_number():
    net, batch = tiny(), make_batch()
    still = [name for name, change in moved(net, lambda: net.train_step(batch)).items() if not change.any()]
    # Normalisation takes a bias out again; of a very narrow network some weights may not move either.
    assert all(name.endswith("/bias") or "_bn" in name for name in still)
    assert int(net.step) == 1 and net.train_step.experimental_get_tracing_count() == 1


def test_sfcn_leaves_the_edges_alone():
    net, batch = tiny(edge_weight=0.0, weight_decay=0.0), make_batch()
    changes = moved(net, lambda: runs.one_step(net, batch))
    assert not any(changes[name].any() for name in changes if name.startswith("mfcn/edge"))
    assert all(changes[name].any() for name in changes if name.startswith("mfcn/surface"))


def test_momentum_carries_on():
    """Of a loss whose gradient hardly changes: the second step is 1.9 times the first."""
    net, batch = tiny(learning_rate=1e-7, weight_decay=0.0), make_batch()
    first, second = (moved(net, lambda: runs.one_step(net, batch))["mfcn/score/bias"] for _ in range(2))
    np.testing.assert_allclose(second, 1.9 * first, rtol=5e-2)


@pytest.mark.parametrize(
    ("train_on", "pictures"), [(("source",), "s"), (("pasted",), "m"), (("source", "pasted"), "sm")]
)
def test_pictures_to_learn_from_are_chosen(train_on, pictures):
    batch = make_batch()
    image, k = tiny(train_on=train_on).examples(batch)
    np.testing.assert_array_equal(image, tf.concat([getattr(batch, name) for name in pictures], 0))
    np.testing.assert_array_equal(k, np.concatenate([batch.k] * len(pictures)))


def test_two_replicas_of_one_picture_are_one_of_two(two_replicas):
    """K covers a ninth as much of one picture as of the other: the classes weigh what they do in both."""
    batch = make_batch()
    k = np.zeros(batch.k.shape, np.float32)
    k[0, 8:32, 8:32], k[1, 8:16, 8:16] = 1, 1
    batch = batch._replace(k=tf.constant(k), m=copy_paste(batch.s, k, batch.t))
    runs.assert_two_replicas_are_one(tiny, batch, two_replicas, named_variables)


def composites(side=96):
    """Four pieces of coffee on pieces of an astronaut, and where they are."""
    cut = lambda photograph: np.stack([photograph[100 : 100 + side, x : x + side] for x in (0, 100, 200, 300)])  # noqa: E731
    s, t = (to_network_range(tf.constant(cut(x))) for x in (skimage.data.coffee(), skimage.data.astronaut()))
    k = np.zeros([4, side, side, 1], np.float32)
    for number, (top, left) in enumerate(((16, 16), (40, 24), (24, 44), (36, 36))):
        k[number, top : top + 36, left : left + 36] = 1
    return Batch(s, tf.constant(k), t, copy_paste(s, k, t))


def test_four_composites_are_learnt():
    keras.utils.set_random_seed(0)
    network = Network(width=0.1, fc_channels=32, dropout=0.0)
    net, batch = MFCN(network, Optimization(learning_rate=0.02), Step(train_on=("pasted",))), composites()
    ones = [Batch(*(x[i : i + 1] for x in batch[:4])) for i in range(4)]
    for step in range(120):
        net.train_step(ones[step % 4])
    maps = [[tf.nn.softmax(x)[..., 1:] for x in net.segmenter(one.m).values()] for one in ones]
    enhanced = [edge_enhanced(surface, edge, 0.5) for surface, edge in maps]
    pairs = [
        (found[0, ..., 0].numpy(), one.k[0, ..., 0].numpy() > 0) for found, one in zip(enhanced, ones, strict=True)
    ]
    assert metrics.summarise(pairs)["f1_fixed"] > 0.9


# -------------------------------------------------------------------------------------------------- edges


def ring(gap=0):
    """A square line of 8 x 8 in 12 x 12, open by `gap` pixels."""
    mask = np.zeros([1, 12, 12, 1], np.float32)
    mask[0, 2:10, 2:10] = 1
    mask[0, 3:9, 3:9] = 0
    mask[0, 2, 5 : 5 + gap] = 0
    return mask


def test_a_closed_ring_fills():
    filled = np.zeros([1, 12, 12, 1])
    filled[0, 2:10, 2:10] = 1
    np.testing.assert_array_equal(fill_holes(tf.constant(ring())), filled)


def test_an_open_ring_does_not():
    np.testing.assert_array_equal(fill_holes(tf.constant(ring(gap=1))), ring(gap=1))


def test_a_ring_that_leaves_the_picture_is_open():
    cut = ring()[:, 4:]
    np.testing.assert_array_equal(fill_holes(tf.constant(cut)), cut)


@pytest.mark.parametrize("density", [0.3, 0.45, 0.6])
def test_filling_is_scipys(density):
    masks = np.random.default_rng(0).random([3, 60, 45, 1]) < density
    wanted = np.stack([scipy.ndimage.binary_fill_holes(mask[..., 0]) for mask in masks])
    found = fill_holes(tf.constant(masks, tf.float32)).numpy()[..., 0] > 0
    assert (wanted != masks[..., 0]).any()
    np.testing.assert_array_equal(found, wanted)


def regions():
    """[7, 40, 50, 1] float32: one in the middle, one at each side, one from side to side, and everything."""
    k = np.zeros([7, 40, 50, 1], np.float32)
    corners = [(12, 12), (0, 15), (25, 15), (12, 0), (12, 35)]
    for number, (top, left) in enumerate(corners):
        k[number, top : top + 15, left : left + 15] = 1
    k[5, :, 20:32] = 1
    k[6] = 1
    return tf.constant(k)


@pytest.mark.parametrize("size", [3, 4, 5, 8])
def test_a_perfect_network_gives_the_regions_also_at_the_border(size):
    k = regions()
    np.testing.assert_array_equal(edge_enhanced(k, edge_label(k, size), 0.5), k)


def test_edges_that_are_learnt_are_the_boundary_but_for_the_border():
    k = regions()
    np.testing.assert_array_equal(edge_label(k, 5)[:, 2:-2, 2:-2], boundary(k, 5)[:, 2:-2, 2:-2])
    np.testing.assert_array_equal(edge_label(k[:1], 5), boundary(k[:1], 5))
    frame = np.pad(np.zeros([36, 46]), 2, constant_values=1)
    np.testing.assert_array_equal(edge_label(k[6:], 5)[0, ..., 0], frame)


def test_the_edge_enhanced_map_is_the_surface_within_the_edges():
    surface = np.random.default_rng(0).random([1, 12, 12, 1]).astype(np.float32)
    edge = 0.4 * ring()
    inside = np.zeros_like(surface)
    inside[0, 2:10, 2:10] = surface[0, 2:10, 2:10]
    np.testing.assert_array_equal(edge_enhanced(surface, edge, 0.3), inside)
    assert not edge_enhanced(surface, edge, 0.4).numpy().any()  # not above it: no edge, an empty map


def test_several_thresholds_at_once():
    surface, edge = np.ones([1, 12, 12, 1], np.float32), 0.4 * ring()
    both = edge_enhanced(surface, edge, tf.reshape(tf.constant([0.3, 0.5]), [2, 1, 1, 1])).numpy()
    assert [x.sum() for x in both] == [64, 0]


def test_a_detector_sees_whole_pictures_by_the_networks_threshold():
    network = build_network(TINY)
    module = EdgeEnhancedModule(network, size=32, resize_mode="squash")
    picture = tf.constant(skimage.data.astronaut()[:32, :32])
    for threshold in (0.0, 1.0):
        network.edge_threshold.assign(threshold)
        surface = tf.nn.softmax(network(to_network_range(picture)[tf.newaxis])["segmentation"])[0, ..., 1:]
        np.testing.assert_allclose(module(picture)["probability"], (1 - threshold) * surface, atol=1e-5)
    assert module.window is None


def test_bfloat16_keeps_the_losses():
    runs.assert_bfloat16_keeps_the_losses(tiny, make_batch(), within=0.05)
