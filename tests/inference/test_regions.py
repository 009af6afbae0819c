import cv2
import numpy as np
import pytest

from gsr_tf.inference.regions import statistics, without_small


def patches(seed):
    """Irregular regions of all sizes, [90, 70] bool."""
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).random([90, 70]), (0, 0), 1.5)
    return smooth > np.quantile(smooth, 0.6)


def in_one_piece(mask):
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return labels, stats


@pytest.mark.parametrize("rows", [1, 7, 64, 1000])
def test_small_regions_go_whatever_the_bands(rows):
    for seed in range(3):
        mask = patches(seed)
        labels, stats = in_one_piece(mask)
        expected = mask & (stats[labels, cv2.CC_STAT_AREA] >= 40)
        assert 0 < expected.sum() < mask.sum()
        np.testing.assert_array_equal(without_small(mask.astype(np.uint8), 40, band_pixels=70 * rows), expected)


def test_a_long_thin_region_is_large_in_every_band():
    mask = np.zeros([90, 70], np.uint8)
    mask[np.arange(64), np.arange(64)] = 1
    mask[70 + np.arange(20), np.arange(20)] = 1
    kept = without_small(mask, 64, band_pixels=70)
    assert kept[:64].sum() == 64 and not kept[64:].any()


@pytest.mark.parametrize("rows", [1, 2, 13, 1000])
def test_statistics_do_not_depend_on_the_bands(rows):
    ring = np.zeros([90, 70], bool)
    ring[5:80, 5:60], ring[10:75, 10:50], ring[30:40, 20:30] = True, False, True  # a U closed in the last band, a core
    for mask in (patches(0), patches(1), ring, np.zeros([9, 7], bool), np.ones([1, 1], bool)):
        _, stats = in_one_piece(mask)
        found = statistics(mask, band_pixels=mask.shape[1] * rows)
        assert sorted(found.tolist()) == sorted(stats[1:].tolist())
