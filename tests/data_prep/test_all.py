import gzip
import io
import json
import os
import shutil
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from data_prep import all as prepare_all
from data_prep.reading.archives import archive_stem, unpack_archive
from data_prep.reading.entries import PreparationError
from gsr_tf.data.records import open_records
from tests.data_prep.pictures import index_of, mask, mask_counts, masks_by_name, photo, read_all


def casia1(root):
    photo(root / "Tp/Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg")
    mask(root / "CASIA 1.0 groundtruth/Sp/Sp_D_CND_A_pla0005_pla0023_0281_gt.png")
    (root / "Tp/CM").mkdir()
    photo(root / "Au/Au_pla_0005.jpg")


def carvalho(root):
    photo(root / "DSO-1/splicing-01.png")
    photo(root / "DSO-1/normal-01.png")
    mask(root / "DSO-1-Fake-Images-Masks/splicing-01.png", value=0, background=255)


def coco(root):
    photo(root / "val2017/a.jpg")
    pixels = np.zeros((24, 32), np.uint8, order="F")
    pixels[:10, :10] = 1
    outline = {"size": [24, 32], "counts": coco_mask.encode(pixels)["counts"].decode()}
    annotations = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 24, "width": 32}],
        "annotations": [{"id": 1, "image_id": 1, "iscrowd": 0, "segmentation": outline}],
    }
    (root / "annotations").mkdir()
    (root / "annotations/instances_val2017.json").write_text(json.dumps(annotations))


def columbia(root):
    photo(root / "4cam_splc/4cam_splc/canong3_canonxt_sub_01.tif", size=(64, 48))
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[..., 0] = 200
    colours[:24, :32] = (0, 200, 0)
    (root / "4cam_splc/4cam_splc/edgemask").mkdir()
    Image.fromarray(colours).save(root / "4cam_splc/4cam_splc/edgemask/canong3_canonxt_sub_01_edgemask.jpg")
    photo(root / "4cam_auth/4cam_auth/canong3_02_sub_01.tif")


def run(tmp_path):
    flags = [f"--input={tmp_path / 'downloads'}", f"--output={tmp_path / 'out'}", "--processes=1"]
    return prepare_all.main(["all", *flags])


def test_folders_and_archives_are_recognised_and_prepared(tmp_path, capsys):
    downloads = tmp_path / "downloads"
    casia1(downloads / "some folder/CASIA1")
    coco(downloads)
    carvalho(tmp_path / "tifs-database")
    shutil.make_archive(str(downloads / "tifs-database"), "zip", tmp_path, "tifs-database")
    assert run(tmp_path) == 0
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["carvalho", "casia1", "coco_val2017", "unpacked"]
    assert len(open_records(out / "casia1")) == 2
    assert mask_counts(out / "carvalho") == {
        "splicing-01.png": 1,
        "normal-01.png": 0,
    }
    assert len(read_all(out / "coco_val2017")[0]["masks"]) == 1
    text = capsys.readouterr().out
    assert "prepared: casia1, carvalho, coco_val2017" in text
    assert "COVERAGE (COVER): not there. 100 manipulated and 100 authentic pictures" in text
    assert "github.com/wenbihan/coverage" in text
    assert run(tmp_path) == 0  # again: everything is there


def test_imd2020_is_recognised_in_the_form_that_others_hand_on(tmp_path, capsys):
    root = tmp_path / "downloads/imd2020"
    photo(root / "Tp/00028_fake.jpg")
    mask(root / "Gt/00028_fake.png")
    photo(root / "Au/00056_orig.jpg")
    for part, name in (("Tp", "a.jpg"), ("Gt", "a.png"), ("Au", "b.jpg")):  # that form, of some other set
        (mask if part == "Gt" else photo)(tmp_path / "downloads/other" / part / name)
    assert run(tmp_path) == 0
    assert mask_counts(tmp_path / "out/imd2020") == {"00028_fake.jpg": 1, "Au/00056_orig.jpg": 0}
    text = capsys.readouterr().out
    assert "prepared: imd2020\n" in text and "IMD2020: not there" not in text


