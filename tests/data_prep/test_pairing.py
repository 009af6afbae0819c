import unicodedata
from pathlib import PurePosixPath as P

import pytest

from data_prep.reading.pairing import MASK_ENDINGS, pair


def pairs(pictures, masks):
    found = pair(map(P, pictures), map(P, masks))
    return [(str(a), str(b)) for a, b in found.pairs], {skip.name: skip.reason for skip in found.skipped}


@pytest.mark.parametrize(
    "name", ["x.png", "x_gt.png", "x_mask.png", "x-mask.jpg", "x_edgemask.jpg", "X_GT.PNG", "b/x.png"]
)
def test_a_mask_is_found_by_its_stem(name):
    assert pairs(["x.jpg"], [name]) == ([("x.jpg", name)], {})


def test_the_same_stem_in_two_folders_goes_by_folder():
    assert pairs(["a/x.jpg", "b/x.jpg"], ["b/x.png", "a/x.png"])[0] == [("a/x.jpg", "a/x.png"), ("b/x.jpg", "b/x.png")]


def test_folders_are_compared_whatever_the_disk_makes_of_their_accents():
    composed, apart = (unicodedata.normalize(form, "été") for form in ("NFC", "NFD"))
    pictures, masks = [f"{composed}/1.jpg", "naive/1.jpg"], ["naive/1.png", f"{apart}/1.png"]
    assert pairs(pictures, masks) == ([("naive/1.jpg", "naive/1.png"), (f"{composed}/1.jpg", f"{apart}/1.png")], {})


def test_a_mask_may_be_named_after_its_pictures_whole_name():
    found = [("IMG (1).jpg", "IMG (1).jpg.png"), ("a.b.jpg", "a.b_gt.png"), ("b.tif", "b.tif_mask.png")]
    assert pairs(*zip(*found)) == (found, {})


def test_case_decides_where_it_can():
    assert pairs(["x.jpg", "X.jpg"], ["X.png", "x.png"])[0] == [("X.jpg", "X.png"), ("x.jpg", "x.png")]


def test_accents_are_compared_whatever_the_disk_makes_of_them():
    composed, decomposed = unicodedata.normalize("NFC", "é.jpg"), unicodedata.normalize("NFD", "é.png")
    assert pairs([composed], [decomposed]) == ([(composed, decomposed)], {})


def test_a_stray_file_shifts_nothing():
    found, skipped = pairs(["a.jpg", "b.jpg", "c.jpg"], ["b.png", "c.png", "z.png"])
    assert found == [("b.jpg", "b.png"), ("c.jpg", "c.png")]
    assert skipped == {"a.jpg": "no mask", "z.png": "no picture"}


def test_where_there_is_no_mask_it_is_said_how_masks_are_named():
    (skip, _) = pair([P("a.jpg")], [P("a_label.png")]).skipped
    assert skip.name == "a.jpg" and all(ending in skip.detail for ending in MASK_ENDINGS)
    (skip, _) = pair([P("a.jpg")], [P("a_label.png")], stem_of_mask=lambda file: file.stem).skipped
    assert skip == ("a.jpg", "no mask", "")  # by a rule of the set's own


def test_doubt_is_refused_on_both_sides():
    assert pairs(["x.jpg"], ["x.png", "x_gt.png"]) == ([], {"x.jpg": "several masks"})
    assert pairs(["x.jpg", "x.tif"], ["x.png"])[1] == {"x.jpg": "several pictures", "x.tif": "several pictures"}


def test_a_picture_named_like_a_mask_has_its_own():
    assert pairs(["me_mask.jpg", "me.jpg"], ["me_mask.png", "me_gt.png"])[0] == [
        ("me.jpg", "me_gt.png"),
        ("me_mask.jpg", "me_mask.png"),
    ]


def test_what_is_said_of_a_picture_is_as_short_among_many_as_among_few():
    pictures = [P(f"{number:03d}/x.jpg") for number in range(9)]
    masks = [P(f"masks/{number:03d}/x.png") for number in range(9)]
    rivals = [skip.detail for skip in pair(pictures, masks[:1]).skipped]
    assert rivals == ["000/x.jpg, 001/x.jpg, 002/x.jpg and 6 more all match the mask masks/000/x.png"] * 9
    of_many, of_three = (
        [skip.detail for skip in pair(pictures[:1], masks[:count]).skipped if skip.reason == "several masks"]
        for count in (9, 3)
    )
    assert of_many == ["masks/000/x.png, masks/001/x.png, masks/002/x.png and 6 more"]
    assert of_three == ["masks/000/x.png, masks/001/x.png, masks/002/x.png"]
