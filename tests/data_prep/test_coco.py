import codecs
import json
import math
import resource
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from pycocotools import mask as coco_mask

from data_prep import coco
from data_prep.reading import json_arrays, outlines
from data_prep.reading.outlines import AreaLimits, _unpacked
from tests.data_prep.pictures import index_of, masks_by_name, photo, read_all, real_data, skipped_of
from tests.started_with_m import handed_to_workers

SIZE = (40, 30)  # width, height


def rectangle(top, left, height, width):
    pixels = np.zeros(SIZE[::-1], np.uint8)
    pixels[top : top + height, left : left + width] = 1
    return pixels


def polygon(pixels):
    ys, xs = np.nonzero(pixels)
    left, right, top, bottom = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
    return [[float(v) for v in (left, top, right, top, right, bottom, left, bottom)]]


def compressed(pixels):
    run_lengths = coco_mask.encode(np.asfortranarray(pixels))
    return {"size": run_lengths["size"], "counts": run_lengths["counts"].decode()}


def uncompressed(pixels):
    flat = pixels.ravel(order="F")
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat])))
    return {"size": list(pixels.shape), "counts": np.diff([0, *changes, flat.size]).tolist()}


def coco_set(tmp_path, segmentations, **extra):
    """Three pictures; the first has the given objects, the second none, the third is missing on disk."""
    names = ["a.jpg", "b.jpg", "gone.jpg"]
    for name in names[:2]:
        photo(tmp_path / "images" / name, size=SIZE)
    images = [
        {"id": number + 10, "file_name": name, "width": SIZE[0], "height": SIZE[1], "license": 1}
        for number, name in enumerate(names)
    ]
    annotations = [
        {"id": number, "image_id": 10, "iscrowd": 0, "segmentation": segmentation, **extra}
        for number, segmentation in enumerate(segmentations)
    ]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps({"info": {}, "images": images, "annotations": annotations, "categories": []}))
    return path


def prepare(tmp_path, *flags):
    return coco.main(
        [
            "coco",
            f"--annotations={tmp_path / 'instances.json'}",
            f"--images={tmp_path / 'images'}",
            f"--output={tmp_path / 'out'}",
            "--processes=1",
            *flags,
        ]
    )


@pytest.mark.parametrize("form", [polygon, compressed, uncompressed])
def test_every_form_of_outline_gives_the_same_mask(tmp_path, form):
    pixels = rectangle(5, 8, 10, 12)
    coco_set(tmp_path, [form(pixels)])
    assert prepare(tmp_path) == 0
    (a, b) = read_all(tmp_path / "out")
    np.testing.assert_array_equal(a["masks"][0][..., 0], pixels * 255)
    assert b["masks"] == [] and b["name"] == "b.jpg"
    assert skipped_of(tmp_path / "out") == {"gone.jpg": "picture cannot be read"}


def test_workers_know_all_by_its_name_also_where_python_m_starts_the_command(tmp_path, monkeypatch):
    path = coco_set(tmp_path, [polygon(rectangle(5, 8, 10, 12))])
    given = [f"--annotations={path}", f"--images={tmp_path / 'images'}", f"--output={tmp_path / 'out'}"]
    handed = handed_to_workers(coco, [*given, "--runner=DirectRunner"], monkeypatch)
    assert b"data_prep.coco" in handed and b"__main__" not in handed


def test_objects_are_filtered_and_counted(tmp_path):
    usable = rectangle(0, 0, 10, 10)
    outlines = [
        polygon(usable),
        compressed(rectangle(0, 0, 1, 1)),
        compressed(rectangle(0, 0, 30, 30)),
        compressed(rectangle(0, 0, 0, 0)),
        [],
        {"size": [3, 3], "counts": "04c"},
        "nonsense",
    ]
    coco_set(tmp_path, outlines)
    assert prepare(tmp_path) == 0
    assert index_of(tmp_path / "out")["report"]["remarks"] == {
        "object is empty": 1,
        "object is too large": 1,
        "object is too small": 1,
        "object of another size than its picture": 1,
        "object's outline cannot be read": 2,
    }
    assert len(read_all(tmp_path / "out")[0]["masks"]) == 1


def test_crowds_are_no_objects(tmp_path):
    path = coco_set(tmp_path, [compressed(rectangle(0, 0, 10, 10))] * 2)
    annotations = json.loads(path.read_bytes())
    annotations["annotations"][1]["iscrowd"] = 1
    path.write_text(json.dumps(annotations))
    assert prepare(tmp_path) == 0
    assert index_of(tmp_path / "out")["report"]["remarks"] == {"object is a crowd": 1}
    assert index_of(tmp_path / "out")["counts"]["masks"] == 1