def test_the_two_archives_of_one_set_are_taken_together(tmp_path):
    columbia(tmp_path)
    (tmp_path / "downloads").mkdir()
    for name in ("4cam_splc", "4cam_auth"):
        shutil.make_archive(str(tmp_path / "downloads" / name), "bztar", tmp_path / name)
    assert run(tmp_path) == 0
    assert mask_counts(tmp_path / "out/columbia") == {
        "canong3_canonxt_sub_01.tif": 1,
        "4cam_auth/canong3_02_sub_01.tif": 0,
    }


def test_a_set_without_its_authentic_pictures_is_prepared_and_reported(tmp_path, capsys):
    columbia(tmp_path)
    (tmp_path / "downloads").mkdir()
    shutil.make_archive(str(tmp_path / "downloads/4cam_splc"), "bztar", tmp_path / "4cam_splc")
    for _ in range(2):  # once finished it is still not whole
        assert run(tmp_path) == 1
        captured = capsys.readouterr()
        assert "columbia: none of its 183 authentic pictures was found" in captured.err
        assert "prepared: columbia" in captured.out


def test_a_set_without_a_pair_is_reported_and_not_prepared(tmp_path, capsys):
    carvalho(tmp_path / "downloads")
    masks = tmp_path / "downloads/DSO-1-Fake-Images-Masks"
    (masks / "splicing-01.png").rename(masks / "splicing-01_label.png")
    assert run(tmp_path) == 1
    captured = capsys.readouterr()
    assert "carvalho: " in captured.err and "none of its 1 manipulated pictures is paired with a mask" in captured.err
    assert "splicing-01.png: no mask, a mask's name is its picture's, with or without _gt, -gt" in captured.err
    assert "prepared: nothing" in captured.out and not (tmp_path / "out/carvalho").exists()


def test_casia1_with_its_modified_names_is_seen_from_the_folder_above(tmp_path):
    casia1(tmp_path / "downloads/CASIA1")
    (tmp_path / "downloads/CASIA1/Modified Tp").mkdir()
    (tmp_path / "downloads/CASIA1/Tp").rename(tmp_path / "downloads/CASIA1/Modified Tp/Tp")
    assert run(tmp_path) == 0
    assert list(masks_by_name(tmp_path / "out/casia1")) == [
        "Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg",
        "Au/Au_pla_0005.jpg",
    ]


CASIA1_NAMES = {"Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg": 1, "Au/Au_pla_0005.jpg": 0}


def in_parts(root):
    """CASIA 1 in the parts that it is offered in: pictures, authentic ones, and masks."""
    casia1(root)
    (root / "Tp/CM").rmdir()
    (root / "Modified Tp").mkdir()
    (root / "Tp").rename(root / "Modified Tp/Tp")
    return "Modified Tp", "Au", "CASIA 1.0 groundtruth"


def casia2_in_parts(root):
    photo(root / "CASIA2.0_revised/Tp/Tp_D_CRN_S_N_cha00063_art00014_11818.jpg")
    photo(root / "CASIA2.0_revised/Au/Au_cha_00063.jpg")
    mask(root / "CASIA2.0_Groundtruth/Tp_D_CRN_S_N_cha00063_art00014_11818_gt.png")


def prepared(tmp_path, name):
    assert index_of(tmp_path / "out" / name)["counts"]["originals"] == 1
    return mask_counts(tmp_path / "out" / name)


def test_masks_beside_the_folder_of_their_pictures_are_found(tmp_path):
    downloads = tmp_path / "downloads"
    *pictures, _ = in_parts(downloads / "CASIA1")
    (downloads / "CASIA1/CASIA 1.0 dataset").mkdir()
    for part in pictures:
        (downloads / "CASIA1" / part).rename(downloads / "CASIA1/CASIA 1.0 dataset" / part)
    casia2_in_parts(downloads)
    assert run(tmp_path) == 0
    assert prepared(tmp_path, "casia1") == CASIA1_NAMES
    assert prepared(tmp_path, "casia2") == {
        "Tp_D_CRN_S_N_cha00063_art00014_11818.jpg": 1,
        "Au/Au_cha_00063.jpg": 0,
    }


