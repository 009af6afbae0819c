"""RGB-N: its pure parts by hand, its network, its step, its map."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.comparators import floors
from gsr_tf.comparators.rgbn import anchors, backbone, boxes, proposals, targets
from gsr_tf.comparators.rgbn.crops import cut
from gsr_tf.comparators.rgbn.losses import box_loss, class_loss, smooth_l1
from gsr_tf.comparators.rgbn.module import BoxModule, score_map
from gsr_tf.comparators.rgbn.network import TwoStreamNetwork
from gsr_tf.comparators.rgbn.pooling import compact_bilinear, count_sketch, signed_root
from gsr_tf.comparators.rgbn.proposals import propose
from gsr_tf.comparators.rgbn.raster import paint
from gsr_tf.comparators.rgbn.rgbn import RGBN
from gsr_tf.comparators.rgbn.settings import Network, Optimization, Step
from gsr_tf.comparators.rgbn.srm import kernels, noise
from gsr_tf.comparators.rgbn.weights import initialize_resnet, stored_variables
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import to_network_range
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import WeightsError, load_npz
from tests.comparators import runs
from tests.networks import make_batch

SEED = tf.constant([0, 0], tf.int64)
TINY = Network(backbone="tiny", anchor_scales=(1.0, 2.0), pooling_channels=64)


def tiny(network=TINY, **changes):
    optimization = {name: changes.pop(name) for name in ("learning_rate", "drop_after") if name in changes}
    return RGBN(network, Optimization(**optimization), Step(**changes))


def random_boxes(count, side=100, seed=0):
    """[count, 4] float32, each at least four pixels wide."""
    random = np.random.default_rng(seed)
    first = random.uniform(0, side - 4, [count, 2])
    last = first + 4 + random.uniform(0, 1, [count, 2]) * (side - 4 - first)
    return np.concatenate([first, last], -1).astype(np.float32)


# -------------------------------------------------------------------------------------------------- noise


def picture(values):
    """[1, h, w, 3] of [h, w], the same in all colours."""
    return tf.constant(np.repeat(values[np.newaxis, ..., np.newaxis], 3, -1), tf.float32)


def test_constants_and_ramps_make_no_noise():
    rows, columns = np.mgrid[:12, :14].astype(np.float32)
    for values in (0 * rows + 7, 3 * rows + 1, 5 - 2 * columns, rows + 4 * columns):
        inside = noise(picture(values))[:, 2:-2, 2:-2]
        np.testing.assert_allclose(inside, 0, atol=1e-4)


def test_a_dot_of_one_colour_shows_the_filters():
    dot = np.zeros([1, 9, 9, 3], np.float32)
    dot[0, 4, 4, 1] = 12
    found = noise(tf.constant(dot)).numpy()[0]
    np.testing.assert_allclose(found[4, 2:7], [[-2, 0, 0], [8, 6, 6], [-12, -12, -12], [8, 6, 6], [-2, 0, 0]])
    np.testing.assert_allclose(found[2, 2:7, 0], [-1, 2, -2, 2, -1])
    np.testing.assert_allclose(found[3, 2:7, 1], [0, -3, 6, -3, 0])


def test_colours_are_summed_and_every_filter_sums_to_nothing():
    squares = noise(picture(np.arange(10.0)[np.newaxis] ** 2 + np.zeros([10, 1])))[0, 5, 5]
    np.testing.assert_allclose(squares, [0, 0, 3], atol=1e-4)  # half of 2, in three colours
    np.testing.assert_allclose(kernels().sum((0, 1)), 0, atol=1e-6)


# -------------------------------------------------------------------------------------------------- boxes and anchors


def test_anchors_are_the_published_nine():
    """Left, top, right, bottom of Faster R-CNN's table, first and last pixel, counted from 1."""
    published = [
        *[[-83, -39, 100, 56], [-175, -87, 192, 104], [-359, -183, 376, 200]],
        *[[-55, -55, 72, 72], [-119, -119, 136, 136], [-247, -247, 264, 264]],
        *[[-35, -79, 52, 96], [-79, -167, 96, 184], [-167, -343, 184, 360]],
    ]
    left, top, right, bottom = np.array(published).T
    np.testing.assert_array_equal(anchors.at_origin((8, 16, 32)), np.stack([top - 1, left - 1, bottom, right], -1))


