"""What answers must not take the place of; both commands ask before they write."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from gsr_tf import predict, predict_beam
from gsr_tf.answers import inputs, taken
from gsr_tf.answers.inputs import InputError, Source
from gsr_tf.answers.shards import WORK
from gsr_tf.data.pictures import encode_png

OVERVIEWS = (predict.SHEET, "results.csv", "results.jsonl")


def picture(path, grey=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(np.full([8, 8, 3], grey, np.uint8)))
    os.utime(path, (1e9, 1e9))
    return path


def run(command, given, output):
    return command.main(["predict", "--method=all-positive", given, f"--output={output}"])


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def put_down(journal, path, name="page1"):
    """As an earlier call would have."""
    journal.parent.mkdir(exist_ok=True)
    with journal.open("a") as file:
        record = {"name": name, "file": f"{name}.png", "path": str(path), "settings": {}, "stamp": {}}
        file.write(json.dumps(record) + "\n")


def found(path, name="page1"):
    return [Source(Path(path).name, name, Path(path))]


def test_a_picture_gets_no_other_ones_answer(tmp_path, capsys):
    """The two are told apart by nothing but their folders: name, size and time are the same."""
    first, second, out = picture(tmp_path / "a/page1.png", 1), picture(tmp_path / "b/page1.png", 2), tmp_path / "out"
    assert run(predict, f"--input={first.parent}", out) == 0
    before = contents(out)
    for command in (predict, predict_beam):
        assert run(command, f"--input={second.parent}", out) == 1
        said = capsys.readouterr().err
        assert f"page1 there is the answer for {first}, and that for {second} would take its place" in said
    assert contents(out) == before
    assert run(predict, f"--input={first.parent}", out) == 0


@pytest.mark.parametrize("journal", ["results.jsonl", "answers-00003-of-00007.jsonl"])
def test_whose_file_is_gone_has_moved(tmp_path, journal):
    first, second = picture(tmp_path / "a/page1.png"), picture(tmp_path / "b/page1.png")
    put_down(tmp_path / "out" / journal, tmp_path / "gone/page1.png")
    taken.check(found(second), tmp_path / "out", OVERVIEWS)
    put_down(tmp_path / "out" / journal, first)
    taken.check(found(second, "deep/page1"), tmp_path / "out", OVERVIEWS)
    with pytest.raises(InputError, match="page1 there is the answer for .*/a/page1.png"):
        taken.check(found(second), tmp_path / "out", OVERVIEWS)
    shutil.rmtree(first.parent)
    taken.check(found(second), tmp_path / "out", OVERVIEWS)


def test_one_file_under_other_paths_is_itself(tmp_path, monkeypatch):
    path = picture(tmp_path / "a/page1.png")
    put_down(tmp_path / "out/results.jsonl", path)
    (tmp_path / "link").symlink_to("a")
    taken.check(found(tmp_path / "link/page1.png"), tmp_path / "out")
    monkeypatch.chdir(path.parent)
    taken.check(found("page1.png"), tmp_path / "out")
    path.unlink()
    taken.check(found("page1.png"), tmp_path / "out")  # it is for the answers to say that it is gone


def test_a_source_that_is_no_file_takes_no_files_place(tmp_path):
    put_down(tmp_path / "out/results.jsonl", picture(tmp_path / "a/page1.png"))
    for source in (*found(tmp_path / "gone/page1.png"), Source("standard input", "page1", None)):
        with pytest.raises(InputError, match="page1 there is the answer for"):
            taken.check([source], tmp_path / "out")


def test_records_are_told_by_their_index(tmp_path):
    index, other = picture(tmp_path / "one/index.json"), picture(tmp_path / "two/index.json")
    put_down(tmp_path / "out/answers-00000-of-00001.jsonl", index)
    taken.check([Source("page1.png", "page1", index, record=4)], tmp_path / "out")
    with pytest.raises(InputError, match="one/index.json, and that for .*two/index.json"):
        taken.check([Source("page1.png", "page1", other, record=4)], tmp_path / "out")


@pytest.mark.parametrize("command", [predict, predict_beam])
def test_answers_of_a_folder_within_or_around_stay(tmp_path, capsys, monkeypatch, command):
    """The same picture by another method, even: each folder's list says what its files are."""
    path, out = picture(tmp_path / "pictures/scans/a/page1.png"), tmp_path / "out"
    (tmp_path / "names.txt").write_text("scans/a/page1.png\n")
    monkeypatch.chdir(tmp_path / "pictures")
    inner, outer = f"--input={path.parent.parent}/*/*.png", f"--list={tmp_path / 'names.txt'}"
    for first, folder, second, other, said in [
        (inner, out / "scans", outer, out, f"the answer a/page1 of {out}/scans would be overwritten"),
        (outer, out, inner, out / "scans", f"the answer scans/a/page1 of {out} would be overwritten"),
    ]:
        assert run(predict, first, folder) == 0
        before = contents(out)
        assert run(command, second, other) == 1
        assert said in capsys.readouterr().err and contents(out) == before
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(other)
        assert run(command, second, link) == 1 and contents(out) == before
        assert run(command, f"--input={picture(tmp_path / 'b/other.png')}", other) == 0
        shutil.rmtree(out)


