import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from data_prep import coco
from data_prep.coco import AreaLimits
from tests.data_prep.pictures import index_of, photo, read_all, real_data, skipped_of

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
    _, (a, b) = read_all(tmp_path / "out")
    np.testing.assert_array_equal(a["masks"][0][..., 0], pixels * 255)
    assert b["masks"] == [] and b["name"] == "b.jpg"
    assert skipped_of(tmp_path / "out") == {"gone.jpg": "picture cannot be read"}


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
    assert len(read_all(tmp_path / "out")[1][0]["masks"]) == 1


def test_crowds_are_no_objects(tmp_path):
    coco_set(tmp_path, [compressed(rectangle(0, 0, 10, 10))], iscrowd=1)
    assert prepare(tmp_path) == 0
    assert index_of(tmp_path / "out")["report"]["remarks"] == {"object is a crowd": 1}


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


@pytest.mark.parametrize("text", ["", "{}", '{"images": [{"id": 1}]}', '{"images": [1', "[1, 2]"])
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
    assert index["report"]["kept"] == len(annotations["images"]) == 45
    assert index["counts"]["masks"] + sum(index["report"]["remarks"].values()) == len(annotations["annotations"]) == 293
    _, decoded = read_all(tmp_path / "out")
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
