"""The step across a region's border."""

import numpy as np
import pytest

from gsr_tf.evaluation.blending import seam

MASK = np.zeros((6, 7), bool)
MASK[2:4, 1:5] = True


def test_it_is_the_step_of_a_flat_region_on_a_flat_ground():
    picture = np.where(MASK[..., None], [40, 100, 250], [10, 130, 250]).astype(np.uint8)
    assert seam(picture, MASK) == pytest.approx((30 + 30 + 0) / 3)
    assert seam(picture, ~MASK) == seam(picture, MASK)


def test_only_neighbours_on_both_sides_count():
    picture = np.random.default_rng(0).integers(0, 256, (*MASK.shape, 3)).astype(np.uint8)
    pairs = []
    for y, x in np.ndindex(MASK.shape):
        for other in ((y + 1, x), (y, x + 1)):
            if other[0] < 6 and other[1] < 7 and MASK[y, x] != MASK[other]:
                pairs.append(np.abs(picture[y, x].astype(float) - picture[other]).mean())
    assert len(pairs) == 12
    assert seam(picture, MASK) == pytest.approx(np.mean(pairs), rel=1e-6)


def test_what_has_no_border_has_no_seam():
    assert np.isnan(seam(np.zeros((6, 7, 3), np.uint8), np.ones((6, 7), bool)))
