"""Every form that mask files have gives the same K, or is refused in words."""

import io

import numpy as np
import pytest
from PIL import Image

from gsr_tf.data.masks import MaskRule, at_size, decode_mask
from gsr_tf.data.pictures import PictureError
from tests.picture_files import encoded, turned

K = np.zeros((12, 16), bool)
K[2:6, 3:9] = True
GREY = K * np.uint8(255)
LEVELS = np.arange(256, dtype=np.uint8)[np.newaxis]


def in_colours(background, region):
    return np.where(K[..., None], np.uint8(region), np.uint8(background))


def palette(colours, labels):
    image = Image.fromarray(labels)
    image.putpalette(bytes(np.ravel(colours).tolist()))
    return image


def white_is_zero(values):
    """A TIFF of 16 bits whose levels run from white to black."""
    data = encoded(values, "TIFF", tiffinfo={262: 0})
    with Image.open(io.BytesIO(data)) as image:
        assert image.tag_v2[262] == 0
    return data


VOC = [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
TWO_LABELS = np.where(K, np.where(np.arange(16) < 5, 1, 2), 0).astype(np.uint8)
# By name: a file's bytes, and what its notes say.
FORMS = {
    "grey": (encoded(GREY), ""),
    "one bit": (encoded(K), ""),
    "jpeg": (encoded(np.repeat(np.repeat(GREY, 8, 0), 8, 1), "JPEG"), ""),
    "0 and 1": (encoded(K.astype(np.uint8)), "levels of 0 and 1: whatever is not 0 counts"),
    "0 and 100": (encoded(K * np.uint8(100)), "levels of 0 and 100"),
    "red": (encoded(in_colours((0, 0, 0), (255, 0, 0))), ""),
    "blue": (encoded(in_colours((0, 0, 0), (0, 0, 255))), ""),
    "cyan": (encoded(in_colours((0, 0, 0), (0, 255, 255))), ""),
    "yellow on red": (
        encoded(in_colours((255, 0, 0), (255, 255, 0))),
        "colours #ff0000 and #ffff00: the lighter counts",
    ),  # fmt: skip
    "16 bits": (encoded(K * np.uint16(65535)), ""),
    "8 of 16 bits": (encoded(K * np.uint16(255)), ""),
    "1 of 16 bits": (encoded(K * np.uint16(1)), "levels of 0 and 1"),
    "1000 of 16 bits": (encoded(K * np.uint16(1000)), "levels of 0 and 1000"),
    "float": (encoded(K.astype(np.float32), "TIFF"), ""),
    "float to 255": (encoded(K * np.float32(255), "TIFF"), ""),
    "white is zero": (white_is_zero(~K * np.uint16(65535)), ""),
    "label map": (encoded(palette(VOC, K * np.uint8(1))), "a label map, by its palette: every label but 0 counts"),
    "label map of two": (encoded(palette(VOC, TWO_LABELS)), "a label map"),
    "black and white palette": (encoded(palette([[0] * 3, [255] * 3], K * np.uint8(1))), ""),
    "transparent palette": (encoded(palette([[0] * 3, [255] * 3], K * np.uint8(1)), "GIF", transparency=0), ""),
    "alpha around white": (
        encoded(np.dstack([np.full((12, 16, 3), 255, np.uint8), GREY])),
        "its transparency is the mask: the opaque part counts",
    ),
    "alpha around black": (encoded(np.dstack([np.zeros((12, 16, 3), np.uint8), GREY])), "its transparency"),
    "alpha that agrees": (encoded(np.dstack([GREY, GREY])), ""),
}


@pytest.mark.parametrize(("data", "note"), FORMS.values(), ids=FORMS)
def test_every_form_gives_the_same_mask(data, note):
    mask = decode_mask(data)
    step = len(mask.pixels) // len(K)
    np.testing.assert_array_equal(mask.pixels[step // 2 :: step, step // 2 :: step], K)
    assert len(mask.notes) == bool(note) and all(note in said for said in mask.notes)
    assert not mask.dim


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ("0 and 1", "levels of 0 and 1: whatever is 0 counts"),
        ("1000 of 16 bits", "levels of 0 and 1000: whatever is 0 counts"),
        ("yellow on red", "colours #ff0000 and #ffff00: the darker counts"),
        ("label map", "a label map, by its palette: label 0 counts"),
        ("alpha around white", "its transparency is the mask: the transparent part counts"),
    ],
)
def test_of_an_inverted_mask_the_notes_say_what_counts(form, note):
    mask = decode_mask(FORMS[form][0], rule=MaskRule(inverted=True))
    np.testing.assert_array_equal(mask.pixels, ~K)
    assert mask.notes == (note,)


@pytest.mark.parametrize("threshold", [0, 99, 127, 254])
@pytest.mark.parametrize("channel", [None, 0, 1, 2])
def test_manipulated_is_brighter_than_the_threshold(threshold, channel):
    data, bright = encoded(np.repeat(LEVELS[..., None], 3, -1)), threshold < LEVELS
    np.testing.assert_array_equal(decode_mask(data, rule=MaskRule(threshold, channel=channel)).pixels, bright)
    np.testing.assert_array_equal(decode_mask(data, rule=MaskRule(threshold, True, channel)).pixels, ~bright)


def test_the_note_names_both_colours_whichever_comes_first():
    halves = np.repeat(np.uint8([[[255, 255, 0]], [[255, 0, 0]]]), 8, 0).repeat(16, 1)
    for colours in (halves, halves[::-1]):
        mask = decode_mask(encoded(colours))
        np.testing.assert_array_equal(mask.pixels, colours[..., 1] > 0)
        assert mask.notes == ("colours #ff0000 and #ffff00: the lighter counts",)


def test_a_label_that_the_palette_does_not_reach_counts_as_others_do():
    labels = np.where(K, np.where(np.arange(16) < 5, 1, 3), 0).astype(np.uint8)  # 3 is one beyond VOC's three colours
    np.testing.assert_array_equal(decode_mask(encoded(palette(VOC, labels))).pixels, K)


def test_a_channel_is_looked_at_alone_and_without_one_the_brightest():
    pixels = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200], [127, 127, 127], [127, 127, 128]]], np.uint8)
    for channel in range(3):
        np.testing.assert_array_equal(
            decode_mask(encoded(pixels), rule=MaskRule(127, channel=channel)).pixels, pixels[..., channel] > 127
        )
    np.testing.assert_array_equal(decode_mask(encoded(pixels)).pixels, [[1, 1, 1, 0, 1]])


