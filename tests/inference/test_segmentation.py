import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf.data.pictures import PictureError
from gsr_tf.errors import UserError
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.resolution import ResolutionError
from gsr_tf.inference.score_maps import ScoreError
from gsr_tf.inference.segmentation import Box, segmentation


def two_regions():
    probability = np.full([100, 120], 0.1, np.float32)
    probability[10:30, 20:60] = 0.9
    probability[60:72, 80:92] = 0.7
    probability[90, 5] = 1.0  # one pixel: noise
    return probability


def test_boxes_are_the_regions_dilated_by_two_largest_first():
    found = segmentation(two_regions(), threshold=0.5)
    assert found.boxes == [Box(18, 8, 44, 24), Box(78, 58, 16, 16)]
    assert found.flagged == pytest.approx((44 * 24 + 16 * 16) / 12000)


def test_what_is_not_above_the_threshold_is_not_flagged():
    found = segmentation(two_regions(), threshold=0.8)
    assert found.boxes == [Box(18, 8, 44, 24)]
    assert not segmentation(np.full([20, 20], 0.5, np.float32), threshold=0.5).mask.any()


def test_the_score_is_the_mean_of_the_highest_hundredth():
    random = np.random.default_rng(0).random([50, 40]).astype(np.float32)
    highest = np.sort(random, axis=None)[-20:]
    assert segmentation(random).score == pytest.approx(highest.mean(dtype=np.float64), abs=1e-7)
    assert segmentation(np.float32([[0.25]])).score == 0.25


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_probabilities_that_are_not_finite_are_no_answer(value):
    detector = Detector(lambda picture: {"probability": tf.fill([16, 16, 1], value)}, name="broken", metadata={})
    with pytest.raises(ScoreError, match="score map has 256 of 256 values NaN or infinite"):
        detector.segment(np.zeros((16, 16, 3), np.uint8))


def grey_detector(asked=None):
    def probability(picture):
        if asked is not None:
            asked.append(picture)
        return {"probability": tf.fill([*picture.shape[:2], 1], 0.5)}

    return Detector(probability, name="grey", metadata={})


@pytest.mark.parametrize("threshold", [np.nan, -5, 2, np.inf])
def test_a_threshold_is_from_0_to_1(threshold):
    asked = []
    with pytest.raises(UserError, match=f"threshold={threshold}: expected a number from 0 to 1"):
        grey_detector(asked).segment(np.zeros((16, 16, 3), np.uint8), threshold=threshold)
    assert not asked


@pytest.mark.parametrize("threshold", [0, 1, np.float32(0.25)])
def test_both_ends_are_thresholds(threshold):
    found = grey_detector().segment(np.zeros((16, 16, 3), np.uint8), threshold=threshold)
    assert found.mask.all() == (threshold < 0.5)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (b"\xff\xd8", "bytes"),
        (0, "int"),
        (None, "NoneType"),
        ([[[0, 0, 0]]], "list"),
        (tf.zeros([16, 16, 3], tf.uint8), "EagerTensor"),
        (Image.new("RGB", (16, 16)), "Image"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_neither_a_path_nor_an_array_is_named(image, kind):
    with pytest.raises(PictureError, match=rf"expected a path or a \[h, w, 3\] uint8 array, got {kind}$"):
        grey_detector().segment(image)


def test_scales_may_be_an_array():
    found = grey_detector().segment(np.zeros((16, 16, 3), np.uint8), scales=np.array([1.0]))
    assert (found.map == 0.5).all()
    with pytest.raises(ResolutionError, match="whole picture at scale 1"):
        grey_detector().segment(np.zeros((16, 16, 3), np.uint8), scales=np.array([1.0, 0.5]))