def test_twelve_anchors_are_at_every_place():
    found = anchors.everywhere(2, 3, (8, 16, 32, 64)).numpy().reshape(2, 3, 12, 4)
    np.testing.assert_array_equal(found[0, 0], anchors.at_origin((8, 16, 32, 64)))
    for row, column in ((0, 1), (1, 2)):
        shift = [16 * row, 16 * column] * 2
        np.testing.assert_array_equal(found[row, column], found[0, 0] + shift)
    sides = found[0, 0, :, 2:] - found[0, 0, :, :2]
    np.testing.assert_array_equal(sides[3], [12 * 64, 23 * 64])
    np.testing.assert_array_equal(sides[4:8], [[16 * s, 16 * s] for s in (8, 16, 32, 64)])


def test_encoding_by_hand_and_back():
    box, truth = tf.constant([[10.0, 20, 30, 60]]), tf.constant([[15.0, 20, 55, 40]])
    np.testing.assert_allclose(boxes.encode(box, truth), [[15 / 20, -10 / 40, np.log(2), np.log(0.5)]], rtol=1e-6)
    one, other = random_boxes(50, seed=1), random_boxes(50, seed=2)
    np.testing.assert_allclose(boxes.decode(one, boxes.encode(one, other)), other, atol=1e-3)


def test_empty_boxes_and_wild_deltas_stay_finite():
    empty, box = tf.constant([[5.0, 5, 5, 5]]), tf.constant([[0.0, 0, 10, 10]])
    for pair in ((empty, box), (box, empty), (empty, empty)):
        assert np.isfinite(boxes.encode(*pair)).all()
    wild = boxes.decode(box, tf.constant([[0.0, 0, 1e4, 1e4]])).numpy()[0]
    np.testing.assert_allclose(wild[2:] - wild[:2], 10 * 1000 / 16, rtol=1e-5)


def test_boxes_are_cut_to_the_picture():
    cut = boxes.clip(tf.constant([[-5.0, -2, 50, 70]]), tf.constant([40, 60]))
    np.testing.assert_array_equal(cut, [[0, 0, 40, 60]])


def test_overlaps_by_hand():
    found = boxes.overlaps(
        tf.constant([[0.0, 0, 10, 10]]), tf.constant([[0.0, 0, 10, 10], [5, 5, 15, 15], [20, 20, 30, 30], [3, 3, 3, 3]])
    )
    np.testing.assert_allclose(found, [[1, 25 / 175, 0, 0]])


@pytest.mark.parametrize("overlap", [0.2, 0.7])
def test_proposals_that_overlap_are_those_of_brute_force(overlap, monkeypatch):
    found, scores = random_boxes(80), np.random.default_rng(3).permutation(80).astype(np.float32)
    kept, pairs = [], boxes.overlaps(found, found).numpy()
    for candidate in np.argsort(-scores):
        if all(pairs[candidate, other] <= overlap for other in kept):
            kept.append(candidate)
    assert 5 < len(kept) < 80
    monkeypatch.setattr(proposals, "OVERLAP", overlap)
    still = (tf.constant(scores), tf.zeros([80, 4]), tf.constant([1000, 1000]))
    for most in (80, 5):
        wanted = np.asarray(found)[kept[:most]]
        np.testing.assert_allclose(propose(found, *still, before=80, after=most), wanted, rtol=1e-5)


def test_tight_boxes_of_components_and_no_specks():
    mask = np.zeros([30, 40], np.uint8)
    mask[2:8, 3:9] = 1
    mask[8:14, 9:15] = 1  # touches at a corner: the same component
    mask[20:25, 30:40] = 255
    mask[28, 0:3] = 1
    np.testing.assert_array_equal(boxes.tight(mask), [[2, 3, 14, 15], [20, 30, 25, 40]])
    np.testing.assert_array_equal(boxes.tight(mask[26:]), [[2, 0, 3, 3]])
    assert boxes.tight(0 * mask).shape == boxes.truths(tf.zeros([30, 40, 1])).shape == (0, 4)
    np.testing.assert_array_equal(boxes.truths(tf.constant(mask[..., np.newaxis] > 0, tf.float32)), boxes.tight(mask))


def test_a_speck_is_fewer_than_sixteen_pixels():
    mask = np.zeros([30, 40], np.uint8)
    mask[2:6, 3:7] = mask[10:13, 3:8] = mask[20:25, 30:40] = 1  # 16, 15 and 50
    np.testing.assert_array_equal(boxes.tight(mask), [[2, 3, 6, 7], [20, 30, 25, 40]])


# -------------------------------------------------------------------------------------------------- proposals, targets


