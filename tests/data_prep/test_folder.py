import os

import numpy as np
import pytest
from PIL import Image

from data_prep import compose, folder
from data_prep.layouts import list_samples
from gsr_tf.data.pictures import decode_picture
from gsr_tf.data.records import open_records
from gsr_tf.evaluation import items
from tests.data_prep.pictures import index_of, mask, masks_by_name, photo, read_all, real_data, skipped_of
from tests.picture_files import turned


def prepare(tmp_path, *flags):
    return folder.main(["folder", f"--output={tmp_path / 'out'}", "--processes=1", *map(str, flags)])


def prepare_pairs(tmp_path, *flags):
    return prepare(tmp_path, f"--images={tmp_path / 'images'}", f"--masks={tmp_path / 'masks'}", *flags)


def test_pictures_masks_and_originals_become_records(tmp_path):
    image = photo(tmp_path / "images/sub/a b é.jpg", seed=1)
    mask(tmp_path / "masks/sub/a b é_gt.png")
    original = photo(tmp_path / "originals/a b é.png", seed=2)
    assert prepare_pairs(tmp_path, f"--originals={tmp_path / 'originals'}") == 0
    (record,) = read_all(tmp_path / "out")
    assert record["name"] == "sub/a b é.jpg"
    assert record["bytes"] == image.read_bytes()  # as published
    expected = np.zeros((24, 32, 1), np.uint8)
    expected[:12, :16] = 255
    np.testing.assert_array_equal(record["masks"], [expected])
    np.testing.assert_array_equal(record["original"], np.asarray(Image.open(original)))
    columns = index_of(tmp_path / "out")["columns"]
    assert (columns["height"], columns["width"], columns["masks"], columns["original"]) == ([24], [32], [1], [1])


def test_without_masks_the_pictures_are_authentic(tmp_path):
    photo(tmp_path / "images/a.jpg")
    photo(tmp_path / "images/b.bmp")
    assert prepare(tmp_path, f"--images={tmp_path / 'images'}") == 0
    assert index_of(tmp_path / "out")["columns"]["masks"] == [0, 0]
    decoded = read_all(tmp_path / "out")
    # BMP is nothing that TensorFlow reads as viewers do: it is stored as PNG, without loss.
    np.testing.assert_array_equal(decoded[1]["image"], np.asarray(Image.open(tmp_path / "images/b.bmp")))
    assert decoded[1]["bytes"].startswith(b"\x89PNG")


def test_pictures_and_masks_in_one_folder(tmp_path):
    photo(tmp_path / "images/a.png")
    mask(tmp_path / "images/a_mask.png")
    assert prepare(tmp_path, f"--images={tmp_path / 'images'}", f"--masks={tmp_path / 'images'}") == 0
    assert list(masks_by_name(tmp_path / "out")) == ["a.png"]


def test_one_folder_spelt_in_two_ways_is_one_folder(tmp_path):
    photo(tmp_path / "images/a.png")
    mask(tmp_path / "images/a_mask.png")
    photo(tmp_path / "images/without.png")
    (tmp_path / "link").symlink_to(tmp_path / "images")
    assert prepare(tmp_path, f"--images={tmp_path / 'link'}", f"--masks={tmp_path / 'images/../images'}") == 0
    (record,) = read_all(tmp_path / "out")
    assert (record["name"], record["masks"][0].mean()) == ("a.png", 255 / 4)
    assert skipped_of(tmp_path / "out") == {"without.png": "no mask"}


@pytest.mark.parametrize(("images", "masks"), [("set", "set/masks"), ("set/images", "set"), ("set", "linked")])
def test_of_a_folder_in_the_other_no_file_is_both_picture_and_mask(tmp_path, images, masks):
    (tmp_path / "set/masks").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "set/masks")
    for stem in "ac":
        photo(tmp_path / f"{images}/{stem}.jpg")
    for stem in "ab":
        mask(tmp_path / f"{masks}/{stem}.png")
    assert prepare(tmp_path, f"--images={tmp_path / images}", f"--masks={tmp_path / masks}") == 0
    (record,) = read_all(tmp_path / "out")
    assert (record["name"], record["masks"][0].mean()) == ("a.jpg", 255 / 4)
    assert skipped_of(tmp_path / "out") == {"b.png": "no picture", "c.jpg": "no mask"}


