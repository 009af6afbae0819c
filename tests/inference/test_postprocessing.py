import cv2
import numpy as np
import pytest
from scipy import ndimage

from gsr_tf.evaluation.metrics import PROBABILITY_GRID
from gsr_tf.inference.postprocessing import paper, paper_mask


@pytest.mark.parametrize("seed", [0, 1])
def test_cleaning_the_map_is_cleaning_the_mask_at_every_threshold(seed):
    rng = np.random.default_rng(seed)
    scores = cv2.GaussianBlur(rng.random((60, 70)).astype(np.float32), (0, 0), 2)
    scores = (scores - scores.min()) / np.ptp(scores)
    cleaned = paper(scores)
    for threshold in PROBABILITY_GRID[::20]:
        mask = cv2.dilate(np.uint8(scores > threshold), np.ones((5, 5), np.uint8))
        labels, _ = ndimage.label(mask, np.ones((3, 3)))
        large = np.bincount(labels.ravel()) >= 64
        large[0] = False
        np.testing.assert_array_equal(cleaned > threshold, large[labels])


def test_a_mask_in_any_order_in_memory_is_cleaned():
    mask = np.random.default_rng(0).random((40, 30)) > 0.98
    expected = paper_mask(mask.copy())
    for other in (np.asfortranarray(mask), mask.T.copy().T, mask[::-1].copy()[::-1], mask.repeat(2, 1)[:, ::2]):
        np.testing.assert_array_equal(paper_mask(other), expected)
    assert expected.any() and not expected.all()


def test_small_particles_go_and_objects_grow_by_two_pixels():
    scores = np.zeros((40, 40))
    scores[5:8, 5:8] = 0.9  # 3x3, dilated to 49 pixels: below 64
    scores[20:30, 20:30] = 0.9
    cleaned = paper(scores)
    assert cleaned[:15, :15].max() == 0
    np.testing.assert_array_equal(np.argwhere(cleaned > 0.5)[[0, -1]], [[18, 18], [31, 31]])
    np.testing.assert_allclose(cleaned.max(), 0.9, atol=1 / 256)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_a_score_on_a_level_is_not_above_it(kind):
    scores = np.zeros((30, 260), kind)
    scores[:] = np.clip(np.arange(260) / 256, 0, 1)  # every level, and 1
    np.testing.assert_array_equal(paper(scores)[:, :-2], np.clip(np.arange(2, 260) / 256, 0, 1) + np.zeros((30, 1)))
    assert (paper(scores + kind(0.5)) <= 1).all() and paper(scores - kind(2)).max() == 0


def test_of_a_picture_one_pixel_high_nothing_small_is_left():
    assert paper(np.full((1, 63), 0.5)).max() == 0
    np.testing.assert_array_equal(paper(np.full((1, 64), 0.5)), np.full((1, 64), 0.5))


@pytest.mark.parametrize("level", [0, 64, 128, 200, 255])
def test_a_mask_is_cleaned_as_the_map_is(level):
    smooth = cv2.GaussianBlur(np.random.default_rng(level).random([90, 70]), (0, 0), 3)
    scores = (smooth - smooth.min()) / np.ptp(smooth)
    threshold = level / 256
    cleaned = paper_mask(scores > threshold)
    np.testing.assert_array_equal(cleaned, paper(scores) > threshold)
    assert level == 255 or (cleaned != (scores > threshold)).any()