def test_of_proposals_one_may_overlap_another_by_seven_tenths():
    places = tf.constant([[0.0, 0, 20, 100], [0, 0, 20, 69], [50, 0, 70, 100], [50, 0, 70, 71]])
    found = propose(places, tf.constant([4.0, 3, 2, 1]), tf.zeros([4, 4]), tf.constant([200, 200]), before=4, after=4)
    np.testing.assert_allclose(found, places[:3])


def in_truth(*shares):
    """A truth, [1, 4], and boxes within it that hold such shares of its area."""
    return tf.constant([[20.0, 20, 60, 120]]), tf.constant([[20, 20, 60, 20 + 100 * share] for share in shares])


def test_anchors_of_seven_tenths_are_positive_and_below_three_tenths_negative():
    truth, places = in_truth(1.0, 0.7, 0.699, 0.3, 0.299)
    found = targets.of_anchors(places, truth, tf.constant([200, 200]), SEED)
    np.testing.assert_array_equal(found.positive, [1, 1, 0, 0, 0])
    np.testing.assert_array_equal(found.negative, [0, 0, 0, 0, 1])


def test_regions_of_half_an_overlap_are_positive():
    truth, places = in_truth(0.5, 0.499)
    regions, found = targets.of_regions(places, truth, SEED)
    np.testing.assert_allclose(regions[:3], [*places, *truth])
    np.testing.assert_array_equal(found.positive[:4], [1, 0, 1, 0])
    np.testing.assert_array_equal(found.negative[:4], [0, 1, 0, 0])


def test_proposals_are_the_best_anchors_moved_cut_and_apart():
    places = tf.constant([[0.0, 0, 20, 20], [1, 1, 21, 21], [30, 30, 50, 50], [60, 60, 80, 80]])
    deltas = tf.constant([[0.0, 0, 0, 0], [0, 0, 0, 0], [0.5, -2, 0, 0], [0, 0, 0, 0]])
    scores, size = tf.constant([1.0, 3, 2, 0]), tf.constant([45, 100])
    found = propose(places, scores, deltas, size, before=3, after=5)
    np.testing.assert_allclose(found, [[1, 1, 21, 21], [40, 0, 45, 10]])
    np.testing.assert_allclose(propose(places, scores, deltas, size, before=9, after=1), [[1, 1, 21, 21]])


def test_anchors_are_of_a_class_by_overlap():
    truth = tf.constant([[20.0, 20, 60, 60], [70, 70, 90, 78]])
    places = tf.constant([
        *[[20.0, 20, 60, 58], [20, 20, 60, 40], [0, 0, 20, 20], [-4, 20, 60, 60]],
        *[[70, 70, 90, 86], [66, 70, 90, 94], [70, 70, 90, 110]],
    ])  # fmt: skip
    found = targets.of_anchors(places, truth, tf.constant([100, 100]), SEED)
    # By overlap; half an overlap is neither; none; outside; the second truth's nearest, and not nearest.
    np.testing.assert_array_equal(found.positive, [1, 0, 0, 0, 1, 0, 0])
    np.testing.assert_array_equal(found.negative, [0, 0, 1, 0, 0, 1, 0])
    np.testing.assert_allclose(found.deltas[4], [0, -4 / 16, 0, np.log(0.5)], rtol=1e-5)


def test_at_most_64_anchors_half_of_them_positive_by_the_seed_alone():
    places = tf.concat([np.repeat([[10.0, 10, 30, 30]], 50, 0), np.repeat([[50.0, 50, 70, 70]], 500, 0)], 0)
    places = tf.cast(places, tf.float32)
    truth, size = tf.constant([[10.0, 10, 30, 30]]), tf.constant([100, 100])
    one, again, other = (targets.of_anchors(places, truth, size, SEED + seed) for seed in (0, 0, 5))
    assert (np.sum(one.positive), np.sum(one.negative), np.sum(one.chosen)) == (32, 32, 64)
    np.testing.assert_array_equal(one.chosen, again.chosen)
    assert (one.positive.numpy() != other.positive.numpy()).any()
    assert not one.positive.numpy()[50:].any() and not one.negative.numpy()[:50].any()