def test_where_all_are_crowds_the_flag_that_takes_them_is_named(tmp_path, capsys):
    pixels = rectangle(5, 8, 10, 12)
    coco_set(tmp_path, [uncompressed(pixels)], iscrowd=1)
    assert prepare(tmp_path) == 1
    assert "all 1 objects are marked iscrowd" in capsys.readouterr().err
    assert prepare(tmp_path, "--crowds") == 0
    np.testing.assert_array_equal(read_all(tmp_path / "out")[0]["masks"][0][..., 0], pixels * 255)


LEFT, RIGHT = rectangle(5, 2, 10, 12), rectangle(5, 22, 10, 12)


def write_set(tmp_path, images, objects):
    """An annotation file of (id, file_name) and (image_id, mask), and the pictures."""
    for name in {name for _, name in images if ".." not in name}:
        photo(tmp_path / "images" / name.replace("\\", "/"), size=SIZE)
    images = [{"id": n, "file_name": name, "width": SIZE[0], "height": SIZE[1]} for n, name in images]
    annotations = [{"image_id": number, "segmentation": polygon(mask)} for number, mask in objects]
    text = json.dumps({"images": images, "annotations": annotations}, ensure_ascii=False)
    (tmp_path / "instances.json").write_text(text, encoding="utf-8")


def test_an_id_of_two_files_is_refused_with_both(tmp_path):
    write_set(tmp_path, [(1, "a.jpg"), (1, "a.png"), (2, "b.jpg")], [(1, LEFT), (1, RIGHT), (2, LEFT)])
    assert prepare(tmp_path) == 0
    assert list(masks_by_name(tmp_path / "out")) == ["b.jpg"]
    assert skipped_of(tmp_path / "out") == dict.fromkeys(("a.jpg", "a.png"), "image id used twice")


def test_an_id_of_many_files_is_refused_with_the_first_of_them(tmp_path):
    write_set(tmp_path, [(0, f"{letter}.jpg") for letter in "abcde"] + [(1, "z.jpg")], [])
    assert prepare(tmp_path) == 0
    skipped = json.loads((tmp_path / "out/skipped.json").read_bytes())
    assert [skip["detail"] for skip in skipped] == ["id 0: a.jpg, b.jpg, c.jpg and 2 more"] * 5


def test_a_file_under_several_ids_has_the_objects_of_all(tmp_path):
    write_set(tmp_path, [(1, "a.jpg"), (2, "a.jpg"), (3, "b.jpg"), (3, "b.jpg")], [(2, LEFT), (3, RIGHT)])
    assert prepare(tmp_path) == 0
    found = masks_by_name(tmp_path / "out")
    np.testing.assert_array_equal(found["a.jpg"], [LEFT])
    np.testing.assert_array_equal(found["b.jpg"], [RIGHT])


@pytest.mark.parametrize(("listed", "annotated"), [(1, "1"), ("1", 1), (1, 1.0)])
def test_an_id_is_the_same_as_number_and_as_text(tmp_path, listed, annotated):
    write_set(tmp_path, [(listed, "a.jpg")], [(annotated, LEFT)])
    assert prepare(tmp_path) == 0
    np.testing.assert_array_equal(masks_by_name(tmp_path / "out")["a.jpg"], [LEFT])


def test_names_and_ids_that_are_not_utf_8_are_skipped_and_the_others_are_kept(tmp_path):
    write_set(tmp_path, [(0, "a.jpg"), (1, "b.jpg"), (2, "c.jpg")], [(0, LEFT), (1, LEFT), ("d", LEFT)])
    photo(tmp_path / "images/caf\udce9.jpg", size=SIZE)
    text = (tmp_path / "instances.json").read_text()
    for old, escaped in (("b.jpg", r"caf\udce9.jpg"), ("c.jpg", r"\ud801.jpg"), ('"d"', r'"\ud801"')):
        text = text.replace(old, escaped)
    (tmp_path / "instances.json").write_text(text)
    assert prepare(tmp_path) == 0
    assert list(masks_by_name(tmp_path / "out")) == ["a.jpg"]
    assert skipped_of(tmp_path / "out") == {
        "caf\\udce9.jpg": "name is not UTF-8",
        "\\ud801.jpg": "name is not UTF-8",
        "image id \ud801": "objects of no picture",
    }
    assert prepare(tmp_path) == 0


