import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from gsr_tf.evaluation import attacks, figures
from gsr_tf.evaluation.attacks import AttackError
from gsr_tf.inference.score_maps import ScoreError
from tests.comparators.photographs import photograph

PICTURE = photograph("chelsea")


@pytest.mark.parametrize("name", attacks.SETS["grid"])
def test_every_attack_changes_the_picture_the_same_way_each_time(name):
    attack = attacks.parse(name)
    attacked = attack(PICTURE)
    assert attacked.dtype == np.uint8 and attacked.ndim == 3
    assert attacked.shape != PICTURE.shape or (attacked != PICTURE).any()
    np.testing.assert_array_equal(attacked, attack(PICTURE.copy()))


def error(name):
    return np.abs(attacks.parse(name)(PICTURE).astype(float) - PICTURE).mean()


@pytest.mark.parametrize("kind", ["jpeg", "webp", "blur", "noise", "median"])
def test_a_stronger_attack_does_more_damage(kind):
    errors = [error(f"{kind}-{strength}") for strength in attacks.KINDS[kind].grid]
    assert errors == sorted(errors) and errors[0] < errors[-1]


def test_noise_has_its_variance():
    grey = np.full((300, 300, 3), 128, np.uint8)
    assert attacks.noise(grey, 25.0).astype(float).var() == pytest.approx(25 + 1 / 12, rel=0.02)


@pytest.mark.parametrize("level", [0, 255])
def test_noise_stays_between_black_and_white(level):
    noisy = attacks.noise(np.full((50, 50, 3), level, np.uint8), 100.0).astype(int)
    assert 20 < np.abs(noisy - level).max() < 70 and 0.4 < (noisy == level).mean() < 0.6


def test_gamma_is_the_power_law():
    np.testing.assert_array_equal(attacks.gamma(np.array([[0, 64, 255]], np.uint8), 2.0), [[0, 16, 255]])


@pytest.mark.parametrize(("factor", "size"), [(0.7, (210, 280)), (0.5, (150, 200)), (2.0, (600, 800))])
def test_scaling_and_back_keeps_a_map_in_place(factor, size):
    attacked = attacks.scale(PICTURE, factor)
    assert attacked.shape == (*size, 3)
    ramp = np.tile(np.linspace(0, 1, size[1]), (size[0], 1))
    back = attacks.back_to_size(ramp, PICTURE.shape[:2])
    np.testing.assert_allclose(back[0, 2:-2], ((np.arange(400) + 0.5) * factor - 0.5)[2:-2] / (size[1] - 1), atol=1e-6)