def test_three_archives_of_one_set_are_taken_together_and_another_sets_authentic_pictures_are_not(tmp_path, capsys):
    downloads = tmp_path / "downloads"
    for part in in_parts(tmp_path / "parts"):
        (tmp_path / "zipped" / part).mkdir(parents=True)
        (tmp_path / "parts" / part).rename(tmp_path / "zipped" / part / part)
        shutil.make_archive(str(tmp_path / "downloads" / part), "zip", tmp_path / "zipped" / part)
    casia2_in_parts(downloads)
    shutil.rmtree(downloads / "CASIA2.0_revised/Au")
    assert run(tmp_path) == 1
    assert prepared(tmp_path, "casia1") == CASIA1_NAMES
    assert list(masks_by_name(tmp_path / "out/casia2")) == ["Tp_D_CRN_S_N_cha00063_art00014_11818.jpg"]
    assert "casia2: none of its 7,491 authentic pictures was found" in capsys.readouterr().err


@pytest.mark.parametrize("above", ["", "masks"])
def test_another_sets_parts_below_the_same_folder_are_not_taken(tmp_path, capsys, above):
    """Where the set's own folder is that of all downloads."""
    downloads = tmp_path / "downloads"
    *_, authentic, masks = in_parts(downloads)
    (downloads / above).mkdir(exist_ok=True)
    (downloads / masks).rename(downloads / above / masks)
    (downloads / "casia1-au").mkdir()
    (downloads / authentic).rename(downloads / "casia1-au" / authentic)
    casia2_in_parts(downloads / "CASIA2")
    (downloads / "CASIA2/CASIA2.0_Groundtruth").rename(downloads / "CASIA2/CASIA2.0_revised/Gt")
    assert run(tmp_path) == 0
    assert prepared(tmp_path, "casia1") == CASIA1_NAMES
    assert set(prepared(tmp_path, "casia2")) == {"Tp_D_CRN_S_N_cha00063_art00014_11818.jpg", "Au/Au_cha_00063.jpg"}


def test_pictures_without_their_masks_are_recognised(tmp_path, capsys):
    casia2_in_parts(tmp_path / "downloads")
    shutil.rmtree(tmp_path / "downloads/CASIA2.0_Groundtruth")
    assert run(tmp_path) == 1
    captured = capsys.readouterr()
    assert "casia2: " in captured.err and "CASIA2.0_revised: its masks are not there" in captured.err
    assert "--input" not in captured.err and "get them from https://github.com/namtpham/casia2" in captured.err
    assert "CASIA 2.0: not there" not in captured.out


def test_one_bad_archive_does_not_keep_the_others_from_being_prepared(tmp_path, capsys):
    casia1(tmp_path / "downloads/CASIA1")
    (tmp_path / "downloads/broken.zip").write_bytes(b"PK no archive")
    (tmp_path / "downloads/columbia.rar").write_bytes(b"Rar!")
    assert run(tmp_path) == 1
    captured = capsys.readouterr()
    assert "broken.zip: cannot be unpacked (file could not be opened successfully); download it again" in captured.err
    assert "columbia.rar: unpack it by hand" in captured.err
    assert "prepared: casia1" in captured.out


def test_names_of_downloads_begin_no_lines_and_move_no_cursor(tmp_path, capsys):
    coco(tmp_path / "downloads")
    name = "ev\x1b[2J\nerror: forged"
    annotations = tmp_path / "downloads/annotations"
    (annotations / "instances_val2017.json").rename(annotations / f"instances_{name}.json")
    (tmp_path / "downloads/val2017").rename(tmp_path / "downloads" / name)
    assert run(tmp_path) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text and not any(line.startswith("error") for line in text.splitlines())
    shown = r"coco_ev\x1b[2J\nerror: forged"
    assert f"\n{shown}\nfound 1 = kept 1" in text and f"prepared: {shown}\n" in text
    assert f"records in {tmp_path / 'out'}/{shown}: 1 pictures" in text