def photograph(alpha):
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return encoded(np.dstack([noise, alpha]))


@pytest.mark.parametrize("alpha", [GREY, 255 - GREY], ids=["cut out", "hole"])
def test_transparency_that_contradicts_the_colours_is_refused(alpha):
    with pytest.raises(PictureError, match="a.png: its transparency contradicts its colours"):
        decode_mask(photograph(alpha), "a.png")


def test_soft_edges_of_transparency_are_no_contradiction():
    colours = np.kron(GREY, np.ones((8, 8), np.uint8))
    soft = colours.copy()
    soft[16, 24:36] = 120  # bright in colour, not quite opaque
    np.testing.assert_array_equal(decode_mask(encoded(np.dstack([colours, soft]))).pixels, colours > 0)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_mask_is_turned_as_viewers_turn_it(orientation):
    expected = np.rot90(K, {3: 2, 6: -1}[orientation])
    np.testing.assert_array_equal(decode_mask(encoded(GREY, exif=turned(orientation))).pixels, expected)


def test_black_is_a_mask_of_nothing_and_dim_is_none():
    black, three = decode_mask(encoded(np.zeros_like(GREY))), K.astype(np.uint8)
    three[0, 0] = 2
    dim = decode_mask(encoded(three))
    assert not black.pixels.any() and not black.dim
    assert not dim.pixels.any() and dim.dim and dim.levels == (0, 2)


def test_noise_of_a_lossy_black_mask_counts_for_nothing():
    grey = np.zeros((16, 16), np.uint8)
    grey[3, 3] = 6
    mask = decode_mask(encoded(grey, "JPEG", quality=95))
    assert mask.levels[1] > 0 and not mask.pixels.any() and not mask.dim


@pytest.mark.parametrize(("form", "level"), [("JPEG", 120), ("JPEG", 40), ("WEBP", 120)])
def test_a_lossy_mask_of_a_region_that_is_not_bright_is_none(form, level):
    mask = decode_mask(encoded(np.kron(K * np.uint8(level), np.ones((8, 8), np.uint8)), form, quality=90))
    assert not mask.pixels.any() and mask.dim and abs(mask.levels[1] - level) < 7


def test_levels_of_which_nobody_can_say_the_white_are_refused():
    values = K.astype(np.int32) * 2**30
    values[0, 0] = 70000
    with pytest.raises(PictureError, match="a.tif: 32-bit levels from 0 to 1,073,741,824: which is white"):
        decode_mask(encoded(values, "TIFF"), "a.tif")


@pytest.mark.parametrize("dtype", [bool, np.uint8])
@pytest.mark.parametrize("sides", [(40_000, 97), (600, 307), (600, 60), (600, 15), (600, 1_530)])
def test_a_mask_at_another_size_stays_where_it_is(sides, dtype):
    """In shares of the picture, the middle of a region is where it was, but for half a pixel of the coarser one."""
    before, after = sides
    mask = np.zeros((3, before), dtype)
    starts, length = np.random.default_rng(0).integers(0, before // 2, 300), before // 3  # many: roundings cancel
    middles = []
    for start in starts:
        mask[:] = 0
        mask[:, start : start + length] = 1
        found = at_size(mask, (after, 2))
        assert found.shape == (2, after) and found.dtype == dtype
        middles.append((np.flatnonzero(found[1]).mean() + 0.5) / after)
    wanted = (starts + length / 2) / before
    assert np.abs(middles - wanted).max() <= 0.51 / min(sides)
    assert abs(np.mean(middles - wanted)) < 0.1 / min(sides)