def test_regions_are_a_quarter_positive_and_hold_the_truths():
    truth = tf.constant([[10.0, 10, 30, 30]])
    far = tf.constant(np.repeat([[50.0, 50, 70, 70]], 100, 0), tf.float32)
    regions, found = targets.of_regions(far, truth, SEED)
    assert (np.sum(found.positive), np.sum(found.negative), len(regions)) == (1, 63, 64)
    np.testing.assert_array_equal(regions[found.positive.numpy()], truth)
    near = tf.constant(np.repeat([[10.0, 10, 30, 26]], 40, 0), tf.float32)
    regions, found = targets.of_regions(tf.concat([near, far], 0), truth, SEED)
    assert (np.sum(found.positive), np.sum(found.negative)) == (16, 48)
    rows = found.deltas.numpy()[found.positive.numpy() & (regions.numpy()[:, 3] == 26)]
    np.testing.assert_allclose(rows, np.repeat([[0, 2 / 16 / 0.1, 0, np.log(20 / 16) / 0.2]], len(rows), 0), rtol=1e-4)


def test_deltas_of_regions_are_in_their_typical_sizes():
    """The truth is 2 below and 1 left of the first region, 1.5 times as high and half as wide."""
    truth = tf.constant([[7.0, 10, 37, 20]])
    _, found = targets.of_regions(tf.constant([[10.0, 6, 30, 26]]), truth, SEED)
    np.testing.assert_allclose(
        found.deltas[0], [2 / 20 / 0.1, -1 / 20 / 0.1, np.log(1.5) / 0.2, np.log(0.5) / 0.2], rtol=1e-5
    )


def test_an_authentic_picture_has_no_positive():
    none = tf.zeros([0, 4])
    found = targets.of_anchors(tf.constant(random_boxes(20)), none, tf.constant([100, 100]), SEED)
    assert not found.positive.numpy().any() and found.negative.numpy().all()
    regions, found = targets.of_regions(tf.constant(random_boxes(20)), none, SEED)
    assert len(regions) == 64 and not found.positive.numpy().any() and np.isfinite(found.deltas).all()
    np.testing.assert_array_equal(found.negative, [1] * 20 + [0] * 44)
    np.testing.assert_array_equal(regions[:20], random_boxes(20))


# -------------------------------------------------------------------------------------------------- losses


def test_the_boxes_loss_bends_where_sigma_says():
    difference = tf.constant([[0.5, -2.0, 0, 0], [0.1, 0.2, 0, 0]])
    np.testing.assert_allclose(smooth_l1(difference, 1.0), [0.125 + 1.5, 0.025], rtol=1e-6)
    by_hand = [0.5 - 1 / 18 + 2 - 1 / 18, 4.5 * 0.01 + (0.2 - 1 / 18)]
    np.testing.assert_allclose(smooth_l1(difference, 3.0), by_hand, rtol=1e-5)


def test_losses_count_the_chosen_alone():
    positive, chosen = tf.constant([True, False, False, False]), tf.constant([True, True, False, False])
    logits = tf.constant([[0.0, 0], [0, 0], [50, -50], [float("nan"), 0]])
    assert float(class_loss(logits, positive, chosen)) == pytest.approx(np.log(2))
    deltas, wanted = tf.constant([[1.5, 2, 3, 4], *[[9.0, 9, 9, 9]] * 3]), tf.constant([[0.0, 2, 3, 4]] * 4)
    assert float(box_loss(deltas, wanted, positive, chosen, 1.0)) == pytest.approx(1.0 / 2)
    nothing = tf.zeros([4], tf.bool)
    assert float(class_loss(logits, nothing, nothing)) == float(box_loss(deltas, deltas, nothing, nothing, 1.0)) == 0


# -------------------------------------------------------------------------------------------------- pooling


def test_a_sketch_adds_signed_features():
    x = tf.constant(np.random.default_rng(0).normal(size=[2, 5]), tf.float32)
    sketch = count_sketch(x, 64, (1, 3)).numpy()
    places = np.random.RandomState(1).randint(64, size=5)
    signs = 2 * np.random.RandomState(3).randint(2, size=5) - 1
    wanted = np.zeros([2, 64])
    for place, sign, column in zip(places, signs, x.numpy().T):
        wanted[:, place] += sign * column
    np.testing.assert_allclose(sketch, wanted, rtol=1e-6)


def test_crops_are_tensorflows_own_and_their_gradient_repeats():
    random = np.random.default_rng(0)
    features = tf.constant(random.normal(size=[6, 9, 4]), tf.float32)
    boxes = tf.constant(np.sort(random.uniform(-2, 9, [40, 2, 2]), axis=1).reshape(40, 4), tf.float32)
    wanted = tf.image.crop_and_resize(
        features[tf.newaxis], boxes / [5.0, 8.0, 5.0, 8.0], tf.zeros(40, tf.int32), [7, 7]
    )
    np.testing.assert_allclose(cut(features, boxes, 7), wanted, atol=1e-5)

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(features)
            total = tf.reduce_sum(cut(features, boxes, 7) ** 2)
        return tf.convert_to_tensor(tape.gradient(total, features)).numpy()

    one = gradient()
    assert np.abs(one).max() > 0
    np.testing.assert_array_equal(gradient(), one)