def test_what_two_folders_list_already_and_what_was_not_answered_is_free(tmp_path):
    out, path = tmp_path / "out", tmp_path / "page1.png"
    put_down(out / "results.jsonl", path, "scans/page1")
    with pytest.raises(InputError, match="the answer scans/page1 of .*out would be overwritten"):
        taken.check(found(path), out / "scans")
    put_down(out / "scans/results.jsonl", path)
    taken.check(found(path), out / "scans")
    record = {"name": "scans/page2", "file": "", "path": "", "settings": {}, "stamp": {}, "error": "no picture"}
    with (out / "results.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    taken.check(found(tmp_path / "page2.png", "page2"), out / "scans")


def test_own_files_are_not_overwritten(tmp_path, capsys):
    path = picture(tmp_path / "pairs/p1.bmp")
    (tmp_path / "names.txt").write_text(f"{path}\n")
    for name in ("p1_mask.png", "index.html", "results.csv"):
        (path.parent / name).write_text("mine")
    before = contents(tmp_path)
    assert run(predict, f"--input={path}", path.parent) == 1
    said = "pairs: index.html, results.csv, p1_mask.png would be overwritten, and no results.jsonl there names them"
    assert said in capsys.readouterr().err
    assert run(predict_beam, f"--input={path}", path.parent) == 1
    assert "pairs: p1_mask.png would be overwritten" in capsys.readouterr().err
    for given in (f"--input={path.parent}/*.bmp", f"--list={tmp_path / 'names.txt'}"):
        assert run(predict, given, path.parent) == 1
    assert "choose another folder" in capsys.readouterr().err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["page1.npz", "results.jsonl"])
def test_own_files_of_an_answers_names(tmp_path, name):
    (tmp_path / name).write_text('{"epoch": 1}\n')
    with pytest.raises(InputError, match=f"{name} would be overwritten"):
        taken.check(found(tmp_path / "a/page1.png"), tmp_path, OVERVIEWS)


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("gone")], ids=["folder", "link to nothing"])
def test_whatever_has_an_answers_name_is_somebodys_own(tmp_path, make):
    make(tmp_path / "page1_map.png")
    with pytest.raises(InputError, match="page1_map.png would be overwritten"):
        taken.check(found(tmp_path / "a/page1.png"), tmp_path)


@pytest.mark.parametrize("name", ["results.jsonl", f"{WORK}/00000-of-00001.list"])
def test_files_of_a_call_that_was_killed_are_answers(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    (tmp_path / "page1_map.png").touch()
    taken.check(found(tmp_path / "a/page1.png"), tmp_path, OVERVIEWS)


def test_answers_may_lie_beside_their_picture(tmp_path):
    path = picture(tmp_path / "p1.png")
    (tmp_path / "notes.txt").touch()
    taken.check(inputs.find(str(path), tmp_path), tmp_path, OVERVIEWS)
