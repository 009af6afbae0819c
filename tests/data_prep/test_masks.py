"""What of a mask file counts as manipulated, to the level."""

import numpy as np
import pytest
from PIL import Image

from data_prep.reading.entries import Refused
from data_prep.reading.masks import MaskFile, MaskRule

LEVELS = np.arange(256, dtype=np.uint8)
GREYS = np.repeat(LEVELS[:, np.newaxis], 3, axis=1)[np.newaxis]  # [1, 256, 3]


@pytest.mark.parametrize("threshold", [0, 99, 127, 254])
@pytest.mark.parametrize("channel", [None, 0, 1, 2])
def test_manipulated_is_brighter_than_the_threshold(threshold, channel):
    above = threshold < LEVELS
    np.testing.assert_array_equal(MaskRule(threshold, channel=channel).apply(GREYS)[0], above)
    np.testing.assert_array_equal(MaskRule(threshold, inverted=True, channel=channel).apply(GREYS)[0], ~above)


def test_a_channel_is_looked_at_alone_and_without_one_their_mean():
    pixels = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200], [127, 127, 127], [127, 127, 128]]], np.uint8)
    for channel in range(3):
        np.testing.assert_array_equal(
            MaskRule(127, channel=channel).apply(pixels)[0], pixels[0, :, channel] > 127, err_msg=str(channel)
        )
    np.testing.assert_array_equal(MaskRule(127).apply(pixels)[0], [0, 0, 0, 0, 1])
    np.testing.assert_array_equal(MaskRule(66).apply(pixels)[0], [1, 1, 1, 1, 1])


@pytest.mark.parametrize(("level", "reason"), [(127, "mask is all zero"), (128, "mask is all one")])
def test_a_mask_of_one_level_is_refused_by_the_side_it_is_on(tmp_path, level, reason):
    Image.fromarray(np.full((4, 6), level, np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(Refused) as caught:
        MaskFile(str(tmp_path / "mask.png")).read()
    assert (caught.value.reason, caught.value.detail) == (reason, f"values {level}..{level} against threshold 127")