def test_inner_products_of_poolings_are_products_of_inner_products():
    random = np.random.default_rng(0)
    x, y, x_, y_ = (random.uniform(0.2, 1, [1, 1, 1, 12]).astype(np.float32) for _ in range(4))
    found = [
        float(np.sum(compact_bilinear(x, y, 256, pair) * compact_bilinear(x_, y_, 256, pair)))
        for pair in (((4 * s, 4 * s + 1), (4 * s + 2, 4 * s + 3)) for s in range(300))
    ]
    wanted = float(np.sum(x * x_) * np.sum(y * y_))
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - wanted) < 3 * error < 0.1 * wanted


def test_pooling_is_the_mean_of_the_places_circular_convolutions():
    random = np.random.default_rng(0)
    x, y = (random.normal(size=[2, 1, 3, c]).astype(np.float32) for c in (8, 9))
    wanted = np.zeros([2, 16])
    for n, place in itertools.product(range(2), range(3)):
        one, other = (count_sketch(z[n, 0, place : place + 1], 16, s)[0].numpy() for z, s in ((x, (1, 3)), (y, (5, 7))))
        wanted[n] += [sum(one[k] * other[(j - k) % 16] for k in range(16)) / 3 for j in range(16)]
    np.testing.assert_allclose(compact_bilinear(x, y, 16), wanted, atol=1e-5)


def test_roots_keep_signs_and_have_length_one():
    np.testing.assert_allclose(signed_root(tf.constant([[9.0, -16, 0]])), [[0.6, -0.8, 0]], atol=1e-4)
    x = tf.Variable([[1e-30, 1.0]])
    with tf.GradientTape() as tape:
        value = signed_root(x)[0, 0]
    assert 0 < tape.gradient(value, x).numpy()[0, 0] < 1e5


# -------------------------------------------------------------------------------------------------- the map


def painted(found, scores, size):
    """By brute force: each pixel asks each box."""
    result = np.zeros(size, np.float32)
    for box, score in zip(found, scores):
        for y, x in itertools.product(*map(range, size)):
            if box[0] <= y + 0.5 < box[2] and box[1] <= x + 0.5 < box[3]:
                result[y, x] = max(result[y, x], score)
    return result


def test_a_pixel_has_the_highest_score_of_the_boxes_over_it():
    found, scores = random_boxes(6, side=20), np.array([0.3, 0.9, 0.5, 0.2, 0.8, 0.1], np.float32)
    wanted = painted(found, scores, (20, 23))
    assert len(np.unique(wanted)) > 4
    np.testing.assert_array_equal(paint(found, scores, tf.constant([20, 23])), wanted)


def test_without_boxes_the_map_is_empty():
    np.testing.assert_array_equal(paint(tf.zeros([0, 4]), tf.zeros([0]), tf.constant([4, 5])), np.zeros([4, 5]))


def test_true_boxes_through_the_map_are_the_oracle():
    mask = np.zeros([37, 53], bool)
    mask[5:20, 30:53] = np.tri(15, 23, 8, bool)
    oracle = floors.ground_truth_box(np.zeros([37, 53, 3], np.uint8), mask)
    np.testing.assert_array_equal(paint(boxes.tight(mask), tf.ones([1]), tf.constant([37, 53])), oracle)
    mask[30:36, 2:9] = True
    both = paint(boxes.tight(mask), tf.constant([1.0, 1.0]), tf.constant([37, 53])).numpy()
    assert both.sum() == oracle.sum() + 6 * 7 and (both[mask] == 1).all()


# -------------------------------------------------------------------------------------------------- the network


def changed(network, start, by=0.1):
    """Adds to all weights whose names begin so."""
    found = [v for name, v in stored_variables(network).items() if name.startswith(f"rgbn/{start}")]
    assert found
    for variable in found:
        variable.assign_add(by * tf.random.stateless_normal(variable.shape, [1, len(variable.shape)]))


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    """A ResNet-50 of Keras with other moments than at the start, and its weights as Keras stores them."""
    path = tmp_path_factory.mktemp("weights") / "resnet50.h5"
    keras.utils.set_random_seed(1)
    resnet = keras.applications.ResNet50(include_top=False, weights=None)
    for variable in resnet.variables:
        if "_bn/" in variable.name:
            variable.assign(tf.random.stateless_uniform(variable.shape, [2, 3], 0.5, 1.5))
    resnet.save_weights(str(path))
    return resnet, path