def bad_pictures(tmp_path):
    """Everything that users have in such folders; name -> the reason expected."""
    images, masks = tmp_path / "images", tmp_path / "masks"
    photo(images / "good.jpg")
    mask(masks / "good.png")
    for stem in ("empty", "text", "cut", "short", "black", "white", "dim", "wide", "cutmask", "twins"):
        photo(images / f"{stem}.jpg", size=(64, 48))
        mask(masks / f"{stem}.png", size=(64, 48))
    (images / "empty.jpg").write_bytes(b"")
    (images / "text.jpg").write_text("no picture")
    (images / "cut.jpg").write_bytes((images / "cut.jpg").read_bytes()[:400])
    data = (images / "short.jpg").read_bytes()
    (images / "short.jpg").write_bytes(data[: len(data) * 3 // 4])
    mask(masks / "black.png", size=(64, 48), value=0)
    mask(masks / "white.png", size=(64, 48), background=255)
    mask(masks / "dim.png", size=(64, 48), value=99, background=98)
    mask(masks / "wide.png", size=(65, 48))
    (masks / "cutmask.png").write_bytes((masks / "cutmask.png").read_bytes()[:60])
    photo(images / "twins.png", size=(64, 48))
    photo(images / "two.jpg")
    mask(masks / "two.png")
    mask(masks / "two_gt.png")
    photo(images / "lonely.jpg")
    mask(masks / "orphan.png")
    (images / "_list.txt").write_text("good.jpg good.png")
    (images / "broken.jpg").symlink_to(tmp_path / "nowhere.jpg")
    mask(masks / "broken.png")
    unreadable = dict.fromkeys(
        ("empty.jpg", "text.jpg", "cut.jpg", "short.jpg", "broken.jpg"), "picture cannot be read"
    )
    return {
        **unreadable,
        "black.jpg": "mask is all zero",
        "white.jpg": "mask is all one",
        "dim.jpg": "mask is all zero",
        "wide.jpg": "sizes differ",
        "cutmask.jpg": "mask cannot be read",
        "twins.jpg": "several pictures",
        "twins.png": "several pictures",
        "two.jpg": "several masks",
        "lonely.jpg": "no mask",
        "orphan.png": "no picture",
        "_list.txt": "not a picture",
    }


def test_bad_pictures_are_named_and_counted(tmp_path, capsys):
    expected = bad_pictures(tmp_path)
    assert prepare_pairs(tmp_path) == 0
    assert skipped_of(tmp_path / "out") == expected
    report = index_of(tmp_path / "out")["report"]
    assert report["found"] == len(expected) + 1 and report["kept"] == 1
    assert sum(report["skipped"].values()) == len(expected)
    assert f"found {len(expected) + 1} = kept 1 + skipped {len(expected)}" in capsys.readouterr().out


def test_an_original_that_cannot_be_read_is_counted(tmp_path):
    photo(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/a.png")
    (tmp_path / "originals").mkdir()
    (tmp_path / "originals/a.jpg").write_bytes(b"no picture")
    assert prepare_pairs(tmp_path, f"--originals={tmp_path / 'originals'}") == 0
    assert read_all(tmp_path / "out")[0]["original"] is None
    assert index_of(tmp_path / "out")["report"]["remarks"] == {"original cannot be read": 1}


def test_names_that_are_not_utf_8_are_named_and_skipped(tmp_path):
    photo(tmp_path / "images/a.jpg")
    (tmp_path / "images" / os.fsdecode(b"caf\xe9.jpg")).write_bytes((tmp_path / "images/a.jpg").read_bytes())
    assert prepare(tmp_path, f"--images={tmp_path / 'images'}") == 0
    assert skipped_of(tmp_path / "out") == {"caf\\xe9.jpg": "name is not UTF-8"}


def test_what_is_hidden_and_what_is_not_read_is_named_and_skipped(tmp_path):
    for name in ("a.jpg", "b.jpe", "c.jfif", ".thumbnails/t.jpg", "__MACOSX/._a.jpg", "._a.jpg"):
        photo(tmp_path / "images" / name, format="JPEG")
    (tmp_path / "images/d.avif").write_bytes(b"words")
    assert prepare(tmp_path, f"--images={tmp_path / 'images'}") == 0
    assert list(masks_by_name(tmp_path / "out")) == ["a.jpg", "b.jpe", "c.jfif"]
    hidden = dict.fromkeys((".thumbnails/t.jpg", "__MACOSX/._a.jpg", "._a.jpg"), "hidden")
    assert skipped_of(tmp_path / "out") == {**hidden, "d.avif": "not a picture"}


def test_a_subfolder_that_cannot_be_read_stops_the_run(tmp_path, capsys, monkeypatch):
    photo(tmp_path / "images/a.jpg")
    photo(tmp_path / "images/closed/b.jpg")
    scandir = os.scandir

    def forbidding(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidding)
    assert prepare(tmp_path, f"--images={tmp_path / 'images'}") == 1
    assert "closed: this folder cannot be read (Permission denied)" in capsys.readouterr().err


def test_symbolic_links_are_followed_once(tmp_path):
    photo(tmp_path / "disk/a.jpg")
    mask(tmp_path / "masks/a.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/linked").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/round").symlink_to(tmp_path / "disk")  # a circle
    photo(tmp_path / "images/z/c.jpg")
    mask(tmp_path / "masks/c.png")
    (tmp_path / "images/another").symlink_to(tmp_path / "images/z")  # is named after the folder itself, not the link
    (tmp_path / "images/b.jpg").symlink_to(tmp_path / "disk/a.jpg")
    mask(tmp_path / "masks/b.png")
    assert prepare_pairs(tmp_path) == 0
    assert list(masks_by_name(tmp_path / "out")) == ["b.jpg", "linked/a.jpg", "z/c.jpg"]


def test_case_differences_between_picture_and_mask(tmp_path):
    photo(tmp_path / "images/IMG_1.JPG", format="JPEG")
    mask(tmp_path / "masks/img_1_GT.PNG")
    assert prepare_pairs(tmp_path) == 0
    assert list(masks_by_name(tmp_path / "out")) == ["IMG_1.JPG"]


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    photo(tmp_path / "images/small.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "images/bomb.png")
    assert prepare(tmp_path, f"--images={tmp_path / 'images'}") == 0
    assert skipped_of(tmp_path / "out") == {"bomb.png": "picture cannot be read"}


def test_masks_of_zero_and_one_are_read_as_such_and_noted(tmp_path, capsys):
    photo(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/a.png", value=1)
    assert prepare_pairs(tmp_path) == 0
    assert read_all(tmp_path / "out")[0]["masks"][0].mean() == 255 / 4
    assert "noted 1: mask: levels of 0 and 1: whatever is not 0 counts" in capsys.readouterr().out


def test_inverted_masks(tmp_path):
    photo(tmp_path / "images/a.jpg")
    mask(tmp_path / "masks/a.png")
    assert prepare_pairs(tmp_path, "--inverted") == 0
    assert read_all(tmp_path / "out")[0]["masks"][0].mean() == 255 * 3 / 4


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("P", "png"), ("RGBA", "png"), ("CMYK", "jpg"), ("1", "tif")]
)
def test_unusual_pictures_decode_in_tensorflow_as_in_viewers(tmp_path, mode, suffix):
    path = photo(tmp_path / f"images/a.{suffix}")
    Image.open(path).convert(mode).save(path)
    mask(tmp_path / "masks/a.png")
    assert prepare_pairs(tmp_path) == 0
    expected = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(read_all(tmp_path / "out")[0]["image"], expected)


def test_16_bit_and_1x1_pictures(tmp_path):
    values = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) * 80
    (tmp_path / "images").mkdir()
    Image.fromarray(values).save(tmp_path / "images/deep.png")
    photo(tmp_path / "images/dot.png", size=(1, 1))
    assert prepare(tmp_path, f"--images={tmp_path / 'images'}") == 0
    (deep, dot) = read_all(tmp_path / "out")
    np.testing.assert_array_equal(deep["image"][..., 0], values >> 8)
    assert dot["image"].shape == (1, 1, 3)


@pytest.mark.parametrize("mask_size", [(24, 32), (32, 24)], ids=["mask as shown", "mask as stored"])
def test_a_mask_fits_the_picture_as_shown_or_as_stored(tmp_path, mask_size):
    path = photo(tmp_path / "images/a.jpg", exif=turned(6))  # a quarter: shown 24 wide and 32 high
    mask(tmp_path / "masks/a.png", size=mask_size)
    assert prepare_pairs(tmp_path) == 0
    (record,) = read_all(tmp_path / "out")
    assert record["image"].shape[:2] == mask_size[::-1] == record["masks"][0].shape[:2]
    assert (record["bytes"] == path.read_bytes()) == (mask_size == (32, 24))  # as published where nothing is turned


def test_every_reader_of_records_sees_what_the_mask_was_drawn_on(tmp_path):
    path = photo(tmp_path / "images/a.jpg", exif=turned(6), quality=95)
    mask(tmp_path / "masks/a.png")
    photo(tmp_path / "images/b.jpg", seed=3)
    mask(tmp_path / "masks/b.png")
    assert prepare_pairs(tmp_path) == 0
    stored = decode_picture(path.read_bytes(), orient=False).pixels
    expected = np.asarray(Image.open(tmp_path / "masks/a.png")) > 127

    records = open_records(tmp_path / "out")
    picture, truth = items.from_records(records)[0].read()
    np.testing.assert_array_equal(picture, stored)
    np.testing.assert_array_equal(truth, expected)
    ((sample, _), _) = list_samples(tmp_path / "out")["out"]
    np.testing.assert_array_equal(sample.load()[0], stored)
    np.testing.assert_array_equal(sample.load()[1], [expected])
    flags = [f"--sources={tmp_path / 'out'}", f"--output={tmp_path / 'composites'}", "--count=2", "--processes=1"]
    assert compose.main(["compose", *flags]) == 0
    (made,) = (tmp_path / "composites/Tp").glob("Tp_a_b_*.png")
    np.testing.assert_array_equal(np.asarray(Image.open(made))[expected], stored[expected])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--images=missing"], "--images=missing: no such folder"),
        (["--images={tmp}/a.zip"], "an archive; unpack it"),
        (["--images={tmp}/a.txt"], "a file where a folder was expected"),
        (["--images={tmp}/empty"], "nothing to keep"),
        (["--images={tmp}/empty", "--masks=missing"], "--masks=missing: no such folder"),
        (["--images={tmp}/empty", "--originals={tmp}/empty"], "--originals needs --masks"),
        (["--images={tmp}/empty", "--inverted"], "--inverted needs --masks"),
        (["--images={tmp}/empty", "--mask_threshold=127"], "--mask_threshold needs --masks"),
        (["--images={tmp}/empty", "--processes=0"], "processes"),
        (["--images={tmp}/empty", "--mask_treshold=3"], "mask_treshold"),
        ([], "images"),
    ],
)
def test_wrong_input_gets_a_message(tmp_path, capsys, flags, message):
    (tmp_path / "a.zip").touch()
    (tmp_path / "a.txt").touch()
    (tmp_path / "empty").mkdir()
    assert prepare(tmp_path, *(flag.format(tmp=tmp_path) for flag in flags)) in (1, 2)
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out/index.json").exists()


def test_help_teaches(capsys):
    assert folder.main(["folder", "--help"]) == 0
    text = capsys.readouterr().out
    assert "x.jpg with x.png" in text and "--originals" in text


def test_the_published_casia_part_pairs_completely(tmp_path):
    casia = real_data("casia1")
    masks = casia / "CASIA 1.0 groundtruth"
    assert prepare(tmp_path, f"--images={casia / 'Tp'}", f"--masks={masks}") == 0
    assert index_of(tmp_path / "out")["report"] == {"found": 240, "kept": 240, "skipped": {}, "remarks": {}}
