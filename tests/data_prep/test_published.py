"""Each published layout, in miniature, with the real names and quirks."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from data_prep import carvalho, casia1, casia2, coco_panoptic, columbia, coverage, imd2020, in_the_wild, nist16
from tests.data_prep.pictures import index_of, mask, masks_by_name, photo, read_all, real_data, skipped_of
from tests.started_with_m import handed_to_workers

QUARTER = 255 / 4  # the mean of a mask file with its upper left quarter bright


def prepare(script, tmp_path, *flags):
    code = script.main(
        ["script", f"--input={tmp_path / 'set'}", f"--output={tmp_path / 'out'}", "--processes=1", *flags]
    )
    assert code == 0
    return {record["name"]: record for record in read_all(tmp_path / "out")}


def test_casia1(tmp_path):
    root = tmp_path / "set"
    photo(root / "Tp/Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg")
    mask(root / "CASIA 1.0 groundtruth/Sp/Sp_D_CND_A_pla0005_pla0023_0281_gt.png")
    photo(root / "Tp/CM/Sp_S_CNN_A_nat0078_nat0078_0004.jpg")
    mask(root / "CASIA 1.0 groundtruth/CM/Sp_S_CNN_A_nat0078_nat0078_0004_gt.png")
    photo(root / "Tp/Sp/Sp_D_NRN_A_cha0011_sec0011_0542.jpg")  # published without a mask
    host, part = photo(root / "Au/Au_pla_0005.jpg", seed=5), photo(root / "Au/Au_pla_0023.jpg", seed=23)
    records = prepare(casia1, tmp_path)
    assert skipped_of(tmp_path / "out") == {"Sp/Sp_D_NRN_A_cha0011_sec0011_0542.jpg": "no mask"}
    splice = records["Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg"]
    distance = {file: np.abs(splice["original"] - np.asarray(Image.open(file), int)).max() for file in (host, part)}
    assert distance[host] <= 5 < 50 < distance[part]  # JPEG decoders differ by a few levels
    assert records["CM/Sp_S_CNN_A_nat0078_nat0078_0004.jpg"]["original"] is None


@pytest.mark.parametrize("modified", ["Modified Tp/Tp", "Modified TP"])
def test_casia1_is_taken_from_where_its_names_are_mended(tmp_path, modified):
    root = tmp_path / "set"
    photo(root / "Tp/Sp/Sp_D_misnamed.jpg")
    photo(root / f"{modified}/Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg")
    mask(root / "CASIA 1.0 groundtruth/Sp/Sp_D_CND_A_pla0005_pla0023_0281_gt.png")
    assert list(prepare(casia1, tmp_path)) == ["Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg"]
    assert skipped_of(tmp_path / "out") == {}


@pytest.mark.parametrize(("pictures", "count"), [("manipulated", 1), ("authentic", 2), ("both", 3)])
def test_which_pictures_of_a_set(tmp_path, pictures, count):
    root = tmp_path / "set"
    photo(root / "Tp/Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg")
    mask(root / "CASIA 1.0 groundtruth/Sp/Sp_D_CND_A_pla0005_pla0023_0281_gt.png")
    photo(root / "Au/Au_pla_0005.jpg")
    photo(root / "Au/Au_pla_0007.jpg")
    records = prepare(casia1, tmp_path, f"--pictures={pictures}")
    assert len(records) == count
    assert sum(not record["masks"] for record in records.values()) == count - (pictures != "authentic")


@pytest.mark.parametrize(
    ("script", "file"),
    [
        (carvalho, "DSO-1/normal-01.png"),
        (casia1, "Au/Au_pla_0005.jpg"),
        (casia2, "Au/Au_cha_00063.jpg"),
        (columbia, "4cam_auth/canong3_02_sub_01.tif"),
        (coverage, "image/1.tif"),
        (imd2020, "1a1ogs/1a1ogs_orig.jpg"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_authentic_pictures_need_no_manipulated_ones(tmp_path, script, file):
    photo(tmp_path / "set" / file)
    ((name, record),) = prepare(script, tmp_path, "--pictures=authentic").items()
    assert file.endswith(name) and record["masks"] == []


def casia2_set(root):
    splice = "Tp_D_CRN_S_N_cha00063_art00014_11818"
    photo(root / f"Tp/{splice}.jpg")
    mask(root / f"CASIA 2 Groundtruth/{splice}_gt.png")
    photo(root / "Au/Au_cha_00063.jpg", seed=63)
    photo(root / "Tp/Tp_D_CNN_M_N_ind00091_ind00091_10647.tif")  # says spliced; its mask says copied
    mask(root / "CASIA 2 Groundtruth/Tp_S_CNN_M_N_ind00091_ind00091_10647_gt.png")
    photo(root / "Tp/Tp_S_NNN_S_N_sec00012_sec00012_11230.jpg", size=(32, 24))  # published with a turned mask
    mask(root / "CASIA 2 Groundtruth/Tp_S_NNN_S_N_sec00012_sec00012_11230_gt.png", size=(24, 32))
    (root / "Tp/Thumbs.db").write_bytes(b"x")
    return splice


def test_casia2(tmp_path):
    splice = casia2_set(tmp_path / "set")
    records = prepare(casia2, tmp_path)
    assert sorted(records) == ["Tp_D_CNN_M_N_ind00091_ind00091_10647.tif", f"{splice}.jpg"]
    assert records[f"{splice}.jpg"]["original"] is not None
    lines = json.loads((tmp_path / "out/skipped.json").read_bytes())
    assert {line["name"]: line["reason"] for line in lines} == {
        "Thumbs.db": "not a picture",
        "Tp_S_NNN_S_N_sec00012_sec00012_11230.jpg": "sizes differ",
    }
    assert "CASIA2.0-Corrected-Groundtruth" in lines[1]["detail"]


def test_casia2_with_the_authors_masks_and_a_list(tmp_path):
    root = tmp_path / "set"
    for stem in ("Tp_D_CRN_S_N_cha00063_art00014_11818", "Tp_S_NNN_S_N_sec00074_sec00074_00751"):
        photo(root / f"Tp/{stem}.tif")
        mask(root / f"Gt/{stem}.png")
    (tmp_path / "list.txt").write_text("Tp/Tp_D_CRN_S_N_cha00063_art00014_11818.tif mask.png\nTp_S_gone.jpg\n")
    records = prepare(casia2, tmp_path, f"--list={tmp_path / 'list.txt'}")
    assert list(records) == ["Tp_D_CRN_S_N_cha00063_art00014_11818.tif"]
    assert sorted(skipped_of(tmp_path / "out").values()) == ["listed but not there", "not in the list"]


def test_casia2_list_chooses_among_the_manipulated_pictures_alone(tmp_path, capsys):
    splice = casia2_set(tmp_path / "set")
    (tmp_path / "list.txt").write_text(f"{splice}.jpg\n")
    chosen = f"--list={tmp_path / 'list.txt'}"
    assert list(prepare(casia2, tmp_path, chosen, "--pictures=both")) == [f"{splice}.jpg", "Au/Au_cha_00063.jpg"]
    flags = [f"--input={tmp_path / 'set'}", f"--output={tmp_path / 'no'}", chosen, "--pictures=authentic"]
    assert casia2.main(["casia2", *flags]) == 2
    assert "--list names manipulated pictures" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_casia2_list_as_windows_writes_it(tmp_path, encoding):
    splice = casia2_set(tmp_path / "set")
    (tmp_path / "list.txt").write_text(f"{splice}.jpg\r\n", encoding=encoding)
    assert list(prepare(casia2, tmp_path, f"--list={tmp_path / 'list.txt'}")) == [f"{splice}.jpg"]
    assert set(skipped_of(tmp_path / "out").values()) == {"not a picture", "not in the list"}


def test_casia2_list_that_fits_nothing(tmp_path, capsys):
    casia2_set(tmp_path / "set")
    (tmp_path / "list.txt").write_text("other.jpg\n")
    flags = [f"--input={tmp_path / 'set'}", f"--output={tmp_path / 'out'}", f"--list={tmp_path / 'list.txt'}"]
    assert casia2.main(["casia2", *flags]) == 1
    assert "names none of the 3 pictures" in capsys.readouterr().err


def test_coverage(tmp_path):
    root = tmp_path / "set"
    for number in (1, 2, 41):
        photo(root / f"image/{number}.tif", seed=number)
        photo(root / f"image/{number}t.tif", seed=number + 100)
        for kind in ("copy", "paste", "forged"):
            mask(root / f"mask/{number}{kind}.tif", size=(32, 24) if number != 41 else (33, 24))
    records = prepare(coverage, tmp_path)
    assert sorted(records) == ["1t.tif", "2t.tif"]
    np.testing.assert_array_equal(records["2t.tif"]["original"], np.asarray(Image.open(root / "image/2.tif")))
    assert skipped_of(tmp_path / "out") == {"41t.tif": "sizes differ"}


def test_carvalho_masks_are_dark(tmp_path):
    root = tmp_path / "set"
    photo(root / "DSO-1/splicing-01.png")
    photo(root / "DSO-1/normal-01.png")
    mask(root / "DSO-1-Fake-Images-Masks/splicing-01.png", value=0, background=255)
    records = prepare(carvalho, tmp_path, "--pictures=both")
    assert records["splicing-01.png"]["masks"][0].mean() == QUARTER
    assert records["normal-01.png"]["masks"] == []


def test_in_the_wild(tmp_path):
    photo(tmp_path / "set/label_in_wild/images/2251.jpg")
    mask(tmp_path / "set/label_in_wild/masks/2251.png")
    assert prepare(in_the_wild, tmp_path)["2251.jpg"]["masks"][0].mean() == QUARTER


def test_in_the_wild_beside_another_sets_images(tmp_path):
    photo(tmp_path / "set/another/images/2251.jpg", seed=1)
    image = photo(tmp_path / "set/label_in_wild/images/2251.jpg", seed=2)
    mask(tmp_path / "set/label_in_wild/masks/2251.png")
    assert prepare(in_the_wild, tmp_path)["2251.jpg"]["bytes"] == image.read_bytes()


def test_columbia_green_is_manipulated(tmp_path):
    root = tmp_path / "set"
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[..., 0] = 200
    colours[:24, :32] = (0, 200, 0)
    photo(root / "4cam_splc/canong3_canonxt_sub_01.tif", size=(64, 48))
    (root / "4cam_splc/edgemask").mkdir()
    Image.fromarray(colours).save(root / "4cam_splc/edgemask/canong3_canonxt_sub_01_edgemask.jpg", quality=95)
    photo(root / "4cam_auth/canong3_02_sub_01.tif")
    photo(root / "4cam_auth/edgemask/canong3_02_sub_01_edgemask.jpg")
    records = prepare(columbia, tmp_path, "--pictures=both")
    assert sorted(records) == ["4cam_auth/canong3_02_sub_01.tif", "canong3_canonxt_sub_01.tif"]
    assert abs(records["canong3_canonxt_sub_01.tif"]["masks"][0].mean() - QUARTER) < 4  # JPEG blurs the edge


def test_nist16_goes_by_its_table(tmp_path):
    root = tmp_path / "set/NC2016_Test0613"
    photo(root / "probe/NC2016_0001.jpg")
    photo(root / "probe/NC2016_0002.jpg")
    photo(root / "world/NC2016_0009.jpg", seed=9)
    mask(root / "reference/manipulation/mask/other_name.png", value=0, background=255)
    header = "TaskID|ProbeFileID|ProbeFileName|IsTarget|ProbeMaskFileName|BaseFileName"
    lines = [
        "manipulation|1|probe/NC2016_0001.jpg|Y|reference/manipulation/mask/other_name.png|world/NC2016_0009.jpg",
        "manipulation|2|probe/NC2016_0002.jpg|N||",
        "manipulation|3|probe/NC2016_0003.jpg|Y||",
        "manipulation|4|probe/NC2016_0001.jpg|Y|x.png|",
    ]
    table = root / "reference/manipulation/NC2016-manipulation-ref.csv"
    table.write_text("\n".join([header, *lines]) + "\n")
    records = prepare(nist16, tmp_path, "--pictures=both")
    assert records["probe/NC2016_0001.jpg"]["masks"][0].mean() == QUARTER
    assert records["probe/NC2016_0001.jpg"]["original"] is not None
    assert records["probe/NC2016_0002.jpg"]["masks"] == []
    reasons = json.loads((tmp_path / "out/skipped.json").read_bytes())
    assert [line["reason"] for line in reasons] == ["listed twice", "no mask"]


def nist16_set(root, *lines):
    """Two pictures with a mask each, and a table of these lines."""
    for name in ("a", "b"):
        photo(root / f"probe/{name}.jpg")
        mask(root / f"reference/manipulation/mask/{name}.png", value=0, background=255)
    header = "TaskID|ProbeFileID|ProbeFileName|ProbeMaskFileName|BaseFileName|IsTarget"
    (root / "reference/manipulation/NC2016-manipulation-ref.csv").write_text("\n".join([header, *lines]))


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("probe/a.jpg|reference/manipulation/mask/a.png|wor", "table line is incomplete"),
        ("probe/a.jpg|reference/manipulation/mask/a.png|world/a.jpg|", "neither manipulated nor authentic"),
        ("probe/a.jpg|reference/manipulation/mask/a.png|world/a.jpg|true", "neither manipulated nor authentic"),
    ],
)
def test_nist16_what_is_not_said_to_be_authentic_is_not(tmp_path, end, reason):
    nist16_set(tmp_path / "set", "manipulation|b|probe/b.jpg|||N", f"manipulation|a|{end}")
    assert list(prepare(nist16, tmp_path, "--pictures=both")) == ["probe/b.jpg"]
    assert skipped_of(tmp_path / "out") == {"probe/a.jpg": reason}


def test_nist16_of_two_lines_the_one_that_can_be_used_is(tmp_path):
    nist16_set(tmp_path / "set", "manipulation|b|probe/b.jpg|||?", *2 * ["manipulation|b|probe/b.jpg|||N"])
    assert list(prepare(nist16, tmp_path, "--pictures=both")) == ["probe/b.jpg"]
    reasons = [(line["name"], line["reason"]) for line in json.loads((tmp_path / "out/skipped.json").read_bytes())]
    assert sorted(reasons) == [
        ("probe/a.jpg", "not in the table"),
        ("probe/b.jpg", "listed twice"),
        ("probe/b.jpg", "neither manipulated nor authentic"),
    ]


def test_nist16_counts_probes_that_the_table_does_not_name(tmp_path):
    nist16_set(tmp_path / "set", "manipulation|a|probe/a.jpg|reference/manipulation/mask/a.png||Y", "manipulation||")
    (tmp_path / "set/probe/Thumbs.db").touch()
    assert list(prepare(nist16, tmp_path)) == ["probe/a.jpg"]
    assert skipped_of(tmp_path / "out") == {
        "probe/Thumbs.db": "not a picture",
        "probe/b.jpg": "not in the table",
        "the table's line 3": "table line is incomplete",
    }
    assert index_of(tmp_path / "out")["report"]["found"] == 4


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'x|x|probe/b.jpg||"|N', "line 3: .*a cell that begins with a quote ends with one"),
        (b"caf\xe9|x|probe/b.jpg|||N", "line 3 is not in UTF-8 .*save it as UTF-8"),
    ],
)
def test_nist16_a_table_that_cannot_be_read_gets_a_message(tmp_path, capsys, line, message):
    nist16_set(tmp_path / "set", "x|a|probe/a.jpg|reference/manipulation/mask/a.png||Y", "LINE", "x|a|probe/a.jpg|||N")
    table = tmp_path / "set/reference/manipulation/NC2016-manipulation-ref.csv"
    table.write_bytes(table.read_bytes().replace(b"LINE", line))
    assert nist16.main(["nist16", f"--input={tmp_path / 'set'}", f"--output={tmp_path / 'out'}", "--processes=1"]) == 1
    assert re.search(f"error: .*manipulation-ref.csv: .*{message}", capsys.readouterr().err)


def test_nist16_from_the_tables_own_folder(tmp_path, monkeypatch):
    nist16_set(tmp_path / "set", "manipulation|a|probe/a.jpg|reference/manipulation/mask/a.png||Y")
    monkeypatch.chdir(tmp_path / "set/reference")
    assert nist16.main(["nist16", "--input=manipulation", f"--output={tmp_path / 'out'}", "--processes=1"]) == 0
    assert list(masks_by_name(tmp_path / "out")) == ["probe/a.jpg"]


def test_imd2020_as_published(tmp_path):
    root = tmp_path / "set"
    photo(root / "1a1ogs/1a1ogs_orig.jpg", seed=1)
    photo(root / "1a1ogs/c8t2g5p_0.jpg")
    mask(root / "1a1ogs/c8t2g5p_0_mask.png")
    photo(root / "1a1ogs/c8t5r2d_0.png")
    mask(root / "1a1ogs/c8t5r2d_0_mask.png")
    photo(root / "z14/00030_fake.jpg")
    mask(root / "z14/00030_fake_mask.png", size=(30, 24))
    records = prepare(imd2020, tmp_path)
    assert sorted(records) == ["1a1ogs/c8t2g5p_0.jpg", "1a1ogs/c8t5r2d_0.png"]
    assert all(record["original"] is not None for record in records.values())
    assert skipped_of(tmp_path / "out") == {"z14/00030_fake.jpg": "sizes differ"}


@pytest.mark.parametrize("written", [int, str])
def test_coco_panoptic(tmp_path, written):
    segments = np.zeros((24, 32, 3), np.uint8)
    segments[:12, :16] = (1, 2, 3)  # a thing
    segments[12:, :16] = (4, 0, 0)  # stuff
    segments[:, 16:] = (0, 1, 0)  # a thing that is too large
    segments[0, 0] = (7, 0, 0)  # a thing that is too small
    photo(tmp_path / "images/a.jpg")
    photo(tmp_path / "images/b.jpg")
    (tmp_path / "panoptic").mkdir()
    Image.fromarray(segments).save(tmp_path / "panoptic/a.png")
    ids = {1 + 256 * 2 + 65536 * 3: 1, 4: 2, 256: 1, 7: 1}
    info = [{"id": written(number), "category_id": category, "iscrowd": 0} for number, category in ids.items()]
    annotations = {
        "images": [{"id": n, "file_name": f"{name}.jpg", "height": 24, "width": 32} for n, name in enumerate("ab")],
        "annotations": [{"image_id": 0, "file_name": "a.png", "segments_info": info}],
        "categories": [{"id": written(1), "isthing": 1}, {"id": 2, "isthing": 0}],
    }
    (tmp_path / "panoptic.json").write_text(json.dumps(annotations))
    flags = [f"--annotations={tmp_path / 'panoptic.json'}", f"--panoptic={tmp_path / 'panoptic'}"]
    flags += [f"--images={tmp_path / 'images'}", f"--output={tmp_path / 'out'}", "--max_area_fraction=0.4"]
    assert coco_panoptic.main(["coco_panoptic", *flags]) == 0
    (record,) = read_all(tmp_path / "out")
    assert [png.sum() for png in record["masks"]] == [255 * (12 * 16 - 1)]
    remarks = index_of(tmp_path / "out")["report"]["remarks"]
    assert remarks == {"object is too large": 1, "object is too small": 1, "segment is stuff": 1}
    assert skipped_of(tmp_path / "out") == {"b.jpg": "no mask"}


def panoptic_set(tmp_path, *annotations):
    """Two pictures; the PNG of each has segment 1 at its left and segment 2 at its right."""
    segments = np.zeros((24, 32, 3), np.uint8)
    segments[:9, :9, 0], segments[:9, 20:, 0] = 1, 2
    (tmp_path / "panoptic").mkdir()
    for name in "ab":
        photo(tmp_path / f"images/{name}.jpg")
        Image.fromarray(segments).save(tmp_path / f"panoptic/{name}.png")
    images = [{"id": n, "file_name": f"{name}.jpg", "height": 24, "width": 32} for n, name in enumerate("ab")]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "isthing": 1}]}
    (tmp_path / "panoptic.json").write_text(json.dumps(content))
    return convert_panoptic(tmp_path)


def panoptic_flags(tmp_path):
    flags = [f"--annotations={tmp_path / 'panoptic.json'}", f"--panoptic={tmp_path / 'panoptic'}"]
    return [*flags, f"--images={tmp_path / 'images'}", f"--output={tmp_path / 'out'}", "--processes=1"]


def convert_panoptic(tmp_path):
    return coco_panoptic.main(["coco_panoptic", *panoptic_flags(tmp_path)])


def thing(number):
    return {"id": number, "category_id": 1}


def test_a_panoptic_picture_of_stuff_alone_is_not_authentic(tmp_path):
    stuff = {"image_id": 0, "file_name": "a.png", "segments_info": [{"id": 1, "category_id": 2}]}
    whole = {"image_id": 1, "file_name": "b.png", "segments_info": [thing(2)]}
    assert panoptic_set(tmp_path, stuff, whole) == 0
    assert list(masks_by_name(tmp_path / "out")) == ["b.jpg"]
    assert skipped_of(tmp_path / "out") == {"a.jpg": "no usable mask"}


def test_workers_know_all_by_its_name_also_where_python_m_starts_the_command(tmp_path, monkeypatch):
    panoptic_set(tmp_path, {"image_id": 0, "file_name": "a.png", "segments_info": [thing(1)]})
    shutil.rmtree(tmp_path / "out")
    given = [*panoptic_flags(tmp_path), "--runner=DirectRunner"]
    handed = handed_to_workers(coco_panoptic, given, monkeypatch)
    assert b"data_prep.coco_panoptic" in handed and b"__main__" not in handed


def test_a_panoptic_png_corrected_since_is_other_work(tmp_path, capsys):
    whole = {"image_id": 0, "file_name": "a.png", "segments_info": [thing(1), thing(2)]}
    assert panoptic_set(tmp_path, whole) == 0
    corrected = np.asarray(Image.open(tmp_path / "panoptic/a.png"))[:, ::-1]
    Image.fromarray(corrected).save(tmp_path / "panoptic/a.png")
    assert convert_panoptic(tmp_path) == 1
    assert "holds records of other files or settings" in capsys.readouterr().err


def test_where_all_panoptic_things_are_crowds_the_flag_is_named(tmp_path, capsys):
    stuff = {"id": 2, "category_id": 2, "iscrowd": 0}
    crowd = {"image_id": 0, "file_name": "a.png", "segments_info": [{**thing(1), "iscrowd": 1}, stuff]}
    assert panoptic_set(tmp_path, crowd) == 1
    said = capsys.readouterr().err
    assert "all 1 objects are marked iscrowd" in said and "--crowds takes them" in said


def test_two_annotations_of_one_panoptic_picture_are_taken_together(tmp_path):
    first = {"image_id": 0, "file_name": "a.png", "segments_info": [thing(1)]}
    second = {"image_id": "0", "file_name": "a.png", "segments_info": [thing(1), thing(2)]}
    assert panoptic_set(tmp_path, first, second) == 0
    (record,) = read_all(tmp_path / "out")
    assert [mask.sum() // 255 for mask in record["masks"]] == [9 * 9, 9 * 12]


@pytest.mark.parametrize(
    "annotation",
    [
        {"file_name": "a.png"},
        {"file_name": "a.png", "segments_info": None},
        {"file_name": "a.png", "segments_info": []},
        {"file_name": "a.png", "segments_info": [{"id": 1}]},
        {"file_name": "../panoptic/a.png", "segments_info": [thing(1)]},
        {"segments_info": [thing(1)]},
    ],
)
def test_an_incomplete_panoptic_annotation_skips_its_picture_alone(tmp_path, annotation):
    whole = {"image_id": 1, "file_name": "b.png", "segments_info": [thing(2)]}
    assert panoptic_set(tmp_path, {"image_id": 0, **annotation}, whole) == 0
    assert list(masks_by_name(tmp_path / "out")) == ["b.jpg"]
    assert skipped_of(tmp_path / "out") == {"a.jpg": "annotation is incomplete"}


@pytest.mark.parametrize(
    "script", [carvalho, casia1, casia2, columbia, coverage, in_the_wild, nist16], ids=lambda script: script.SET.name
)
def test_a_folder_of_another_set_gets_a_message(tmp_path, capsys, script):
    photo(tmp_path / "set/holiday.jpg")
    assert script.main(["script", f"--input={tmp_path / 'set'}", f"--output={tmp_path / 'out'}"]) == 1
    assert "--help shows the expected tree" in capsys.readouterr().err


@pytest.mark.parametrize(("script", "file"), [(casia1, "Tp/Sp/Sp_D_a.jpg"), (casia2, "Tp/Tp_D_a.jpg")])
def test_where_masks_are_missing_it_is_said_where_they_are(tmp_path, capsys, script, file):
    photo(tmp_path / "set" / file)
    assert script.main(["script", f"--input={tmp_path / 'set'}", f"--output={tmp_path / 'out'}"]) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'set'}: its masks are not there" in said and f"get them from {script.SET.source}" in said


@pytest.mark.parametrize(
    "script",
    [carvalho, casia1, casia2, columbia, coverage, imd2020, in_the_wild, nist16],
    ids=lambda script: script.SET.name,
)
def test_help_says_where_to_get_the_set(capsys, script):
    assert script.main(["script", "--help"]) == 0
    text = capsys.readouterr().out
    for words in (script.SET.source, script.SET.licence, script.SET.size, f"data_prep.{script.SET.name} --input="):
        assert words in text


def test_the_real_casia1_part(tmp_path):
    code = casia1.main(["casia1", f"--input={real_data('casia1')}", f"--output={tmp_path / 'out'}", "--pictures=both"])
    assert code == 0
    index = index_of(tmp_path / "out")
    assert index["report"]["skipped"] == {}
    assert index["counts"] == {"records": 447, "masks": 240, "authentic": 207, "originals": 240}


def test_the_real_imd2020_part(tmp_path):
    assert imd2020.main(["imd2020", f"--input={real_data('imd2020')}", f"--output={tmp_path / 'out'}"]) == 0
    assert index_of(tmp_path / "out")["counts"] == {"records": 45, "masks": 45, "authentic": 0, "originals": 0}
