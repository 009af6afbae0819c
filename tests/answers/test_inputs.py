import errno
import io
import os
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import pytest

from gsr_tf.answers import inputs
from gsr_tf.answers.inputs import InputError
from gsr_tf.data.example import parse_example
from gsr_tf.data.pictures import PictureError
from tests.tiny import authentic, manipulated, write_records


def tree(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def answers(sources):
    """{file: name of its answers}."""
    return {source.file: source.name for source in sources}


def test_one_file_whatever_its_suffix(tmp_path):
    path = tree(tmp_path, "scan.0001") / "scan.0001"
    (source,) = inputs.find(str(path), tmp_path / "out")
    assert (source.file, source.name, source.path) == ("scan.0001", "scan", path)
    assert source.read() == b"scan.0001"


def test_a_folder_keeps_its_tree_and_leaves_out_earlier_answers(tmp_path):
    tree(tmp_path, "a.jpg", "a.PNG", "b.png", "deep/b.png", "deep/c.heic", "notes.txt", "out/earlier.png")
    tree(tmp_path, "d.png", "D.jpg")
    found = inputs.find(str(tmp_path), tmp_path / "out")
    # Of two of a name each keeps its suffix; to some disks d and D are one.
    assert answers(found) == {
        "a.jpg": "a.jpg",
        "a.PNG": "a.PNG",
        "b.png": "b",
        "deep/b.png": "deep/b",
        "deep/c.heic": "deep/c",
        "d.png": "d.png",
        "D.jpg": "D.jpg",
    }
    assert [source.path for source in found] == sorted(source.path for source in found)


def test_what_a_folder_holds_besides_its_pictures_is_left_out_and_told(tmp_path, capsys):
    tree(tmp_path, "a.jpg", "b_mask.png", "phone.jfif", "c.jpe", "d.mpo", "e.avif", "f.jp2", "g.dng")
    tree(tmp_path, ".thumbnails/t.jpg", "__MACOSX/._a.jpg", "deep/._a.jpg", "deep/._b.jpg")
    tree(tmp_path, "old/results.jsonl", "old/a_map.png", "old/deep/b_overlay.jpg", "old/a_mask.png", "old/new.png")
    found = answers(inputs.find(str(tmp_path), tmp_path / "out"))
    assert list(found) == ["a.jpg", "b_mask.png", "c.jpe", "d.mpo", "old/new.png", "phone.jfif"]
    said = capsys.readouterr().err
    assert "left out 3, earlier answers: old/a_map.png, old/a_mask.png, old/deep/b_overlay.jpg\n" in said
    assert "left out 3, of formats that are not read: e.avif, f.jp2, g.dng\n" in said
    assert "left out 4, hidden: .thumbnails/t.jpg, __MACOSX/._a.jpg, deep/._a.jpg and 1 more\n" in said
    assert list(answers(inputs.find(str(tmp_path / "**/*.png"), tmp_path / "out"))) == ["b_mask.png", "old/new.png"]
    assert "left out 2, earlier answers" in capsys.readouterr().err
    (tmp_path / "old/results.jsonl").rename(tmp_path / "old/answers-00002-of-00007.jsonl")
    assert list(answers(inputs.find(str(tmp_path), tmp_path / "out"))) == list(found)


def test_linked_folders_are_looked_into_once_and_links_to_nothing_named(tmp_path):
    tree(tmp_path, "in/z/a.jpg", "disk/b.jpg")
    (tmp_path / "in/another").symlink_to(tmp_path / "in/z")
    (tmp_path / "in/linked").symlink_to(tmp_path / "disk")
    (tmp_path / "disk/round").symlink_to(tmp_path / "in")
    (tmp_path / "in/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    found = inputs.find(str(tmp_path / "in"), tmp_path / "out")
    assert list(answers(found)) == ["gone.jpg", "linked/b.jpg", "z/a.jpg"]
    with pytest.raises(PictureError, match="gone.jpg: cannot be read .No such file"):
        found[0].read()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_as_windows_writes_them(tmp_path, monkeypatch, encoding):
    tree(tmp_path, "a.jpg")
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("a.jpg\r\n   \r\nb é.jpg\r\n", encoding=encoding)
    assert answers(inputs.from_list("names.txt")) == {"a.jpg": "a", "b é.jpg": "b é"}
    Path("names.txt").write_bytes("a.jpg\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="--list=names.txt: text in UTF-16 without its mark"):
        inputs.from_list("names.txt")


def test_a_list_in_latin_1_is_told_from_names_of_bytes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_bytes("a.jpg\né.jpg\nö.jpg\n".encode("latin-1"))
    assert len(inputs.from_list("names.txt")) == 3
    assert capsys.readouterr().err == (
        "--list=names.txt: line 2 is not in UTF-8 (Latin-1, perhaps?); save it as UTF-8\n"
    )
    try:
        Path(os.fsdecode(b"\xf6.jpg")).write_bytes(b"")
    except OSError:
        pytest.skip("this disk has no names of any bytes")
    inputs.from_list("names.txt")
    assert capsys.readouterr().err == ""


def test_a_list_and_a_disk_may_write_accents_differently(tmp_path, monkeypatch):
    composed, apart = (unicodedata.normalize(form, "été/café.png") for form in ("NFC", "NFD"))
    tree(tmp_path, apart)
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text(composed, encoding="utf-8")
    (source,) = inputs.from_list("names.txt")
    assert source.read() == apart.encode()


def test_a_pattern_keeps_the_tree_below_its_fixed_part(tmp_path, monkeypatch):
    tree(tmp_path, "scans/one/a.jpg", "scans/two/deep/a.jpg", "scans/two/b.png", "out/c.jpg")
    monkeypatch.chdir(tmp_path)
    assert answers(inputs.find("scans/**/*.jpg", Path("out"))) == {
        "one/a.jpg": "one/a",
        "two/deep/a.jpg": "two/deep/a",
    }
    assert answers(inputs.find(str(tmp_path / "s*" / "two" / "?.png"), Path("out"))) == {
        "scans/two/b.png": "scans/two/b"
    }
    assert answers(inputs.find("scans/two/*", Path("out"))) == {"b.png": "b"}  # a folder is no picture
    with pytest.raises(InputError, match="matches no file"):
        inputs.find("out/*.jpg", Path("out"))


def test_a_link_to_itself_is_named_as_one_to_nothing(tmp_path):
    tree(tmp_path, "in/a.jpg")
    (tmp_path / "in/round.jpg").symlink_to("round.jpg")
    found = inputs.find(str(tmp_path / "in"), tmp_path / "out")
    assert list(answers(found)) == ["a.jpg", "round.jpg"]
    with pytest.raises(PictureError, match="round.jpg: cannot be read .Too many levels"):
        found[1].read()


def test_a_pattern_that_matches_only_in_the_output_folder_says_so(tmp_path):
    tree(tmp_path, "pairs/p1.bmp")
    with pytest.raises(InputError, match=r"matches no file outside --output=.*pairs; choose another folder"):
        inputs.find(str(tmp_path / "pairs/*.bmp"), tmp_path / "pairs")


def test_a_folder_with_brackets_is_a_folder(tmp_path, monkeypatch):
    tree(tmp_path, "sc [1]/deep/a.bmp", "sc 1/b.bmp", "sc [1]/c.png")
    assert answers(inputs.find(str(tmp_path / "sc [1]/**/*.bmp"), tmp_path / "out")) == {"deep/a.bmp": "deep/a"}
    monkeypatch.chdir(tmp_path)
    assert answers(inputs.find("sc [[]1]/*.png", Path("out"))) == {"sc [1]/c.png": "sc [1]/c"}


def test_a_file_with_brackets_is_a_file(tmp_path):
    tree(tmp_path, "photo[1].jpg", "photo1.jpg")
    assert answers(inputs.find(str(tmp_path / "photo[1].jpg"), tmp_path)) == {"photo[1].jpg": "photo[1]"}


def test_a_list_keeps_folders_and_names_that_are_no_file(tmp_path, monkeypatch):
    tree(tmp_path, "a.jpg", "deep/b.jpg")
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_bytes(b"a.jpg\n\ndeep/b.jpg\r\na.jpg\n../gone.png\nup/gone.png\n/scans/c.png\n\xff.png\n")
    found = inputs.from_list("names.txt")
    assert answers(found) == {
        "a.jpg": "a",
        "deep/b.jpg": "deep/b",
        "up/gone.png": "up/gone.png_",
        "scans/c.png": "scans/c",
        "\udcff.png": "\udcff",
    }
    names = [source.name for source in found]
    assert len(names) == len(set(names)) == 6
    with pytest.raises(PictureError, match="gone.png: cannot be read .No such file"):
        found[2].read()


def test_paths_that_become_one_name_have_answers_of_their_own_on_every_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("/up/A.png\n../a.png\nup/a.png\n/up/a.png\n")
    names = [source.name for source in inputs.from_list("names.txt")]
    assert names == ["up/A.png", "up/a.png_", "up/a.png__", "up/a.png___"]


@pytest.mark.parametrize("split", ["\x85", "\u2028", "\v", "\x1c"])
def test_a_name_in_a_list_may_have_what_looks_like_a_lines_end(tmp_path, monkeypatch, split):
    tree(tmp_path, f"a{split}b.png")
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text(f"a{split}b.png\n", encoding="utf-8")
    (source,) = inputs.from_list("names.txt")
    assert (source.file, source.read()) == (f"a{split}b.png", f"a{split}b.png".encode())


def test_a_list_may_name_folders_as_find_does(tmp_path, monkeypatch):
    tree(tmp_path, "d/a.png")
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text(".\n./d\n./d/a.png\n/\n..\n")
    found = inputs.from_list("names.txt")
    assert [source.name for source in found] == ["here", "d", "d/a", "here_", "up"]
    for number in (0, 1, 3, 4):
        with pytest.raises(PictureError, match="not a file"):
            found[number].read()


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"one/a.png\ntwo/a.png\n")))
    assert answers(inputs.from_list("-")) == {"one/a.png": "one/a", "two/a.png": "two/a"}
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"picture")))
    (source,) = inputs.find("-", Path("out"))
    assert (source.name, source.read()) == ("stdin", b"picture")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("none", "--input=.*none: no such file or folder"),
        ("empty", "--input=.*empty: no pictures there .*png"),
        ("*.tif", r"--input=.*\*.tif: matches no file"),
        ("out", "--output=.*(out|link) is --input"),
    ],
)
def test_nothing_to_predict(tmp_path, given, message):
    tree(tmp_path, "empty/notes.txt", "out/a.png")
    (tmp_path / "link").symlink_to("out")
    for output in ("out", "link"):
        with pytest.raises(InputError, match=message):
            inputs.find(str(tmp_path / given), tmp_path / output)


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def refused(folder):
        raise PermissionError(errno.EACCES, "Permission denied", f"{folder}/deep")

    monkeypatch.setattr(inputs.folders, "walk", refused)
    with pytest.raises(InputError, match=f"^{tmp_path}/deep: this folder cannot be read .Permission denied"):
        inputs.find(str(tmp_path), tmp_path / "out")


def test_an_empty_list(tmp_path):
    (tmp_path / "names.txt").write_text("\n \n")
    with pytest.raises(InputError, match="--list=.*names.txt: no names there"):
        inputs.from_list(str(tmp_path / "names.txt"))
    with pytest.raises(InputError, match="--list=.*none.txt: cannot be read .No such file"):
        inputs.from_list(str(tmp_path / "none.txt"))


def test_records_are_pictures_too(tmp_path):
    records = write_records(tmp_path / "records", [*manipulated(), *authentic()])
    found = inputs.from_records(str(tmp_path / "records"))
    assert [source.name for source in found] == records.columns["name"]
    assert [source.read() for source in found] == [parse_example(records.read(number)).image for number in range(12)]
    assert inputs._opened(records.path) is inputs._opened(records.path)  # not once a picture
