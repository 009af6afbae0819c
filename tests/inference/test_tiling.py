import concurrent.futures
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.data.image_ops import to_network_range
from gsr_tf.errors import UserError
from gsr_tf.inference import tiling
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.module import DetectorModule
from gsr_tf.inference.tiling import Layout, stretches, tile
from gsr_tf.inference.together import ONE_PASS, arrays
from gsr_tf.models.keras import keras
from gsr_tf.models.segmenter import manipulation_probability

REACH = 232  # pixels: how far the network sees, 228, in whole strides
SMALL = Layout(64, 16, 16)


def photograph(height, width):
    repeats = (-(-height // 512), -(-width // 512), 1)
    return np.tile(skimage.data.astronaut(), repeats)[:height, :width]


def logit(maps):
    return np.log(maps["probability"] / (1 - maps["probability"]))


def in_one_pass(module, picture, layout):
    """A large picture as a single window, normalised as its windows are."""
    moments = module.moments(tiling.moments_picture(picture, layout.side))
    extended = np.pad(picture, [(0, -length % 8) for length in picture.shape[:2]] + [(0, 0)], mode="symmetric")
    height, width = picture.shape[:2]
    return {name: x[:height, :width] for name, x in arrays(module.window(extended, moments)).items()}


def test_windows_of_a_network_that_normalises_nothing_agree_with_one_pass():
    image = keras.Input([None, None, 3])
    features = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(image)
    plain = DetectorModule(keras.Model(image, {"segmentation": keras.layers.Conv2D(2, 1)(features)}), size=48)
    picture = photograph(152, 136)  # whole strides: nothing is mirrored at its end
    assert plain.moments(picture).shape == [0]
    in_windows, whole = tile(plain, picture, SMALL)["probability"], plain.native(picture)["probability"][..., 0]
    np.testing.assert_allclose(in_windows, whole, atol=1e-6)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda x: x, 'the network gives a .*Tensor; expected a dict with "segmentation"'),
        (lambda x: {"mask": x}, "the network gives a dict of mask; expected"),
        (
            lambda x: {"segmentation": x[..., :1]},
            r"segmentation is \(1, None, None, 1\); expected logits of two classes",
        ),
    ],
)
def test_a_network_that_answers_otherwise_is_refused(output, message):
    image = keras.Input([None, None, 3])
    other = DetectorModule(keras.Model(image, output(keras.layers.Conv2D(2, 1)(image))), size=48)
    with pytest.raises(UserError, match=message):
        other.native(photograph(8, 8))


@pytest.mark.parametrize("shape", [(200, 120), (1, 1), (1, 77), (61, 3)])
def test_a_picture_that_fits_is_seen_whole(module, segmenter, shape):
    picture = photograph(*shape)
    maps = tile(module, picture)
    assert {name: (x.shape, x.dtype) for name, x in maps.items()} == dict.fromkeys(
        ["probability", "boundary"], (shape, np.float32)
    )
    extended = np.pad(picture, [(0, -length % 8) for length in shape] + [(0, 0)], mode="symmetric")
    seen = np.s_[: shape[0], : shape[1]]
    np.testing.assert_array_equal(maps["probability"], module.native(extended)["probability"][..., 0][seen])
    expected = manipulation_probability(segmenter, to_network_range(extended)[tf.newaxis])[0, ..., 0]
    np.testing.assert_allclose(maps["probability"], expected[seen], atol=1e-6)


@pytest.mark.parametrize("size", [48, 300])
@pytest.mark.parametrize("shape", [(131, 90), (131, 300)])
def test_windows_are_whole_strides_from_the_size_trained_on(segmenter, monkeypatch, size, shape):
    seen = []
    module = DetectorModule(segmenter, size=size)
    window = module.window
    monkeypatch.setattr(
        module, "window", lambda picture, moments: seen.append(picture.shape) or window(picture, moments)
    )
    monkeypatch.setattr(tiling, "native", lambda module, picture: seen.append(picture.shape) or {})
    tile(module, photograph(*shape), Layout(160, 16, 16))
    assert seen and all((length - size) % tiling.STRIDE == 0 for found in seen for length in found[:2])
    assert min(found[0] for found in seen) >= 131


