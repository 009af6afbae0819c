import itertools
import json
import os
import signal
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from data_prep import check, folder, interchange
from data_prep.inspecting import duplicates
from data_prep.inspecting.inspection import looks_inverted, perceptual_hash
from tests.data_prep.pictures import index_of, mask, photo, real_data
from tests.files import damage_record


def scene(seed, size=(64, 48)):
    """[h, w, 3] uint8: a smooth random picture, unlike that of any other seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 14, 3), dtype=np.uint8)
    return cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture(name="root")
def _root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(6):
        save(tmp_path / f"set/Tp/{number}.png", scene(number))
        mask(tmp_path / f"set/Gt/{number}.png", size=(64, 48))
        save(tmp_path / f"set/Au/{number}.png", scene(number + 100))
    return tmp_path


def kill_itself(_):
    os.kill(os.getpid(), signal.SIGKILL)


def run(*paths):
    code = check.main(["check", *map(str, paths), "--output=report", "--processes=1"])
    return code, json.loads(Path("report/report.json").read_bytes())


def test_a_clean_set_before_preparation(root):
    code, report = run("set")
    part = report["sets"]["set"]
    assert code == 0
    assert (part["found"], part["usable"], part["manipulated"], part["authentic"], part["masks"]) == (12, 12, 6, 6, 6)
    assert part["share"] == {"least": 0.25, "median": 0.25, "most": 0.25}
    assert part["width"]["median"] == 64 and part["height"]["median"] == 48
    assert part["unusable"] == {} and part["looks_inverted"] == [] and part["look_the_same"] == []
    assert Image.open("report/shares.png").size[0] > 500


@pytest.mark.parametrize("name", ["a$_$b", os.fsdecode(b"a\xe9")])
def test_a_folder_may_have_any_name(root, name):
    Path("set").rename(name)
    code, report = run(name)
    assert code == 0 and report["sets"][name]["usable"] == 12
    assert Image.open("report/shares.png").size[0] > 500


def test_the_same_set_after_preparation_reads_the_same(root):
    _, before = run("set/Tp", "set")
    interchange.main(["interchange", "--input=set", "--output=records", "--processes=1"])
    _, after = run("records")
    part = after["sets"]["records"]
    assert (part["found"], part["masks"], part["share"]) == (6, 6, before["sets"]["set"]["share"])


def test_what_is_wrong_is_found_and_sets_the_exit_code(root):
    mask(root / "set/Gt/0.png", size=(60, 48))
    mask(root / "set/Gt/1.png", size=(64, 48), value=0, background=255)
    (root / "set/Tp/2.png").write_bytes(b"no picture")
    save(root / "set/Tp/lonely.png", scene(77))
    code, report = run("set")
    part = report["sets"]["set"]
    assert code == 3
    assert part["unusable"] == {"no mask": 1, "picture cannot be read": 1, "sizes differ": 1}
    assert part["looks_inverted"] == ["1.png"]
    assert part["found"] == 13 == part["usable"] + len(part["unusable_files"])


@pytest.mark.parametrize("processes", [1, 2])
def test_a_damaged_record_is_counted_and_the_others_are_looked_at(root, capsys, processes):
    interchange.main(["interchange", "--input=set", "--output=records", "--processes=1"])
    damage_record(root / "records", "0.png")
    assert check.main(["check", "records", "--output=report", f"--processes={processes}"]) == 3
    assert "records: found 6 = usable 5 + unusable 1\n" in capsys.readouterr().out
    part = json.loads(Path("report/report.json").read_bytes())["sets"]["records"]
    assert part["unusable"] == {"record cannot be read": 1} and part["masks"] == 5
    (fault,) = part["unusable_files"]
    assert fault["name"] == "0.png" and fault["detail"].startswith("0.png: damaged since its preparation")


def test_a_killed_worker_ends_the_check_which_keeps_nothing_and_says_so(root, capsys, monkeypatch):
    monkeypatch.setattr(check, "inspect", kill_itself)
    assert check.main(["check", "set", "--output=report", "--processes=2"]) == 1
    said = capsys.readouterr().err
    assert "a worker process was killed" in said and "give fewer --processes, or the machine more memory" in said
    assert "kept" not in said and "goes on" not in said


def test_pictures_that_look_the_same_within_and_between_sets(root, capsys):
    save(root / "set/Au/copy.jpg", scene(103), quality=50)
    save(root / "other/halved.png", cv2.resize(scene(104, (128, 96)), (64, 48), interpolation=cv2.INTER_AREA))
    save(root / "other/new.png", scene(999))
    code, report = run("set", "other")
    assert code == 3
    assert report["sets"]["set"]["look_the_same"] == [["Au/3.png", "Au/copy.jpg"]]
    (shared,) = report["between"]
    assert shared["sets"] == ["set", "other"]
    assert [pair[:2] for pair in shared["pairs"]] == [["Au/4.png", "halved.png"]]
    assert (
        "set and other share pictures: 1 in set, 1 in other, such as Au/4.png = halved.png" in capsys.readouterr().out
    )


def test_pictures_that_two_sets_share_are_counted_not_their_pairs(root, capsys):
    for number in range(3):
        save(root / f"many/{number}.png", scene(0))
        save(root / f"more/{number}.png", scene(0))
    save(root / "more/compressed.jpg", scene(0), quality=50)
    _, report = run("many", "more")
    (shared,) = report["between"]
    assert {pair[0] for pair in shared["pairs"]} == {"0.png", "1.png", "2.png"}
    assert {pair[1] for pair in shared["pairs"]} == {"0.png", "1.png", "2.png", "compressed.jpg"}
    assert "many and more share pictures: 3 in many, 4 in more, such as 0.png = 0.png" in capsys.readouterr().out


def test_a_manipulated_picture_is_no_duplicate_of_its_own_original(root):
    save(root / "set/Au/host.png", scene(0))
    code, report = run("set")
    assert code == 0 and report["sets"]["set"]["look_the_same"] == []


@pytest.mark.parametrize("ground", [(128, 128, 128), (255, 0, 64), (255, 255, 255), (0, 0, 0)])
def test_the_contact_sheet_outlines_the_mask(root, ground):
    save(root / "one/a.png", np.full((160, 240, 3), ground, np.uint8))
    mask(root / "one/a_mask.png", size=(240, 160))
    run("one")
    sheet = np.asarray(Image.open("report/contact_sheet_one.png"))
    tile = sheet[:160, :240]
    white, black = ((tile == level).all(-1) for level in (255, 0))
    assert white[:80, 119].all() and white[79, :120].all()  # the border of the upper left quarter
    assert black[10:70, [117, 121]].all() and black[[77, 81], 10:110].all()  # which is seen on any ground
    for untouched in (tile[20:60, 20:100], tile[100:160], tile[:160, 140:]):
        assert (untouched == ground).all()


@pytest.mark.parametrize("begin", ["", "a" * 60])
def test_the_contact_sheet_writes_names_in_their_own_letters_and_the_ends_of_long_ones(root, begin):
    for letter in "ÄЖ?":
        save(root / f"one/{begin}{letter}.png", scene(0))
    run("one")
    sheet = np.asarray(Image.open("report/contact_sheet_one.png"))
    lines = [sheet[160:178, left : left + 240] for left in (0, 240, 480)]
    assert all((line != 40).any() and (line[:, -3:] == 40).all() for line in lines)  # within their tile
    assert not any((one == other).all() for one, other in itertools.combinations(lines, 2))


def test_images_and_masks_folders_are_pictures_with_masks(root):
    save(root / "label_in_wild/images/2251.jpg", scene(1))
    mask(root / "label_in_wild/masks/2251.png", size=(64, 48))
    code, report = run("label_in_wild")
    part = report["sets"]["label_in_wild"]
    assert code == 0
    assert (part["found"], part["manipulated"], part["authentic"]) == (1, 1, 0)


def test_casia1_with_its_modified_names_is_read_as_such(root):
    save(root / "CASIA1/Modified Tp/Tp/Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg", scene(1))
    (root / "CASIA1/Modified Tp/Tp/CM").mkdir()
    mask(root / "CASIA1/CASIA 1.0 groundtruth/Sp/Sp_D_CND_A_pla0005_pla0023_0281_gt.png", size=(64, 48))
    save(root / "CASIA1/Au/Au_pla_0005.jpg", scene(2))
    code, report = run("CASIA1")
    part = report["sets"]["CASIA1"]
    assert code == 0
    assert (part["found"], part["manipulated"], part["authentic"], part["unusable"]) == (2, 1, 1, {})


def test_casia1_with_its_masks_beside_the_folder_of_its_pictures_is_read_as_such(root):
    save(root / "CASIA1/CASIA 1.0 dataset/Modified Tp/Tp/Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg", scene(1))
    mask(root / "CASIA1/CASIA 1.0 groundtruth/Sp/Sp_D_CND_A_pla0005_pla0023_0281_gt.png", size=(64, 48))
    save(root / "CASIA1/CASIA 1.0 dataset/Au/Au_pla_0005.jpg", scene(2))
    save(root / "CASIA1/__MACOSX/._Au_pla_0005.jpg", scene(2))
    code, report = run("CASIA1")
    part = report["sets"]["CASIA1"]
    assert code == 0
    assert (part["found"], part["manipulated"], part["authentic"], part["unusable"]) == (2, 1, 1, {})


@pytest.mark.parametrize(
    ("names", "doubt"),
    [
        (("photos/a.jpg", "Ground truth/1.png"), "'Ground truth' in it is named as a folder of masks"),
        (("a.jpg", "Fake-Images-Masks/1.png"), "'Fake-Images-Masks' in it is named as a folder of masks"),
        (("photos/a.jpg", "GT/a.mat"), "'GT' in it is named as a folder of masks"),
        (("photos/a.jpg", "annotated/A.png"), "annotated/A.png and photos/a.jpg are named as a picture and its mask"),
        (("a.jpg", "a.png"), "a.jpg and a.png are named as a picture and its mask"),
    ],
)
def test_what_may_be_masks_is_not_taken_for_photographs(root, capsys, names, doubt):
    for number, name in enumerate(names):
        if name.endswith(".mat"):
            (root / "some" / name).parent.mkdir(parents=True)
            (root / "some" / name).write_bytes(b"no picture")
        else:
            save(root / "some" / name, scene(number))
    assert check.main(["check", "some"]) == 1
    said = capsys.readouterr().err
    assert f"PATH=some: {doubt}" in said and "data_prep.folder --images=... --masks=..." in said


def test_photographs_in_folders_with_other_files_are_authentic(root):
    for number, name in enumerate(("Canon/1.jpg", "Nikon/2.jpg", "weights/3.jpg")):
        save(root / "photos" / name, scene(number))
        (root / "photos" / name).with_name("Thumbs.db").touch()
        (root / "photos" / name).with_suffix(".txt").touch()
    _, report = run("photos")
    assert (report["sets"]["photos"]["usable"], report["sets"]["photos"]["authentic"]) == (3, 3)


def test_nothing_to_check(root, capsys):
    assert check.main(["check", "nowhere"]) == 1
    assert "PATH=nowhere: no such folder" in capsys.readouterr().err
    assert check.main(["check"]) == 2
    (root / "empty").mkdir()
    assert check.main(["check", "empty"]) == 1


def test_what_cannot_be_read_and_what_cannot_be_written_are_told_apart(root, capsys):
    assert check.main(["check", "x" * 300]) == 1
    assert "error: [Errno 36] File name too long: 'xxx" in capsys.readouterr().err
    Path("file").touch()
    assert check.main(["check", "set", "--output=file", "--processes=1"]) == 1
    assert "error: --output=file: cannot be written (" in capsys.readouterr().err


def test_processes_do_not_change_the_report(root):
    _, one = run("set")
    assert check.main(["check", "set", "--output=report2", "--processes=2"]) == 0
    assert json.loads((root / "report2/report.json").read_bytes()) == one


def test_inverted_masks_are_told_from_large_ones():
    small = np.zeros((40, 60), np.uint8)
    small[10:20, 10:30] = 1
    large = np.zeros((40, 60), np.uint8)
    large[2:38, 2:58] = 1  # most of the picture, none of its border
    assert looks_inverted(1 - small) and not looks_inverted(small) and not looks_inverted(large)


def test_hashes_survive_scaling_and_compression_and_tell_pictures_apart():
    hashes = [perceptual_hash(scene(seed, (256, 192))) for seed in range(40)]
    halved = [perceptual_hash(scene(seed, (128, 96))) for seed in range(40)]
    twins = duplicates.between(hashes, halved)
    assert [(twin.first, twin.second) for twin in twins] == [(number, number) for number in range(40)]
    assert perceptual_hash(np.full((50, 50, 3), 7, np.uint8)) == b""  # too plain to compare


def test_groups_of_duplicates_join_through_each_other(monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK", 2)  # groups cross the blocks' borders
    base = np.zeros(256, np.uint8)
    base[::3] = 1
    chain = [base.copy() for _ in range(3)]
    chain[1][:20] ^= 1
    chain[2][:40] ^= 1  # 20 from the second, 40 from the first
    far = 1 - base
    hashes = [np.packbits(bits).tobytes() for bits in (*chain, far, far)]
    assert duplicates.within([hashes[0], b"", hashes[3], hashes[1], hashes[4], hashes[2]]) == [[0, 3, 5], [2, 4]]


def frames(count):
    """Hashes that are all near each other, and all different."""
    return [(number << 16).to_bytes(32, "little") for number in range(count)]


def test_of_two_sets_each_picture_has_its_nearest_twin(monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK", 7)
    hashes, far = frames(50), b"\xff" * 32
    twins = duplicates.between([far, *hashes], [b"", *hashes, *hashes[:10]])
    again = [(number - 50, number, 0) for number in range(51, 61)]
    assert twins == sorted([(number, number, 0) for number in range(1, 51)] + again)  # 60 of 3,000 pairs
    shifted = [item[:-1] + b"\x07" for item in hashes[:2]]
    assert duplicates.between(hashes, shifted)[:3] == [(0, 0, 3), (1, 1, 3), (2, 0, 4)]
    assert len(duplicates.between(hashes, shifted)) == 50


def test_the_memory_to_compare_grows_with_the_pictures_not_with_their_pairs(monkeypatch):
    monkeypatch.setattr(duplicates, "BLOCK", 32)

    def peak(count):
        hashes = frames(count)
        tracemalloc.start()
        assert duplicates.within(hashes) == [list(range(count))]
        assert len(duplicates.between(hashes, hashes)) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(512) < 2.5 * peak(256)


def test_a_set_repeated_many_times_is_quick_to_compare():
    rng = np.random.default_rng(0)
    hashes = [rng.bytes(32) for _ in range(10)] * 2000
    assert [len(group) for group in duplicates.within(hashes)] == [2000] * 10


def test_the_published_part_holds_what_it_says(tmp_path):
    assert check.main(["check", str(real_data("casia1")), f"--output={tmp_path}", "--processes=2"]) == 0
    part = json.loads((tmp_path / "report.json").read_bytes())["sets"]["casia1"]
    assert (part["manipulated"], part["authentic"], part["unusable"]) == (240, 207, {})
    assert part["share"]["median"] == pytest.approx(0.059, abs=0.001)


def test_a_folder_prepared_twice_shares_every_picture(root, capsys):
    for name in ("one", "two"):
        folder.main(["folder", "--images=set/Tp", "--masks=set/Gt", f"--output={name}", "--processes=1"])
    photo(root / "unused.png")
    code, report = run("one", "two")
    assert code == 3 and len(report["between"][0]["pairs"]) == 6


def test_pictures_whose_lower_half_is_lost_are_counted(tmp_path, capsys):
    photo(tmp_path / "set/whole.jpg", size=(160, 120), seed=1)
    data = photo(tmp_path / "set/lost.jpg", size=(160, 120), seed=2, quality=98).read_bytes()
    (tmp_path / "set/lost.jpg").write_bytes(data[: len(data) * 2 // 3] + b"\xff\xd9")
    flags = [f"--output={tmp_path / 'report'}", "--processes=1"]
    assert check.main(["check", str(tmp_path / "set"), *flags]) == check.FOUND_SOMETHING
    assert "1 end in rows of plain grey, as where a file's data were lost, such as lost.jpg" in capsys.readouterr().out
    out = tmp_path / "records"
    assert folder.main(["folder", f"--images={tmp_path / 'set'}", f"--output={out}", "--processes=1"]) == 0
    remarks = index_of(out)["report"]["remarks"]
    assert remarks == {"picture: last rows are plain grey, as where a file's data were lost": 1}