def test_names_stay_inside_the_folder_and_may_have_any_letters(tmp_path):
    photo(tmp_path / "outside.jpg", size=SIZE)
    composed, apart = (unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD"))
    names = ["../outside.jpg", str(tmp_path / "outside.jpg"), "sub dir\\a.jpg", "ö.jpg", "C:\\b.jpg", "n\0.jpg"]
    write_set(tmp_path, list(enumerate(names[:1] + names[2:4])), [(1, LEFT), (2, RIGHT)])
    annotations = json.loads((tmp_path / "instances.json").read_bytes())
    template = annotations["images"][0]
    annotations["images"] += [
        {**template, "id": 9 + n, "file_name": name} for n, name in enumerate(names[1:2] + names[4:])
    ]
    annotations["images"].append({**template, "id": 20, "file_name": composed})
    photo(tmp_path / "images" / apart, size=SIZE)
    (tmp_path / "instances.json").write_text(json.dumps(annotations, ensure_ascii=False), encoding="utf-8")
    assert prepare(tmp_path) == 0
    found = masks_by_name(tmp_path / "out")
    assert {name: len(masks) for name, masks in found.items()} == {"sub dir/a.jpg": 1, "ö.jpg": 1, composed: 0}
    skipped = skipped_of(tmp_path / "out")
    assert set(skipped.values()) == {"file_name leads outside the folder"} and len(skipped) == 4


@pytest.mark.parametrize(
    ("outline", "reason"),
    [
        ([[-164.1, -221.8, 208543216.0, 352186880.0, 225.9, 236.5, 272.0, 384.2]], "object's corner is far outside"),
        ([[1.0, 1.0, math.nan, 9.0, 9.0, 9.0]], "object's corner is not finite"),
        ([[1.0, 1.0, math.inf, 9.0, 9.0, 9.0]], "object's corner is not finite"),
        ({"size": [30, 40], "counts": [100, 500]}, "object's run lengths do not add up"),
        ({"size": [30, 40], "counts": [1300, -100]}, "object's run lengths do not add up"),
        ({"size": [30, 40], "counts": [0, 10**9]}, "object's run lengths do not add up"),
        ({"size": [30, 40], "counts": compressed(LEFT)["counts"][:-2]}, "object's run lengths do not add up"),
        ({"size": [30, 40], "counts": "o" * 40}, "object's outline cannot be read"),
        (None, "object's outline cannot be read"),
    ],
)
def test_an_outline_that_is_none_is_refused_and_its_picture_is_not_authentic(tmp_path, outline, reason):
    """Under a limit of memory, for what is drawn from such numbers knows none."""
    coco_set(tmp_path, [outline])
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    try:
        assert prepare(tmp_path) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    skipped = json.loads((tmp_path / "out/skipped.json").read_bytes())
    (line,) = [line for line in skipped if line["name"] == "a.jpg"]
    assert line["reason"] == "no usable mask" and line["detail"].startswith(reason)
    assert list(masks_by_name(tmp_path / "out")) == ["b.jpg"]


def test_run_lengths_unpack_as_pycocotools_packs_them():
    rng = np.random.default_rng(0)
    for _ in range(50):
        pixels = (rng.random((30, 40)) < rng.random()).astype(np.uint8)
        assert _unpacked(compressed(pixels)["counts"]) == uncompressed(pixels)["counts"]


def two_sets(tmp_path, *names):
    """Two folders with an annotation file and a picture each, with an object on its left; the flags that name them."""
    for place, name in enumerate(names):
        folder = tmp_path / f"set {place}"
        folder.mkdir()
        write_set(folder, [(1, name)], [(1, LEFT)])
    folders = [tmp_path / f"set {place}" for place in range(len(names))]
    annotations = ",".join(str(folder / "instances.json") for folder in folders)
    images = ",".join(str(folder / "images") for folder in folders)
    return [f"--annotations={annotations}", f"--images={images}", f"--output={tmp_path / 'out'}", "--processes=1"]


def test_several_sets_become_one(tmp_path):
    arguments = two_sets(tmp_path, "a.jpg", "b.jpg")
    assert coco.main(["coco", *arguments]) == 0
    found = masks_by_name(tmp_path / "out")
    assert list(found) == ["a.jpg", "b.jpg"]
    for masks in found.values():  # image id 1 of both files: each has its own object
        np.testing.assert_array_equal(masks, [LEFT])
    digests = index_of(tmp_path / "out")["settings"]["annotations_sha256"].split(",")
    assert [len(digest) for digest in digests] == [64, 64] and digests[0] != digests[1]


def test_a_name_is_one_pictures(tmp_path, capsys):
    assert coco.main(["coco", *two_sets(tmp_path, "a.jpg", "a.jpg")]) == 1
    error = capsys.readouterr().err
    assert "a.jpg is in " in error and "set 0" in error and "set 1" in error
    assert not (tmp_path / "out").exists()


def test_ids_of_no_picture_may_be_the_same(tmp_path):
    """What is skipped is no picture of the set: both files may have objects of an image id that they do not list."""
    arguments = two_sets(tmp_path, "a.jpg", "b.jpg")
    for place in range(2):
        path = tmp_path / f"set {place}" / "instances.json"
        found = json.loads(path.read_text())
        found["annotations"].append({**found["annotations"][0], "image_id": 9})
        path.write_text(json.dumps(found))
    assert coco.main(["coco", *arguments]) == 0
    assert index_of(tmp_path / "out")["report"]["kept"] == 2


def test_each_annotation_file_has_its_folder(tmp_path, capsys):
    annotations, _, *rest = two_sets(tmp_path, "a.jpg", "b.jpg")
    assert coco.main(["coco", annotations, f"--images={tmp_path}", *rest]) == 2
    assert "--annotations has 2 files and --images 1 folders" in capsys.readouterr().err


def test_objects_of_some_categories_are_passed_over(tmp_path, capsys):
    """The others' pictures are left without objects, and are kept as targets."""
    write_set(tmp_path, [(1, "a.jpg"), (2, "b.jpg")], [(1, LEFT), (1, RIGHT), (2, RIGHT)])
    path = tmp_path / "instances.json"
    found = json.loads(path.read_text())
    found["categories"] = [{"id": 3, "name": "dog"}, {"id": "4", "name": "cat"}]
    for annotation, category in zip(found["annotations"], ("3", 4, 4)):
        annotation["category_id"] = category
    path.write_text(json.dumps(found))
    assert prepare(tmp_path, "--without=cat") == 0
    (a, b) = read_all(tmp_path / "out")
    np.testing.assert_array_equal([mask[..., 0] for mask in a["masks"]], [LEFT * 255])
    assert b["masks"] == []
    assert index_of(tmp_path / "out")["settings"]["without"] == ["cat"]
    assert prepare(tmp_path, "--without=cat,horse", f"--output={tmp_path / 'other'}") == 1
    assert "--without=horse: no such category; there are cat, dog" in capsys.readouterr().err


def test_help_needs_no_pycocotools(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    assert coco.main(["coco", "--help"]) == 0
    assert "--crowds" in capsys.readouterr().out
    coco_set(tmp_path, [])
    assert prepare(tmp_path) == 1
    assert "pip install 'gsr_tf[coco]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pixels", "crowd", "reason"),
    [
        (rectangle(0, 0, 1, 1), 0, "object is too small"),
        (rectangle(0, 0, 30, 30), 0, "object is too large"),
        (rectangle(0, 0, 0, 0), 0, "object is empty"),
        (LEFT, 1, "object is a crowd"),
    ],
)
def test_what_is_annotated_never_becomes_authentic(tmp_path, pixels, crowd, reason):
    path = coco_set(tmp_path, [compressed(pixels)], iscrowd=crowd)
    content = json.loads(path.read_bytes())
    content["annotations"].append({"image_id": 12, "segmentation": polygon(LEFT)})  # not all are crowds
    path.write_text(json.dumps(content))
    assert prepare(tmp_path) == 0
    assert masks_by_name(tmp_path / "out") == {"b.jpg": []}  # which nobody annotated
    (line,) = [x for x in json.loads((tmp_path / "out/skipped.json").read_bytes()) if x["name"] == "a.jpg"]
    assert (line["reason"], line["detail"]) == ("no usable mask", reason)