def test_moments_of_a_picture_held_for_itself_change_nothing(module):
    picture = photograph(96, 120)
    held, own = module.window(picture, module.moments(picture)), module.native(picture)
    for name, values in own.items():
        np.testing.assert_allclose(held[name], values, atol=2e-6)
    other = module.window(picture, module.moments(picture // 3))
    assert np.abs(other["probability"] - own["probability"]).max() > 1e-4


def test_windows_with_margins_of_the_networks_reach_are_one_pass(module):
    picture, layout = photograph(701, 930), Layout(640, REACH, 64)
    whole, tiled = in_one_pass(module, picture, layout), tile(module, picture, layout)
    for name, values in whole.items():
        np.testing.assert_allclose(tiled[name], values, atol=2e-6)
    assert whole["probability"].std() > 3e-4


def test_the_difference_from_one_pass_falls_with_the_margin(module):
    picture = photograph(520, 930)
    spread, errors = None, []
    for margin in (0, 96, 128, 160, 192):
        layout = Layout(640, margin, 128)
        whole = logit(in_one_pass(module, picture, layout))
        spread = spread or whole.std()
        errors.append(np.abs(logit(tile(module, picture, layout)) - whole).max() / spread)
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.1 and errors[-1] < 0.002


def test_there_is_no_step_at_a_windows_border(module):
    picture, layout = photograph(200, 2000), tiling.LAYOUT
    starts = [stretch.start for stretch in stretches(2000, layout)]
    borders = [*starts[1:], *(start + layout.side for start in starts[:-1])]

    def worst(maps):
        steps = np.abs(np.diff(logit(maps), axis=1)).mean(axis=0)
        return max(steps[border - 1] for border in borders) / steps.mean()

    assert worst(tile(module, picture)) < 2
    moments = module.moments(tiling.moments_picture(picture, layout.side))
    pasted = np.zeros([200, 2000], np.float32)
    for start in starts:
        window = module.window(picture[:, start : start + layout.side], moments)["probability"][..., 0]
        pasted[:, start : start + layout.side] = window[:, : 2000 - start]
    assert worst({"probability": pasted}) > 5  # what it would be without blending


@pytest.mark.parametrize("layout", [tiling.LAYOUT, SMALL, Layout(64, 0, 8), Layout(640, 192, 64)])
def test_weights_sum_to_one_at_every_pixel(layout):
    for length in (1, 63, 64, 65, 72, 100, 641, 1023, 1024, 1025, 1200, 1999, 2500, 5003):
        total, ends = np.zeros(length), []
        for start, weights in stretches(length, layout):
            assert start % 8 == 0 and weights.dtype == np.float32 and weights.min() >= 0
            total[start : start + len(weights)] += weights
            ends.append(start + len(weights))
        np.testing.assert_allclose(total, 1, atol=1.2e-7)
        assert ends[-1] == length
        assert (len(ends) == 1) == (length <= layout.side)


@pytest.mark.parametrize("shape", [(1, 500), (333, 1), (65, 64), (67, 70), (129, 30), (100, 203)])
def test_any_size_has_a_map_of_its_size(module, shape):
    for values in tile(module, photograph(*shape), SMALL).values():
        assert values.shape == shape and values.dtype == np.float32
        assert values.min() > 0 and values.max() <= 1


def test_a_very_large_picture_has_no_boundary_map(module, monkeypatch):
    monkeypatch.setattr(tiling, "LARGE_PIXELS", 6000)
    assert set(tile(module, photograph(60, 100), SMALL)) == {"probability", "boundary"}
    assert set(tile(module, photograph(61, 100), SMALL)) == {"probability"}


def test_a_pass_has_its_turn_and_ends_it_before_its_maps_are_fetched(module, monkeypatch):
    held = []

    def telling(name, function):
        def call(*arguments):
            held.append((name, ONE_PASS.locked()))
            return function(*arguments)

        return call

    passes = {name: telling(name, getattr(module, name)) for name in ("moments", "window")}
    monkeypatch.setattr(tiling, "arrays", telling("arrays", arrays))
    tile(SimpleNamespace(network_size=module.network_size, **passes), photograph(60, 100), SMALL)
    windows = len(held) // 2
    assert held == [("moments", True), *[("window", True), ("arrays", False)] * windows] and windows > 1


def test_an_answer_is_the_same_to_the_bit_whatever_is_asked_beside_it(module):
    detector = Detector(module, name="small", metadata={})
    questions = [
        (photograph(*shape), resolution)
        for shape in ((60, 90), (300, 200), (30, 1300))
        for resolution in ("whole", "tile")
    ]

    def answer(question):
        return detector.maps(question[0], resolution=question[1])

    alone = [answer(question) for question in questions]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(answer, [*questions, *reversed(questions)]))
    for first, second in zip([*alone, *reversed(alone)], together):
        for name, values in first.items():
            np.testing.assert_array_equal(second[name], values)