def test_an_archive_that_was_replaced_is_named_and_nothing_that_was_unpacked_is_lost(tmp_path):
    archive = tar(tmp_path / "set.tar", "w", ("mask", b"old"))
    folder = unpack_archive(archive, tmp_path)
    (folder / "mask").write_bytes(b"corrected")
    assert unpack_archive(archive, tmp_path) == folder
    before = archive.stat()
    tar(archive, "w", ("mask", b"new"))
    os.utime(archive, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(PreparationError, match="set.tar: has changed since it was unpacked into .*set; delete that"):
        unpack_archive(archive, tmp_path)
    assert (folder / "mask").read_bytes() == b"corrected"
    shutil.rmtree(folder)
    assert (unpack_archive(archive, tmp_path) / "mask").read_bytes() == b"new"


@pytest.mark.parametrize("note", [None, b"[]", b"{"])
def test_what_was_unpacked_by_hand_is_taken(tmp_path, note, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", None)  # no room is needed for it
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "set").symlink_to("elsewhere")
    if note:
        (tmp_path / ".set.json").write_bytes(note)
    archive = tar(tmp_path / "set.tar", "w", ("mask", b"old"))
    for _ in range(2):
        assert list(unpack_archive(archive, tmp_path).iterdir()) == []
    archive.write_bytes(b"another")
    with pytest.raises(PreparationError, match="has changed"):
        unpack_archive(archive, tmp_path)


def test_two_archives_of_one_stem_do_not_take_each_others_folder(tmp_path):
    first, second = (tar(tmp_path / name, "w", (name, b"x")) for name in ("a.tar", "a.tgz"))
    assert [path.name for path in unpack_archive(first, tmp_path).iterdir()] == ["a.tar"]
    with pytest.raises(PreparationError, match="a.tgz: would be unpacked where a.tar is, .*/a; rename it"):
        unpack_archive(second, tmp_path)


def test_nothing_there(tmp_path, capsys):
    (tmp_path / "downloads").mkdir()
    assert run(tmp_path) == 1
    assert "CASIA 2.0: not there. 5,123 manipulated" in capsys.readouterr().out


def test_downloads_that_cannot_be_read_and_an_output_that_cannot_be_written_are_told_apart(tmp_path, capsys):
    output = tmp_path / "output"
    assert prepare_all.main(["all", f"--input={'x' * 300}", f"--output={output}"]) == 1
    assert "error: [Errno 36] File name too long: 'xxx" in capsys.readouterr().err
    tar(tmp_path / "a.tar", "w", ("x", b""))
    output.touch()
    assert prepare_all.main(["all", f"--input={tmp_path}", f"--output={output}"]) == 1
    assert f"error: --output={output}: cannot be written (" in capsys.readouterr().err


@pytest.mark.parametrize("member", ["../outside.txt", "/outside.txt", "a/../../outside.txt"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_archives_that_reach_outside_are_refused(tmp_path, member, kind):
    archive = tmp_path / f"evil.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr(member, "x")
    else:
        with tarfile.open(archive, "w") as opened:
            info = tarfile.TarInfo(member)
            info.size = 1
            opened.addfile(info, io.BytesIO(b"x"))
    (tmp_path / "unpacked").mkdir()
    with pytest.raises(PreparationError, match="would land outside"):
        unpack_archive(archive, tmp_path / "unpacked")
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_archive_names():
    assert [archive_stem(Path(name)) for name in ("a.b.tar.gz", "A.ZIP", "x.jpg")] == ["a.b", "A", None]


def tar(path, mode, *members):
    """Members are (name, bytes) or (name, None): a link."""
    with tarfile.open(path, mode) as opened:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc"
            info.size = len(data or b"")
            opened.addfile(info, io.BytesIO(data or b""))
    return path


@pytest.mark.parametrize(
    ("name", "mode"), [("a.tbz", "w:bz2"), ("a.TGZ", "w:gz"), ("a.tbz2", "w:bz2"), ("a.txz", "w:xz"), ("a.zip", "w")]
)
def test_archives_are_opened_by_what_they_are(tmp_path, name, mode):
    folder = unpack_archive(tar(tmp_path / name, mode, ("deep/x.txt", b"words")), tmp_path)
    assert folder == tmp_path / "a" and (folder / "deep/x.txt").read_bytes() == b"words"


def test_a_file_that_is_both_archives_gives_what_was_checked(tmp_path):
    """A zip behind a tar's bytes: the one opener sees the same members before and while it unpacks."""
    data = tar(tmp_path / "inner.tar", "w", ("../outside.txt", b"x")).read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        opened.writestr("inside.txt", "x")
    (tmp_path / "both.tar").write_bytes(data + buffer.getvalue())
    folder = unpack_archive(tmp_path / "both.tar", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["inside.txt"]
    assert not (tmp_path / "outside.txt").exists()


def headed(path, mode, kind, size, *, first):
    """An archive with an extended header of this size, before its only other member or behind it."""
    header, member = tarfile.TarInfo("././@PaxHeader"), tarfile.TarInfo("a.jpg")
    header.type, header.size = kind, size
    parts = [header.tobuf(tarfile.USTAR_FORMAT) + bytes(size + -size % 512), member.tobuf()]
    with {"w": open, "w:gz": gzip.open}[mode](path, "wb") as file:
        file.write(b"".join(parts if first else parts[::-1]) + bytes(1024))


def assert_refused_unread(archive, message):
    """Without the memory that reading it would take; nothing is left beside it."""
    tracemalloc.start()
    with pytest.raises(PreparationError, match=message):
        unpack_archive(archive, archive.parent)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_headers_of_archives_do_not_fill_the_memory(tmp_path, mode, kind, first):
    headed(tmp_path / "set.tar", mode, kind, 10_000_000, first=first)
    assert_refused_unread(tmp_path / "set.tar", "set.tar: cannot be unpacked .a header of 10,000,000 bytes")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"GNU.sparse.size": "0"},
        {"GNU.sparse.map": "0,0"},
        {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"},
    ],
    ids=["gnu", "0.0", "0.1", "1.0"],
)
def test_maps_of_holes_are_not_read(tmp_path, headers):
    """Which may have any length: an archive of 58 kB took 1.5 GB."""
    member, data = tarfile.TarInfo("a.jpg"), b"1000000\n" + b"0\n" * 2_000_000
    member.type, member.pax_headers = (tarfile.REGTYPE if headers else tarfile.GNUTYPE_SPARSE), headers
    member.size = len(data)
    with gzip.open(tmp_path / "set.tar.gz", "wb", compresslevel=1) as file:
        file.write(member.tobuf(tarfile.PAX_FORMAT if headers else tarfile.GNU_FORMAT) + data + bytes(1024))
    message = "set.tar.gz: holds a file with holes .*; unpack this archive by hand"
    assert_refused_unread(tmp_path / "set.tar.gz", message)


def test_a_name_in_an_extended_header_is_unpacked(tmp_path):
    name = "/".join(["x" * 200] * 10)
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        archive = tmp_path / f"form{form}.tar"
        with tarfile.open(archive, "w", format=form) as opened:
            opened.addfile(tarfile.TarInfo(name))
        assert (unpack_archive(archive, tmp_path) / name).is_file()


def in_the_far_future(path):
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as opened:
        info = tarfile.TarInfo("a.jpg")
        info.pax_headers = {"mtime": "1e300"}
        opened.addfile(info)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (in_the_far_future, "cannot be unpacked .*; download it again"),
        (lambda path: path.write_bytes(b"\xfd7zXZ\0" + b"x" * 200), "cannot be unpacked"),
        (lambda path: tar(path, "w", ("link", None)), "link is a link or device"),
        (lambda path: tar(path, "w", ("x", b"1"), ("./x", b"2")), "holds 'x' twice"),
        (lambda path: tar(path, "w", ("x" * 300, b"1")), "cannot be unpacked .File name too long"),
        (lambda path: tar(path, "w", ("x", b"1"), ("x/y", b"2")), "cannot be unpacked"),
        (lambda path: path.write_bytes(tar(path, "w:xz", ("x", bytes(9999))).read_bytes()[:-60]), "cannot be unpacked"),
    ],
    ids=["far future", "bad xz", "link", "twice", "long name", "file and folder", "cut"],
)
def test_odd_archives_are_named_and_leave_nothing(tmp_path, make, message):
    (tmp_path / "unpacked").mkdir()
    make(tmp_path / "odd.tar.xz")
    with pytest.raises(PreparationError, match=f"odd.tar.xz: .*{message}"):
        unpack_archive(tmp_path / "odd.tar.xz", tmp_path / "unpacked")
    assert list((tmp_path / "unpacked").iterdir()) == []


def test_an_archive_larger_than_the_disk_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    archive = tar(tmp_path / "bomb.tar.xz", "w:xz", ("zeros", bytes(100_000)))
    with pytest.raises(PreparationError, match="unpacked it has 100,000 bytes, and 1,000 are free"):
        unpack_archive(archive, tmp_path)