def test_pictures_without_objects_can_be_left_out(tmp_path):
    coco_set(tmp_path, [polygon(rectangle(0, 0, 10, 10))])
    assert prepare(tmp_path, "--nokeep_without_objects") == 0
    assert skipped_of(tmp_path / "out")["b.jpg"] == "no usable mask"
    assert index_of(tmp_path / "out")["counts"] == {"records": 1, "masks": 1, "authentic": 0, "originals": 0}


def test_a_picture_of_another_size_than_annotated_is_refused(tmp_path):
    coco_set(tmp_path, [polygon(rectangle(0, 0, 10, 10))])
    photo(tmp_path / "images/a.jpg", size=(41, 30))
    assert prepare(tmp_path) == 0
    assert skipped_of(tmp_path / "out")["a.jpg"] == "sizes differ"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", '{"images": [{"id": 1}]}', '{"images": [1', "[1, 2]", '{"images": [null]}', '{"images": null}'),
        *('{"images": [' + "[" * 100_000, '{"images": [{"id": {}, "file_name": "a", "width": 1, "height": 1}]}'),
    ],
    ids=range(9),
)
def test_a_file_that_is_no_annotation_file_gets_a_message(tmp_path, capsys, text):
    (tmp_path / "images").mkdir()
    (tmp_path / "instances.json").write_text(text)
    assert prepare(tmp_path) == 1
    assert "instances.json" in capsys.readouterr().err