def test_shrinking_averages_areas_and_enlarging_interpolates():
    means = PICTURE.reshape(75, 4, 100, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(attacks.scale(PICTURE, 0.25), means, atol=0.51)
    between = PICTURE[10, 4:6].astype(float)
    step = attacks.scale(np.repeat(PICTURE[10:11], 2, 0), 2.0)[1, 9:11]
    np.testing.assert_allclose(step, np.array([[0.75, 0.25], [0.25, 0.75]]) @ between, atol=0.51)


def test_masks_follow_the_attacked_picture():
    mask = np.zeros(PICTURE.shape[:2], bool)
    mask[100:200, 100:300] = True
    shrunk = attacks.mask_for(attacks.scale(PICTURE, 0.5), mask)
    assert shrunk.shape == (150, 200) and shrunk.sum() == 50 * 100
    mask[[100, 101, 102, -103, -102, -101]] = False
    rows = np.flatnonzero(attacks.mask_for(attacks.scale(PICTURE, 0.1), mask).any(axis=1))
    assert (rows[0], rows[-1]) == (10, 19)  # in the middle of 30, as they were of 300


@pytest.mark.parametrize(("name", "side"), [("webp-90", 16400), ("jpeg-90", 65600)])
def test_a_picture_larger_than_a_format_can_hold_is_named_and_left_out(name, side):
    with pytest.raises(ScoreError, match=f"{side}x2 pixels; {name[:4].upper()} cannot hold them"):
        attacks.parse(name)(np.zeros((2, side, 3), np.uint8))


@pytest.mark.parametrize("name", ["jpeg-70", "webp-90"])
def test_a_large_picture_is_no_decompression_bomb(monkeypatch, name):
    picture = photograph("astronaut")
    expected = attacks.parse(name)(picture)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    np.testing.assert_array_equal(attacks.parse(name)(picture), expected)


def test_social_networks_shrink_what_is_large():
    large = np.zeros((300, 2400, 3), np.uint8)
    assert attacks.social(large, 1).shape == (150, 1200, 3)
    assert attacks.social(PICTURE, 1).shape == PICTURE.shape


@pytest.mark.parametrize("times", [1, 2])
def test_social_networks_sharpen_by_a_fifth_and_save_at_75(times):
    expected = PICTURE
    for _ in range(times):
        blurred = ndimage.convolve1d(expected.astype(float), [0.25, 0.5, 0.25], axis=0, mode="mirror")
        blurred = ndimage.convolve1d(blurred, [0.25, 0.5, 0.25], axis=1, mode="mirror")
        sharpened = np.clip(np.rint(expected + 0.2 * (expected - blurred)), 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(sharpened).save(buffer, "JPEG", quality=75)
        expected = np.asarray(Image.open(buffer))
    # OpenCV rounds the blurred picture too. A quarter in the fifth's place would be .87 from it, a quality of 74 .51.
    assert np.abs(attacks.social(PICTURE, times).astype(int) - expected).mean() < 0.3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("jpg-70", "no attack 'jpg-70'.*kind of jpeg, scale"),
        ("jpeg", "'jpeg' has no strength; for example jpeg-100"),
        ("jpeg-0", "out of range; the strength of jpeg is whole numbers 1 to 100"),
        ("jpeg-70.9", "whole numbers 1 to 100"),
        ("webp-70.9", "whole numbers 1 to 100"),
        ("social-1.5", "whole numbers 1 to 10"),
        ("noise-nan", "the strength of noise is 0 to 65025"),
        ("jpeg-inf", "whole numbers 1 to 100"),
        ("blur-4", "odd numbers 1 to 255"),
        ("median-4", "odd numbers 1 to 255"),
    ],
)
def test_bad_names_say_what_is_possible(name, message):
    with pytest.raises(AttackError, match=f"--attacks: .*{message}"):
        attacks.parse(name)


def test_a_kind_may_have_a_hyphen(monkeypatch):
    """As 1e-05 has one, whatever kinds begin alike."""
    for name in ("crop", "crop-jpeg"):
        monkeypatch.setitem(attacks.KINDS, name, attacks.Kind(lambda picture, strength: strength, 0, 2, (0.5, 1)))
    assert [attacks.parse(name)(None) for name in ("crop-jpeg-0.5", "crop-1", "crop-1e-05")] == [0.5, 1, 1e-05]
    assert attacks.weakest_first(["crop-jpeg-1", "crop-jpeg-1e-05"]) == ["crop-jpeg-1e-05", "crop-jpeg-1"]
    panels = figures.robustness({"a": {"none": 1.0, "crop-1": 0.5, "crop-jpeg-1": 0.5}})
    pictured = figures.robustness({"a": {"none": 1.0, "jpeg-50": 0.5, "scale-0.5": 0.5}})
    assert Image.open(io.BytesIO(panels)).size == Image.open(io.BytesIO(pictured)).size
    with pytest.raises(AttackError, match="'crop--1' is out of range; the strength of crop is 0 to 2"):
        attacks.parse("crop--1")


def test_a_strength_written_in_two_ways_is_one_attack():
    names = ["jpeg-70", "jpeg-70.0", "jpeg-7_0", "jpeg-7e1", "scale-.5", "scale-0.5", "noise-0", "noise--0"]
    attacked = [attack.name for attack in attacks.parse_all([*names, "scale-0.123456789", "noise-65025"])]
    assert attacked == ["jpeg-70", "scale-0.5", "noise-0", "scale-0.123456789", "noise-65025"]
    assert [attacks.parse(name).name for name in attacks.SETS["grid"]] == list(attacks.SETS["grid"])


def test_sets_are_spelt_out_once_each():
    names = [attack.name for attack in attacks.parse_all(["figure-5", "jpeg-70", "gamma-2"])]
    assert names == ["jpeg-70", "jpeg-50", "scale-0.7", "scale-0.5", "gamma-2"]
