"""RGB-N: its pure parts by hand, its network, its step, its map."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.comparators import floors
from gsr_tf.comparators.rgbn import anchors, boxes, targets
from gsr_tf.comparators.rgbn.losses import box_loss, class_loss, smooth_l1
from gsr_tf.comparators.rgbn.pooling import compact_bilinear, count_sketch, signed_root
from gsr_tf.comparators.rgbn.proposals import propose
from gsr_tf.comparators.rgbn.raster import paint
from gsr_tf.comparators.rgbn.srm import kernels, noise

SEED = tf.constant([0, 0], tf.int64)


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
    np.testing.assert_array_equal(found[1, 2], found[0, 0] + [16, 32, 16, 32])
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
    assert np.isfinite(boxes.decode(box, tf.constant([[0.0, 0, 1e4, 1e4]]))).all()


def test_boxes_are_cut_to_the_picture():
    cut = boxes.clip(tf.constant([[-5.0, -2, 50, 70]]), tf.constant([40, 60]))
    np.testing.assert_array_equal(cut, [[0, 0, 40, 60]])


def test_overlaps_by_hand():
    found = boxes.overlaps(
        tf.constant([[0.0, 0, 10, 10]]), tf.constant([[0.0, 0, 10, 10], [5, 5, 15, 15], [20, 20, 30, 30], [3, 3, 3, 3]])
    )
    np.testing.assert_allclose(found, [[1, 25 / 175, 0, 0]])


@pytest.mark.parametrize("overlap", [0.2, 0.7])
def test_suppression_is_that_of_brute_force(overlap):
    found, scores = random_boxes(80), np.random.default_rng(3).permutation(80).astype(np.float32)
    kept, pairs = [], boxes.overlaps(found, found).numpy()
    for candidate in np.argsort(-scores):
        if all(pairs[candidate, other] <= overlap for other in kept):
            kept.append(candidate)
    assert 5 < len(kept) < 80
    np.testing.assert_array_equal(boxes.without_overlaps(found, scores, 80, overlap), kept)
    np.testing.assert_array_equal(boxes.without_overlaps(found, scores, 5, overlap), kept[:5])


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


# -------------------------------------------------------------------------------------------------- proposals, targets


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
    np.testing.assert_array_equal(regions[-1], truth[0])
    near = tf.constant(np.repeat([[10.0, 10, 30, 26]], 40, 0), tf.float32)
    regions, found = targets.of_regions(tf.concat([near, far], 0), truth, SEED)
    assert (np.sum(found.positive), np.sum(found.negative)) == (16, 48)
    rows = found.deltas.numpy()[found.positive.numpy() & (regions.numpy()[:, 3] == 26)]
    np.testing.assert_allclose(rows, np.repeat([[0, 2 / 16 / 0.1, 0, np.log(20 / 16) / 0.2]], len(rows), 0), rtol=1e-4)


def test_an_authentic_picture_has_no_positive():
    none = tf.zeros([0, 4])
    found = targets.of_anchors(tf.constant(random_boxes(20)), none, tf.constant([100, 100]), SEED)
    assert not found.positive.numpy().any() and found.negative.numpy().all()
    regions, found = targets.of_regions(tf.constant(random_boxes(20)), none, SEED)
    assert len(regions) == 20 and not found.positive.numpy().any() and np.isfinite(found.deltas).all()


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
    deltas = tf.constant([[1.5, 0, 0, 0], [9, 9, 9, 9], [9, 9, 9, 9], [9, 9, 9, 9]])
    assert float(box_loss(deltas, tf.zeros([4, 4]), positive, chosen, 1.0)) == pytest.approx(1.0 / 2)
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
    x, y = (random.normal(size=[2, 1, 3, c]).astype(np.float32) for c in (4, 5))
    wanted = np.zeros([2, 16])
    for n, place in itertools.product(range(2), range(3)):
        one, other = (count_sketch(z[n, 0, place : place + 1], 16, s)[0].numpy() for z, s in ((x, (1, 3)), (y, (5, 7))))
        wanted[n] += [sum(one[k] * other[(j - k) % 16] for k in range(16)) / 3 for j in range(16)]
    np.testing.assert_allclose(compact_bilinear(x, y, 16), wanted, atol=1e-5)


def test_roots_keep_signs_and_have_length_one():
    np.testing.assert_allclose(signed_root(tf.constant([[9.0, -16, 0]])), [[0.6, -0.8, 0]], atol=1e-4)
    x = tf.Variable([[0.0, 1.0]])
    with tf.GradientTape() as tape:
        value = signed_root(x)[0, 0]
    assert np.isfinite(tape.gradient(value, x)).all()


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
