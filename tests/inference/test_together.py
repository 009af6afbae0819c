import functools
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.formats import saved_model
from gsr_tf.inference import together
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.module import DetectorModule

ASTRONAUT = skimage.data.astronaut()
PICTURES = [ASTRONAUT[top : top + 70, left : left + 90] for top, left in ((0, 0), (60, 120), (300, 200), (200, 40))]
SCALES = (0.75, 1.0, 1.35)


@pytest.fixture
def gpu(monkeypatch):
    """As on a machine with one GPU."""
    monkeypatch.setattr(together, "gpus", lambda: ["GPU:0"])


class Levels:
    """A detector whose probability is the red level, and which notes how many pictures each pass had."""

    def __init__(self):
        self.passes = []

    def native(self, image):
        self.passes.append(1)
        return {"probability": tf.cast(image[..., :1], tf.float32) / 255.0}

    def natives(self, images):
        self.passes.append(len(images))
        return {"probability": tf.cast(images[..., :1], tf.float32) / 255.0}


def ask(*waiting):
    """The futures of the maps of (module, picture) pairs, all of which wait before the first pass begins."""
    with ThreadPoolExecutor(len(waiting)) as pool, together.ONE_PASS:
        answers = [pool.submit(together.native, *one) for one in waiting]
        while len(together._waiting) < len(waiting):
            time.sleep(0.001)
    return answers


def plain(level, height=4, width=6):
    return np.full([height, width, 3], level, np.uint8)


def test_pictures_of_one_size_together_have_the_maps_that_they_have_alone(module):
    found = module.natives(np.stack(PICTURES))
    for number, picture in enumerate(PICTURES):
        for name, values in module.native(picture).items():
            np.testing.assert_allclose(found[name][number], values, atol=1e-5)
            assert np.abs(found[name][number - 1] - values).max() > 1e-3  # not its neighbour's


def test_of_each_detector_and_size_a_power_of_two_goes_together(gpu):
    one, other = Levels(), Levels()
    asked = [(one, plain(level)) for level in range(7)]
    asked += [(one, plain(level, 6, 4)) for level in range(7, 10)]
    asked += [(other, plain(level)) for level in range(10, 12)]
    for (_, picture), answer in zip(asked, ask(*asked)):
        np.testing.assert_array_equal(answer.result()["probability"], picture[..., 0] / np.float32(255))
    assert sorted(one.passes) == [1, 1, 2, 2, 4]
    assert other.passes == [2]


def test_a_pass_is_bounded_in_pixels_and_in_pictures(gpu, monkeypatch):
    monkeypatch.setattr(together, "PIXELS", 60)
    monkeypatch.setattr(together, "MOST", 4)
    large, small = Levels(), Levels()
    ask(*[(large, plain(0))] * 4)  # 24 pixels each
    ask(*[(small, plain(0, 1, 1))] * 8)
    assert large.passes == [2, 2]
    assert small.passes == [4, 4]


def test_on_a_cpu_pictures_take_turns():
    levels = Levels()
    ask(*[(levels, plain(0))] * 4)
    assert levels.passes == [1, 1, 1, 1]


def test_models_that_earlier_versions_exported_see_pictures_one_by_one(gpu, monkeypatch):
    monkeypatch.delattr(Levels, "natives")
    levels = Levels()
    ask(*[(levels, plain(0))] * 4)
    assert levels.passes == [1, 1, 1, 1]


def test_what_fails_a_pass_fails_each_of_its_pictures_and_no_other(gpu):
    broken, sound = Levels(), Levels()
    broken.natives = lambda images: tf.debugging.assert_equal(0, 1)
    answers = ask((broken, plain(7)), (sound, plain(7)), (broken, plain(7)), (sound, plain(7)))
    errors = [type(answer.exception()) for answer in answers]
    assert errors == [tf.errors.InvalidArgumentError, type(None)] * 2
    assert together._waiting == []


@pytest.mark.parametrize("mode", ["squash", "crop"])
def test_a_detector_asked_by_many_answers_as_it_does_alone(module, mode, monkeypatch, tmp_path):
    detector = Detector(DetectorModule(module.segmenter, size=48, resize_mode=mode), name="small", metadata={})
    alone = [detector.maps(picture, scales=SCALES) for picture in PICTURES]
    monkeypatch.setattr(together, "gpus", lambda: ["GPU:0"])
    askable = [detector]
    if mode == "crop":
        saved_model.save(detector.module, tmp_path / "model", {})
        askable.append(Detector.load(tmp_path / "model"))
    for asked in askable:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(functools.partial(asked.maps, scales=SCALES), PICTURES * 2))
        for expected, found in zip(alone * 2, answers):
            for name, values in expected.items():
                np.testing.assert_allclose(found[name], values, atol=1e-5)
