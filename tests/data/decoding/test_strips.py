import pytest

from gsr_tf.data.decoding.strips import STRIP, strips


@pytest.mark.parametrize(
    ("height", "width", "pixels"), [(10, 7, 21), (10, 7, 3), (1, 1, 100), (5, 100, 1), (3, STRIP, 0)]
)
def test_strips_cover_every_row_once_and_no_more_pixels_than_asked(height, width, pixels):
    found = list(strips(height, width, pixels))
    assert [row for strip in found for row in range(height)[strip]] == list(range(height))
    assert all((strip.stop - strip.start) * width <= max(width, pixels or STRIP) for strip in found)
