"""What becomes of one entry: its pixels, what is counted of it, and why it is refused."""

from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from data_prep.reading.entries import Entry, Objects, Refused
from data_prep.writing import examples
from data_prep.writing.examples import make_example, open_entry
from tests.picture_files import turned


class Given(NamedTuple):
    """Masks that are there already."""

    objects: Objects
    files: tuple = ()

    def read(self):
        return self.objects


def entry(path, shape, masks=1, refused=(), notes=(), **more):
    """A PNG that was stored 4 wide and 6 high, or square where its path says so, and masks for this shape."""
    height = 4 if "square" in path.name else 6
    pixels = np.random.default_rng(0).integers(0, 256, [height, 4, 3], np.uint8)
    Image.fromarray(pixels).save(path, exif=turned(6))  # as shown, turned to the right
    mask = np.zeros(shape, np.uint8)
    mask[0, 0] = 1
    return pixels, Entry("a", str(path), Given(Objects(shape, [mask] * masks, list(refused), notes)), **more)


@pytest.mark.parametrize(
    ("name", "shape", "turns"),
    [("a.png", (4, 6), -1), ("a.png", (6, 4), 0), ("square.png", (4, 4), -1)],
    ids=["as shown", "as stored", "either"],
)
def test_masks_say_whether_a_picture_is_turned_and_where_they_cannot_it_is_shown(tmp_path, name, shape, turns):
    pixels, one = entry(tmp_path / name, shape)
    np.testing.assert_array_equal(open_entry(one)[0], np.rot90(pixels, turns))
    columns = make_example(one).columns
    assert (columns["height"], columns["width"]) == shape


def test_masks_of_another_size_are_refused_beside_the_size_that_is_shown(tmp_path):
    for known, said in (("", "6x4, mask 5x7"), ("published so", "6x4, mask 5x7 (width x height); published so")):
        _, one = entry(tmp_path / "a.png", (7, 5), known=known)
        with pytest.raises(Refused) as refused:
            make_example(one)
        assert refused.value.reason == "sizes differ" and said in refused.value.detail
        assert refused.value.detail.endswith(known or "(width x height)")


def test_what_is_annotated_is_never_authentic(tmp_path):
    """Where none of its objects can be used it is refused, also by a set that keeps pictures without objects."""
    for keep in (True, False):
        _, one = entry(tmp_path / "a.png", (6, 4), masks=0, refused=["full", "empty", "full"], keep_unmasked=keep)
        with pytest.raises(Refused) as refused:
            make_example(one)
        assert (refused.value.reason, refused.value.detail) == ("no usable mask", "empty, full")


def test_a_picture_without_objects_is_authentic_where_a_set_keeps_it(tmp_path):
    assert make_example(entry(tmp_path / "a.png", (6, 4), masks=0, keep_unmasked=True)[1]).columns["masks"] == 0
    with pytest.raises(Refused, match="no usable mask"):
        make_example(entry(tmp_path / "a.png", (6, 4), masks=0)[1])


@pytest.mark.parametrize("original", ["", "a.png", "cut.png"])
def test_what_is_left_out_or_not_plain_is_counted(tmp_path, original):
    path = tmp_path / "a.png"
    more = {"refused": ["empty", "empty"], "notes": ["grey levels"], "original": original and str(tmp_path / original)}
    _, one = entry(path, (6, 4), masks=2, **more)
    (tmp_path / "cut.png").write_bytes(path.read_bytes()[:60])
    _, columns, remarks = make_example(one)
    assert columns == {"name": "a", "height": 6, "width": 4, "masks": 2, "original": int(original == "a.png")}
    unread = {"original cannot be read": 1} if original == "cut.png" else {}
    assert remarks == {"empty": 2, "grey levels": 1} | unread


@pytest.mark.parametrize("plain", [True, False])
def test_rows_that_seem_lost_are_counted(tmp_path, monkeypatch, plain):
    _, one = entry(tmp_path / "a.png", (4, 6))
    probe = examples.probe_picture
    monkeypatch.setattr(examples, "probe_picture", lambda *what: probe(*what)._replace(plain=plain, lost=True))
    assert make_example(one).remarks == {f"picture: {examples.LOST}": 1}
