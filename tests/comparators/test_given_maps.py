import io
import json
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from gsr_tf import evaluate, predict
from gsr_tf.comparators import given_maps
from gsr_tf.comparators.method import MethodError
from gsr_tf.data.pictures import PictureError
from gsr_tf.inference.score_maps import ScoreError
from tests.evaluation.toy_records import sample

MAP = np.random.default_rng(0).random((48, 64)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "maps").mkdir()
    return tmp_path / "maps"


def levels(dtype):
    return np.round(MAP * np.iinfo(dtype).max).astype(dtype)


def picture(seed=0):
    return sample(seed)[0]


def save(path, scores=MAP):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, scores)
    elif path.suffix == ".npz":
        np.savez(path, map=scores, mask=scores > 0.5)
    else:
        Image.fromarray(scores).save(path)
    return path


@pytest.mark.parametrize(
    "name, scores, tolerance",
    [
        ("a.npy", MAP, 0),
        ("a.npy", MAP.astype(float)[None, :, :, None], 1e-7),
        ("a.npz", MAP, 0),
        ("a.tif", MAP, 0),
        ("a.png", levels(np.uint8), 0.5 / 255),
        ("a.PNG", np.repeat(levels(np.uint8)[..., None], 3, axis=2), 0.5 / 255),
        ("a.png", levels(np.uint16), 0.5 / 65535 + 1e-7),
        ("a.npy", MAP.astype(">f8"), 1e-7),
    ],
)
def test_maps_are_read_as_tools_write_them(folder, name, scores, tolerance):
    found = given_maps.read_map(save(folder / name, scores))
    assert found.dtype == np.float32 and found.shape == (48, 64)
    np.testing.assert_allclose(found, MAP, rtol=0, atol=tolerance)


def test_masks_are_maps_of_two_values(folder):
    np.testing.assert_array_equal(given_maps.read_map(save(folder / "a.png", MAP > 0.5)), MAP > 0.5)
    np.testing.assert_array_equal(given_maps.read_map(save(folder / "a.npy", MAP > 0.5)), MAP > 0.5)


def test_an_array_of_a_mask_is_of_its_values(folder):
    """0 and 1, whatever their type; only pictures have levels."""
    mask = MAP > 0.5
    np.testing.assert_array_equal(given_maps.read_map(save(folder / "a.npy", mask.astype(np.uint8))), mask)


def test_what_rounding_leaves_of_0_and_1_is_taken_for_them(folder):
    """A resized probability of other tools may be 1.0000001."""
    scores = np.array([[-1e-7, 0.5], [1 + 1e-6, 1]])
    np.testing.assert_array_equal(given_maps.read_map(save(folder / "a.npy", scores)), np.float32([[0, 0.5], [1, 1]]))


def test_the_order_of_bytes_is_read(folder):
    deep = levels(np.uint16)
    entries = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 16 << 16), (259, 3, 1, 1 << 16), (262, 3, 1, 1 << 16)]
    entries += [(273, 4, 1, 122), (277, 3, 1, 1 << 16), (278, 4, 1, 48), (279, 4, 1, deep.nbytes)]
    header = struct.pack(">2sHI", b"MM", 42, 8) + struct.pack(">H", len(entries))
    header += b"".join(struct.pack(">HHII", *entry) for entry in entries) + bytes(4)
    (folder / "a.tif").write_bytes(header + deep.astype(">u2").tobytes())
    np.testing.assert_allclose(given_maps.read_map(folder / "a.tif"), MAP, rtol=0, atol=0.5 / 65535 + 1e-7)


