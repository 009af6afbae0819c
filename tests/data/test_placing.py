import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.data.augment import placing
from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation
from tests import tiny

ROWS, COLUMNS = np.mgrid[:60, :60]
S = np.stack([ROWS * 4, COLUMNS * 4, 128 + 90 * np.sin(ROWS / 5 + COLUMNS / 7)], -1).astype(np.uint8)
K = 255 * ((ROWS > 20) & (ROWS < 34) & (COLUMNS > 16) & (COLUMNS < 45))[..., np.newaxis].astype(np.uint8)


def place(scale=(1.0, 1.0), rotation=0.0, random=(0.5, 0.5), layers=(S, K)):
    placed = placing.placed(tuple(map(tf.constant, layers)), scale, rotation, tf.constant(random, tf.float32))
    return [layer.numpy() for layer in placed]


def test_in_the_middle_of_both_ranges_nothing_moves():
    s, k = place(scale=(0.5, 2.0), rotation=30)
    np.testing.assert_array_equal(s, S)
    np.testing.assert_array_equal(k, K)


@pytest.mark.parametrize("factor, degrees", [(0.7, 0), (1.4, 0), (1.0, 25), (1.2, -40)])
def test_it_is_opencvs_similarity_about_the_centre(factor, degrees):
    s, k = place((factor, factor), 60, (0.0, (degrees / 60 + 1) / 2))
    matrix = cv2.getRotationMatrix2D((29.5, 29.5), degrees, factor)
    expected = cv2.warpAffine(S, matrix, (60, 60), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    assert np.abs(s[4:-4, 4:-4].astype(int) - expected[4:-4, 4:-4]).mean() < 1
    region = cv2.warpAffine(K, matrix, (60, 60), flags=cv2.INTER_NEAREST)
    assert np.mean((k[..., 0] > 0) != (region > 0)) < 0.02
    assert set(np.unique(k)) == {0, 255}
    assert (k > 0).sum() == pytest.approx((K > 0).sum() * factor**2, rel=0.05)


@pytest.mark.parametrize("turns", [-1, 1])
def test_a_right_angle_is_exact_and_levels_are_rounded(turns):
    s, k = place(rotation=90, random=(0.5, (turns + 1) / 2))
    np.testing.assert_array_equal(s, np.rot90(S, turns))
    np.testing.assert_array_equal(k, np.rot90(K, turns))


def test_k_moves_with_s():
    marked = np.where(K > 0, np.uint8(200), np.uint8(20)) * np.ones(3, np.uint8)
    s, k = place((0.6, 1.5), 45, (0.9, 0.2), (marked, K))
    assert np.mean((s[..., :1] > 110) != (k > 0)) < 0.02
    assert not np.array_equal(k, K)


def test_what_comes_from_outside_is_not_pasted():
    everywhere = np.full_like(K, 255)
    s, k = place((0.5, 0.5), 0, layers=(S, everywhere))
    assert k[15:45, 15:45].all() and k.sum() == k[14:46, 14:46].sum()
    assert s.min() >= S.min()  # mirrored: black is nowhere


def test_factors_are_drawn_between_the_two():
    areas = [(place((0.5, 2.0), 0, (u, 0.5))[1] > 0).sum() / (K > 0).sum() for u in (0.0, 0.25, 0.75, 0.999)]
    np.testing.assert_allclose(areas, [0.25, 0.5, 2, 4], rtol=0.12)


def test_a_region_that_would_be_outside_is_pasted_as_it_is(tmp_path):
    """Off the centre by a third of the picture: enlarged to twice its size it is outside, to a little more partly."""
    mask = np.zeros((60, 60), bool)
    mask[4:10, 4:10] = True
    records = tiny.write_records(tmp_path / "r", [tiny.Example(S, (mask,)), tiny.Example(S[::-1], (mask,))])
    kept = {"input_size": 60, "flip": False}
    (plain,) = training_stream(records, records, Preparation(**kept), batch_size=2).take(1)
    (outside,) = training_stream(records, records, Preparation(**kept, paste_scale=(2.0, 2.0)), batch_size=2).take(1)
    assert all(map(np.array_equal, outside[:4], plain[:4]))
    (partly,) = training_stream(records, records, Preparation(**kept, paste_scale=(1.3, 1.3)), batch_size=2).take(1)
    assert 0 < tf.reduce_sum(partly.k[0]) < 1.69 * mask.sum() and not np.array_equal(partly.s, plain.s)


@pytest.mark.parametrize("settings", [{"paste_scale": (0.6, 0.6)}, {"paste_rotation": 30.0}])
@pytest.mark.parametrize("mode", ["squash", "crop"])
def test_a_stream_places_s_and_k_alone(sources, targets, settings, mode):
    kept = {"input_size": 32, "seed": 3, "resize_mode": mode}
    (plain,) = training_stream(sources, targets, Preparation(**kept), batch_size=20).take(1)
    (moved,) = training_stream(sources, targets, Preparation(**kept, **settings), batch_size=20).take(1)
    np.testing.assert_array_equal(plain.t, moved.t)
    changed = [not np.array_equal(one, other) for one, other in zip(plain.s, moved.s)]
    assert np.mean(changed) > 0.9
    ratio = float(tf.reduce_sum(moved.k) / tf.reduce_sum(plain.k))
    assert ratio == pytest.approx(settings.get("paste_scale", (1.0,))[0] ** 2, rel=0.25)


def test_a_share_of_the_examples_is_placed_and_the_others_are_pasted_as_they_are(sources, targets):
    kept = {"input_size": 32, "seed": 3}
    (plain,) = training_stream(sources, targets, Preparation(**kept), batch_size=80).take(1)
    moved = {}
    for share in (0.0, 0.5, 1.0):
        settings = Preparation(**kept, paste_scale=(0.6, 0.6), placed_share=share)
        (batch,) = training_stream(sources, targets, settings, batch_size=80).take(1)
        moved[share] = np.array([not np.array_equal(one, other) for one, other in zip(plain.s, batch.s)])
    assert not moved[0.0].any() and moved[1.0].mean() > 0.9
    assert moved[0.5].mean() == pytest.approx(0.5, abs=0.15)


def test_with_and_without_addons_the_numbers_are_equal(monkeypatch):
    pytest.importorskip("tensorflow_addons", reason="TensorFlow Addons fits TensorFlow 2.15 alone")
    with_addons = place((0.8, 1.3), 40, (0.9, 0.1))
    monkeypatch.setitem(sys.modules, "tensorflow_addons.image", None)
    for ours, theirs in zip(place((0.8, 1.3), 40, (0.9, 0.1)), with_addons, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_addons_is_used_where_it_is(monkeypatch):
    image = pytest.importorskip("tensorflow_addons", reason="TensorFlow Addons fits TensorFlow 2.15 alone").image
    asked = []
    monkeypatch.setattr(image, "transform", lambda layer, *how: asked.append(how[1:]) or layer)
    place((0.8, 1.3), 40, (0.9, 0.1))
    assert asked == [("bilinear", "reflect"), ("nearest", "constant")]
