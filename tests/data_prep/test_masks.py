"""What of a mask file becomes K in data_prep, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from data_prep.reading.entries import Refused
from data_prep.reading.masks import MaskFile


@pytest.mark.parametrize(("level", "reason"), [(127, "mask is all zero"), (128, "mask is all one")])
def test_a_mask_of_one_level_is_refused_by_the_side_it_is_on(tmp_path, level, reason):
    Image.fromarray(np.full((4, 6), level, np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(Refused) as caught:
        MaskFile(str(tmp_path / "mask.png")).read()
    assert (caught.value.reason, caught.value.detail) == (reason, f"values {level}..{level} against threshold 127")


def test_what_was_not_plain_to_see_is_handed_on(tmp_path):
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1, 2] = 1
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    objects = MaskFile(str(tmp_path / "mask.png")).read()
    np.testing.assert_array_equal(objects.masks, [pixels])
    assert objects.notes == ["mask: levels of 0 and 1: whatever is not 0 counts"]