def test_limits_that_contradict_each_other(tmp_path, capsys):
    coco_set(tmp_path, [])
    assert prepare(tmp_path, "--min_area_fraction=0.6") == 2
    assert "--max_area_fraction=0.5" in capsys.readouterr().err


def test_the_real_annotations_are_all_accounted_for(tmp_path):
    """Counts equal the annotation file's, and masks equal pycocotools' own."""
    root = real_data("coco")
    path = root / "annotations/instances_val.json"
    flags = [f"--annotations={path}", f"--images={root / 'images/val'}", f"--output={tmp_path / 'out'}"]
    assert coco.main(["coco", *flags, "--processes=2"]) == 0
    annotations = json.loads(path.read_bytes())
    index = index_of(tmp_path / "out")
    assert index["report"]["found"] == len(annotations["images"]) == 45
    decoded = read_all(tmp_path / "out")
    kept = {image["id"] for image in annotations["images"] if image["file_name"] not in skipped_of(tmp_path / "out")}
    assert len(kept) == len(decoded) == 44  # of one all objects are too small
    of_kept = sum(annotation["image_id"] in kept for annotation in annotations["annotations"])
    assert index["counts"]["masks"] + sum(index["report"]["remarks"].values()) == of_kept
    by_name = {record["name"]: record for record in decoded}
    image = next(image for image in annotations["images"] if by_name[image["file_name"]]["masks"])
    expected = []
    for annotation in annotations["annotations"]:
        if annotation["image_id"] == image["id"]:
            outline = annotation["segmentation"]
            if isinstance(outline, list):
                outline = coco_mask.merge(coco_mask.frPyObjects(outline, image["height"], image["width"]))
            pixels = coco_mask.decode(outline)
            if 0.01 <= pixels.mean() <= 0.5:
                expected.append(pixels[..., None] * 255)
    np.testing.assert_array_equal(by_name[image["file_name"]]["masks"], expected)


def test_limits_are_inclusive_and_nothing_and_everything_are_no_objects():
    limits = AreaLimits(0.01, 0.5)
    assert [limits.refusal(share) for share in (0.01, 0.5)] == ["", ""]
    assert limits.refusal(0.0099) == "object is too small"
    assert limits.refusal(0.5001) == "object is too large"
    assert AreaLimits(0.0, 1.0).refusal(0.0) == "object is empty"
    assert AreaLimits(0.0, 1.0).refusal(1.0) == "object is too large"


def test_the_flags_begin_with_the_limits_that_hold_elsewhere():
    values = flags.FlagValues()
    coco.define_objects(values)
    values.mark_as_parsed()
    assert coco.read_limits(values) == AreaLimits() == (0.01, 0.5, False)


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_a_byte_order_mark_is_passed_over(tmp_path, piece, monkeypatch):
    monkeypatch.setattr(json_arrays, "PIECE", piece)
    write_set(tmp_path, [(1, "ä.jpg")], [(1, LEFT)])
    path = tmp_path / "instances.json"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert prepare(tmp_path) == 0
    np.testing.assert_array_equal(masks_by_name(tmp_path / "out")["ä.jpg"], [LEFT])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_with_what_to_do(tmp_path, encoding, capsys):
    write_set(tmp_path, [(1, "a.jpg")], [(1, LEFT)])
    path = tmp_path / "instances.json"
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    assert prepare(tmp_path) == 1
    said = capsys.readouterr().err
    assert said == f"error: --annotations={path}: not a COCO annotation file (text in UTF-16; save it as UTF-8)\n"


def test_an_object_for_which_memory_lacks_is_not_one_that_cannot_be_read(tmp_path, monkeypatch, capsys):
    write_set(tmp_path, [(1, "a.jpg")], [(1, LEFT), (1, RIGHT)])
    monkeypatch.setattr(outlines.cv2, "transpose", lambda pixels: np.empty(1 << 50))
    assert prepare(tmp_path) == 1
    assert f"memory ran out: {tmp_path}/images/a.jpg: needs more memory" in capsys.readouterr().err
    assert not (tmp_path / "out/index.json").exists()