def test_a_resnet_comes_in_by_kerass_names_and_is_kerass(resnet_file):
    resnet, path = resnet_file
    network = TwoStreamNetwork(Network(backbone="resnet50", pooling_channels=16))
    mine = stored_variables(network)
    root = {name: v.numpy() for name, v in mine.items() if name.startswith("rgbn/noise_conv1")}
    initialize_resnet(network, "resnet50", str(path))
    image = tf.random.stateless_normal([1, 64, 80, 3], [0, 1], stddev=50.0)
    wanted = keras.Model(resnet.input, resnet.get_layer("conv4_block6_out").output)(image).numpy()
    np.testing.assert_allclose(network.look(image)["rgb"], wanted, atol=1e-4 * np.abs(wanted).max())
    for name in ("conv5_block2_2_conv/kernel", "conv2_block1_0/bn_moving_variance", "conv4_block6_3/bn_gamma"):
        value = next(v for v in resnet.variables if v.name == f"{name.replace('/bn_', '_bn/')}:0")
        np.testing.assert_array_equal(mine[f"rgbn/noise_{name}"], value)
    assert all((mine[name].numpy() == value).all() for name, value in root.items()) and len(root) == 6
    learns = {v.name.partition(":")[0] for v in network.trainable_variables}
    assert not any("_bn/" in name or name.startswith(("rgb_conv1", "rgb_conv2")) for name in learns)
    assert {"noise_conv1_conv/kernel", "noise_conv2_block1_1_conv/bias", "rgb_conv3_block1_1_conv/kernel"} <= learns


def test_wrong_weights_say_what_is_taken(tmp_path):
    network, another = TwoStreamNetwork(TINY), tmp_path / "another.h5"
    keras.Sequential([keras.Input([2]), keras.layers.Dense(3)]).save_weights(str(another))
    with pytest.raises(
        WeightsError, match="--resnet_weights=nowhere.h5: no such file. --resnet_weights takes: 'imagen"
    ):
        initialize_resnet(network, "resnet50", "nowhere.h5")
    with pytest.raises(WeightsError, match="another.h5: could not be loaded"):
        initialize_resnet(network, "resnet50", str(another))


def test_the_parameters_are_resnet_101s():
    """42,658,176 of Keras's ResNet-101 without its top."""
    found = backbone.choose("resnet101")
    image, crops = keras.Input([None, None, 3]), keras.Input([7, 7, found.channels])
    parts = keras.Model(image, found.trunk(image, "noise_")), keras.Model(crops, found.tail(crops, "noise_"))
    assert sum(part.count_params() for part in parts) == 42_658_176
    assert parts[0].output_shape == (None, None, None, 1024) and parts[1].output_shape == (None, 7, 7, 2048)


def test_what_is_answered():
    network, image = TwoStreamNetwork(TINY), make_batch(1, 64).s
    found = {name: x.numpy() for name, x in network(image).items()}
    again = network(image, training=True)
    assert all((found[name] == again[name].numpy()).all() for name in found)
    assert 1 <= len(found["boxes"]) == len(found["logits"]) <= 100
    assert (np.diff(found["logits"]) <= 0).all()
    assert found["boxes"].min() >= 0 and found["boxes"].max() <= 64
    pairs = boxes.overlaps(found["boxes"], found["boxes"]).numpy()
    assert (pairs[~np.eye(len(pairs), dtype=bool)] <= 0.2).all()


def test_the_class_hears_both_streams_and_the_box_the_colours():
    network = TwoStreamNetwork(TINY)
    image, box = make_batch(1, 64).s, tf.constant([[3.0, 5, 40, 50]])

    def judged():
        return {name: x.numpy() for name, x in network.judge(network.crops(network.look(image), 0, box)).items()}

    start = judged()
    changed(network, "noise_")
    noisy = judged()
    assert (noisy["logits"] != start["logits"]).all() and (noisy["deltas"] == start["deltas"]).all()
    changed(network, "rgb_")
    assert (judged()["logits"] != noisy["logits"]).all() and (judged()["deltas"] != noisy["deltas"]).all()