def test_an_orientation_is_applied(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees to the right
    Image.fromarray(levels(np.uint16)).save(folder / "a.png", exif=exif)
    np.testing.assert_allclose(given_maps.read_map(folder / "a.png"), np.rot90(MAP, -1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "name, scores, message",
    [
        ("a.npy", 9 * MAP - 3, "values from -2.9.* to 5.9.*; expected 0 to 1"),
        ("a.npy", np.float32([[0, 1.001]]), "values from 0 to 1.001; expected 0 to 1"),
        ("a.npy", np.float32([[-0.001, 1]]), "values from -0.001 to 1; expected 0 to 1"),
        ("a.npy", levels(np.uint8), "values from 0 to 255; expected 0 to 1"),
        ("a.npy", np.stack([MAP, MAP]), r"an array of \(2, 48, 64\) of float32; expected one number a pixel"),
        ("a.npy", MAP.astype(complex), "of complex128"),
        ("a.png", np.stack([levels(np.uint8), *[255 - levels(np.uint8)] * 2], -1), "expected one number a pixel"),
        ("a.png", np.stack([*[levels(np.uint8)] * 3, 255 - levels(np.uint8)], -1), r"\(48, 64, 4\) of .*; expected"),
        ("a.npy", MAP[:0], "expected one number a pixel"),
    ],
)
def test_what_is_no_such_map_is_refused(folder, name, scores, message):
    with pytest.raises(ScoreError, match=message):
        given_maps.read_map(save(folder / name, scores))


def test_an_archive_of_several_arrays_without_a_map_is_refused(folder):
    np.savez(folder / "a.npz", x=MAP, y=MAP)
    with pytest.raises(PictureError, match="arrays x, y; expected one, or one called map"):
        given_maps.read_map(folder / "a.npz")
    np.savez(folder / "a.npz", x=MAP)
    np.testing.assert_array_equal(given_maps.read_map(folder / "a.npz"), MAP)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_of_the_format_are_read(folder, version):
    with (folder / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, MAP, version)
    np.testing.assert_array_equal(given_maps.read_map(folder / "a.npy"), MAP)


@pytest.mark.parametrize("members", [["map"], ["map", "mask.npy"], ["x"], ["x.npy"]])
def test_a_member_of_an_archive_needs_no_suffix(folder, members):
    array = io.BytesIO()
    np.save(array, MAP)
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        for name in members:
            archive.writestr(name, array.getvalue())
    np.testing.assert_array_equal(given_maps.read_map(folder / "a.npz"), MAP)


def test_code_in_an_array_is_not_run(folder):
    np.save(folder / "a.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(PictureError, match="a.npy: cannot be read .*allow_pickle"):
        given_maps.read_map(folder / "a.npy")


@pytest.mark.parametrize("member, content", [("map.txt", b"hi"), ("map.npy", b""), ("map.npy", b"\x93NUMPY\x09\0")])
def test_an_archive_without_an_array_is_refused(folder, member, content):
    with zipfile.ZipFile(folder / "a.npz", "w") as archive:
        archive.writestr(member, content)
    with pytest.raises(PictureError, match=r"a.npz: cannot be read \("):
        given_maps.read_map(folder / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_header_that_names_more_than_there_is_takes_no_memory(folder, name):
    header = io.BytesIO()
    shape = (1_000_000, 10_000_000)
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    path = folder / name
    if path.suffix == ".npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("map.npy", header.getvalue() + bytes(64))
    else:
        path.write_bytes(header.getvalue() + bytes(64))
    with pytest.raises(PictureError, match=rf"{name}: cannot be read \(an array of .* of float32 in 192 bytes"):
        given_maps.read_map(path)


def test_a_file_cut_short_is_refused(folder):
    for path in (save(folder / "a.npy"), save(folder / "a.npz"), save(folder / "a.png", levels(np.uint8))):
        path.write_bytes(path.read_bytes()[:900])
        with pytest.raises(PictureError, match=rf"{path.name}: (cannot be read|truncated or damaged) \("):
            given_maps.read_map(path)


@pytest.mark.parametrize(
    "name, file",
    [
        ("a.jpg", "a.png"),
        ("a.jpg", "a.jpg.npz"),
        ("a.jpg", "a_map.png"),
        ("a", "a.npy"),
        ("../set/img/a.jpg", "a.png"),
        ("/set/img/a.jpg", "img/a.png"),
        ("img/a.jpg", "img/a.tif"),
        ("a#0", "a.npy"),
        ("a#1.jpg", "a#1.npy"),
        ("e\u0301te\u0301.jpg", "\u00e9t\u00e9.npy"),
    ],
)
def test_a_map_is_found_by_the_pictures_name(folder, name, file):
    save(folder / "b.npy", 1 - MAP)
    save(folder / file, MAP if file.endswith(("tif", "npy", "npz")) else levels(np.uint8))
    method = given_maps.load(str(folder), [name, "b.jpg"])
    np.testing.assert_allclose(method(picture(), name=name), MAP, atol=0.5 / 255)
    np.testing.assert_array_equal(method(picture(), name="b.jpg"), 1 - MAP)


def test_what_is_not_certain_is_not_guessed(folder):
    save(folder / "a.npy")
    save(folder / "b.npy")
    save(folder / "b.png", levels(np.uint8))
    save(folder / "x/c.npy")
    names = ["x/a.jpg", "y/a.jpg", "b.jpg", "x/c.jpg", "y/c.jpg", "d.jpg"]
    method = given_maps.load(str(folder), names)
    reasons = {
        "x/a.jpg": "a.npy: the map of x/a.jpg, y/a.jpg; put maps into folders",
        "b.jpg": "several maps of it: .*b.npy, .*b.png",
        "y/c.jpg": "there is no map of it",
        "d.jpg": "there is no map of it",
    }
    for name, reason in reasons.items():
        with pytest.raises(ScoreError, match=reason):
            method(picture(), name=name)
    np.testing.assert_array_equal(method(picture(), name="x/c.jpg"), MAP)


def test_a_whole_name_goes_before_a_part_of_it(folder):
    save(folder / "city_map.npy")
    save(folder / "a.jpg.npy", 1 - MAP)
    save(folder / "a.npy")
    method = given_maps.load(str(folder), ["city.jpg", "city_map.jpg", "a.jpg#0", "a.jpg#1"])
    np.testing.assert_array_equal(method(picture(), name="city_map.jpg"), MAP)
    with pytest.raises(ScoreError, match="there is no map of it"):
        method(picture(), name="city.jpg")
    for number in range(2):
        np.testing.assert_array_equal(method(picture(), name=f"a.jpg#{number}"), 1 - MAP)


def test_arrays_of_predict_go_before_its_pictures(folder):
    save(folder / "a.npz")
    save(folder / "a_map.png", levels(np.uint16))
    np.testing.assert_array_equal(given_maps.load(str(folder), ["a.jpg"])(picture(), name="a.jpg"), MAP)


def test_masks_of_one_picture_share_its_map(folder):
    save(folder / "a.npy")
    method = given_maps.load(str(folder), ["a#0", "a#1"])
    np.testing.assert_array_equal(method(picture(), name="a#1"), MAP)


def test_the_fingerprint_is_of_names_and_bytes(folder):
    path = save(folder / "a.npy")
    first = given_maps.load(str(folder), ["a"]).fingerprint
    assert given_maps.load(str(folder), ["a", "b"]).fingerprint == first
    assert len(first.removeprefix(given_maps.FINGERPRINT)) == 16
    save(path, MAP[::-1])
    changed = given_maps.load(str(folder), ["a"]).fingerprint
    path.rename(folder / "b.npy")
    assert len({first, changed, given_maps.load(str(folder), ["a"]).fingerprint}) == 3


def test_a_folder_without_maps_is_an_error(folder):
    for path in (folder, folder / "none"):
        with pytest.raises(MethodError, match=r"--maps=.*: no maps there \(\.png"):
            given_maps.load(str(path), ["a"])


def written(tmp_path, maps):
    """Three pictures, their masks and a list; maps that are the truth but for noise, in a folder."""
    for seed in range(3):
        pixels, mask = sample(seed)
        save(tmp_path / f"img/{seed}.png", pixels)
        save(tmp_path / f"gt/{seed}.png", mask)
        if seed < maps:
            save(tmp_path / f"tool/{seed}.npy", np.where(mask, 0.9, 0.2))
    (tmp_path / "list.csv").write_text("".join(f"img/{seed}.png,gt/{seed}.png\n" for seed in range(3)))
    return ["evaluate", f"--pairs={tmp_path / 'list.csv'}", f"--maps={tmp_path / 'tool'}"]


def test_evaluate_scores_another_tools_maps(tmp_path, capsys):
    line = written(tmp_path, 3)
    assert evaluate.main([*line, f"--output={tmp_path / 'out'}"]) == 0
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    scores = {(score["protocol"], score["metric"]): score["value"] for score in summary["scores"]}
    assert summary["method"] == "tool"
    assert scores["paper", "f1"] == scores["fixed-0.5", "f1"] == 1
    save(tmp_path / "tool/0.npy", np.full(sample(0)[1].shape, 0.9))  # all of it marked: the next pass sees it
    assert evaluate.main([*line, f"--output={tmp_path / 'out'}"]) == 0
    share = sample(0)[1].mean()
    assert f"{(2 + 2 * share / (1 + share)) / 3:.4f}" in capsys.readouterr().out


def test_a_picture_without_a_map_is_named(tmp_path, capsys):
    assert evaluate.main([*written(tmp_path, 2), f"--output={tmp_path / 'out'}"]) == evaluate.SOME_SKIPPED
    assert "1 skipped, the first img/2.png: there is no map of it" in capsys.readouterr().out


def test_a_map_that_cannot_be_read_is_named_without_the_folders_of_the_machine(tmp_path):
    line = written(tmp_path, 3)
    (tmp_path / "tool" / "0.npy").write_bytes(b"no array")
    assert evaluate.main([*line, f"--output={tmp_path / 'out'}"]) == evaluate.SOME_SKIPPED
    (skipped,) = json.loads((tmp_path / "out" / "summary.json").read_text())["skipped"]
    assert skipped["reason"].startswith("tool/0.npy: cannot be read (")
    assert str(tmp_path) not in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    "other",
    [
        "--method=noi",
        "--saved_model=x",
        "--resolution=tile",
        "--scales=1,2",
        "--precision=bfloat16",
        "--attacks=jpeg-50",
    ],
)
def test_flags_of_other_methods_are_refused(tmp_path, capsys, other):
    assert evaluate.main([*written(tmp_path, 3), f"--output={tmp_path / 'out'}", other]) == 1
    assert f"leave out {other.partition('=')[0]}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_answers_of_predict_are_such_maps(tmp_path, capsys):
    line = written(tmp_path, 3)
    answers, output = tmp_path / "answers", tmp_path / "out"
    assert predict.main(["predict", "--method=noi", f"--input={tmp_path / 'img'}", f"--output={answers}"]) == 0
    assert evaluate.main([*line[:2], f"--maps={answers}", f"--output={output}", "--protocols=image-optimum"]) == 0
    assert evaluate.main([*line[:2], "--method=noi", f"--output={tmp_path / 'noi'}", "--protocols=image-optimum"]) == 0
    given, made = (json.loads((path / "summary.json").read_text())["scores"][0] for path in (output, tmp_path / "noi"))
    assert given["metric"] == made["metric"] == "f1" and given["value"] == pytest.approx(made["value"], abs=1e-3)