@pytest.mark.parametrize(("streams", "other"), [("rgb", "noise"), ("noise", "rgb")])
def test_one_stream_alone_is_all_there_is(streams, other):
    network = TwoStreamNetwork(Network(backbone="tiny", anchor_scales=(1.0,), streams=streams))
    assert not any(f"/{other}_" in name for name in stored_variables(network))
    assert stored_variables(network)["rgbn/class/kernel"].shape == (64, 2)
    image = make_batch(1, 64).s
    before = network.look(image)["objectness"].numpy()
    changed(network, f"{streams}_conv1")
    assert (network.look(image)["objectness"].numpy() != before).any()


def test_what_is_cut_out_lies_at_the_boxs_place():
    network = TwoStreamNetwork(Network(backbone="tiny", anchor_scales=(1.0,), streams="rgb"))
    rows, columns = np.mgrid[:6, :9].astype(np.float32)
    places = tf.constant(np.stack([0 * np.stack([rows, columns], -1), np.stack([rows, columns], -1)]))
    cut = network.crops({"rgb": places}, 1, tf.constant([[16.0, 32, 64, 80]]))["rgb"].numpy()
    assert cut.shape == (1, 7, 7, 2)
    np.testing.assert_allclose(cut[0, :, 0, 0], np.linspace(1, 4, 7), atol=1e-5)
    np.testing.assert_allclose(cut[0, 3, :, 1], np.linspace(2, 5, 7), atol=1e-5)


def test_weights_by_name_are_all_of_them(tmp_path):
    one, other = TwoStreamNetwork(TINY), TwoStreamNetwork(TINY)
    changed(one, "")
    np.savez(tmp_path / "w.npz", **{name: v.numpy() for name, v in stored_variables(one).items()})
    load_npz(stored_variables(other), str(tmp_path / "w.npz"), "--initial_weights=w.npz")
    assert len(stored_variables(one)) == len(one.variables)
    for name, variable in stored_variables(other).items():
        np.testing.assert_array_equal(variable, stored_variables(one)[name])
    wide = TwoStreamNetwork(Network(backbone="tiny", anchor_scales=(1.0,)))
    with pytest.raises(WeightsError, match="--initial_weights=.*w.npz: rgbn/rpn_.* is"):
        load_npz(stored_variables(wide), str(tmp_path / "w.npz"), "--initial_weights=w.npz")


# -------------------------------------------------------------------------------------------------- the step


def test_a_step_moves_every_weight_and_its_number():
    net, batch = tiny(learning_rate=0.1), make_batch(1, 64)
    before = {name: v.numpy() for name, v in stored_variables(net.segmenter).items()}
    losses = {name: float(x) for name, x in net.train_step(batch).items()}
    still = [name for name, v in stored_variables(net.segmenter).items() if (v.numpy() == before[name]).all()]
    assert all(name.endswith("_conv/bias") for name in still)  # normalisation takes a bias out again
    assert int(net.step) == 1 and net.train_step.experimental_get_tracing_count() == 1
    total = losses.pop("loss/segmenter")
    assert total == pytest.approx(sum(losses.values()), 1e-5)
    assert losses["loss/anchor_class"] == pytest.approx(np.log(2), 0.1) and losses["loss/anchor_box"] > 0
    kernels = [value for name, value in before.items() if name.endswith("kernel")]
    assert losses["loss/weight_decay"] == pytest.approx(0.5e-4 * sum(float((x**2).sum()) for x in kernels), 1e-4)


def test_the_rate_drops_once():
    net, batch = tiny(learning_rate=0.1, drop_after=2), make_batch(1, 64)
    rates = []
    for _ in range(4):
        optimizer = net.segmenter_optimizer
        rates.append(float(optimizer.learning_rate(optimizer.iterations)))
        runs.one_step(net, batch)
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01, 0.01], rtol=1e-6)


@pytest.mark.parametrize(
    ("train_on", "pictures"), [(("source",), "s"), (("pasted",), "m"), (("source", "pasted"), "sm")]
)
def test_pictures_to_learn_from_are_chosen(train_on, pictures):
    batch = make_batch()
    image, k = tiny(train_on=train_on).examples(batch)
    np.testing.assert_array_equal(image, tf.concat([getattr(batch, name) for name in pictures], 0))
    np.testing.assert_array_equal(k, np.concatenate([batch.k] * len(pictures)))


def test_two_replicas_of_one_element_are_one_of_two(two_replicas):
    build = functools.partial(tiny, train_on=("source", "pasted"))
    runs.assert_two_replicas_are_one(build, make_batch(2, 128), two_replicas, stored_variables)


def composites(side=96):
    """Eight pieces of coffee on pieces of an astronaut, and where they are."""
    random = np.random.default_rng(0)
    cut = lambda photograph: np.stack([photograph[100 : 100 + side, x : x + side] for x in range(0, 400, 50)])  # noqa: E731
    s, t = (to_network_range(tf.constant(cut(x))) for x in (skimage.data.coffee(), skimage.data.astronaut()))
    k = np.zeros([8, side, side, 1], np.float32)
    for mask in k:
        (height, width), (top, left) = random.integers(24, 49, 2), random.integers(0, side - 48, 2)
        mask[top : top + height, left : left + width] = 1
    return Batch(s, tf.constant(k), t, copy_paste(s, k, t))


def average_precision(network, ones):
    """AP50 of pictures with one true box each: the precision at each box that is found, the best from there on."""
    answers = []
    for one in ones:
        found = network(one.m)
        near = boxes.overlaps(found["boxes"], boxes.truths(one.k[0])).numpy()[:, 0] >= 0.5
        first = near & (np.cumsum(near) == 1)
        answers += list(zip(found["logits"].numpy(), first))
    hits = np.array([hit for _, hit in sorted(answers, key=lambda answer: -answer[0])])
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return np.maximum.accumulate(precision[::-1])[::-1][hits].sum() / len(ones)


def test_eight_composites_are_learnt():
    keras.utils.set_random_seed(0)
    network = Network(backbone="tiny", anchor_scales=(1.0, 2.0, 4.0), pooling_channels=256)
    net, batch = tiny(network, learning_rate=0.04, drop_after=64, train_on=("pasted",)), composites()
    ones = [Batch(*(x[i : i + 1] for x in batch[:4])) for i in range(8)]
    assert average_precision(net.segmenter, ones) < 0.3
    for step in range(96):
        net.train_step(ones[step % 8])
    assert average_precision(net.segmenter, ones) > 0.9


# -------------------------------------------------------------------------------------------------- the detector


def test_a_detector_paints_boxes_at_the_pictures_size():
    network, picture = TwoStreamNetwork(TINY), tf.constant(skimage.data.astronaut()[:100, :150])
    module = BoxModule(network, size=50, resize_mode="crop")
    seen = tf.round(tf.image.resize(picture, [50, 75]))
    found = network(to_network_range(seen)[tf.newaxis])
    wanted = painted(2 * found["boxes"].numpy(), tf.sigmoid(found["logits"]).numpy(), (100, 150))
    maps = module(picture)["probability"].numpy()
    np.testing.assert_allclose(maps[..., 0], wanted, atol=1e-6)
    assert len(np.unique(maps)) > 2 and module.window is None
    raised = BoxModule(network, size=50, resize_mode="crop", centre=0.25)(picture)["probability"].numpy()[..., 0]
    odds = 3 * wanted / (1 - wanted)  # by Bayes: where it said .25, it says .5
    np.testing.assert_allclose(raised, odds / (1 + odds), atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "size", "seen"),
    [
        ("crop", (256, 384), (600, 900)),
        ("crop", (3000, 1500), (1000, 500)),
        ("crop", (1, 5000), (1, 1000)),
        ("squash", (256, 384), (600, 600)),
    ],
)
def test_the_short_side_is_600_and_the_long_one_1000_at_most(mode, size, seen):
    module = BoxModule(TwoStreamNetwork(TINY), size=600, resize_mode=mode)
    np.testing.assert_array_equal(module.network_size(size), seen)


def test_what_a_network_found_is_a_map_of_probabilities():
    found = {"boxes": tf.constant([[1.0, 1, 3, 3]]), "logits": tf.constant([np.log(3.0)], tf.float32)}
    wanted = np.zeros([1, 4, 5, 1])
    wanted[0, 1:3, 1:3] = 0.75
    np.testing.assert_allclose(score_map(found, tf.constant([4, 5])), wanted)


@pytest.mark.parametrize("streams", ["both", "rgb"])
def test_bfloat16_keeps_the_losses(streams):
    network = dataclasses.replace(TINY, streams=streams)
    runs.assert_bfloat16_keeps_the_losses(lambda: tiny(network), make_batch(size=96), within=0.05)


def test_the_chief_of_several_workers_reads_alone(two_replicas):
    network = dataclasses.replace(TINY, backbone="resnet50", streams="rgb")
    runs.assert_the_chief_reads_alone(lambda: tiny(network), two_replicas)
