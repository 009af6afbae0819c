import os
import time
import unicodedata

import pytest

from gsr_tf.data import lists


@pytest.fixture(name="read")
def _read(monkeypatch):
    """The folders that were read, in their order."""
    read, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: read.append(str(folder)) or listdir(folder))
    return read


def apart(name):
    return unicodedata.normalize("NFD", name)


def fill(folder, names):
    """The files in a folder that was written long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    os.utime(folder, (0, 0))


def test_plain_names_in_a_folder_with_accents_are_looked_for_without_reading_it(tmp_path, read):
    fill(tmp_path / "josé", ["0.jpg"])
    paths = [tmp_path / "josé" / f"{number}.jpg" for number in range(9)]
    assert list(map(lists.find, paths)) == paths and not read


def test_a_folder_is_read_once_for_all_names_that_it_has_in_another_form(tmp_path, read):
    names = [f"é{number}.jpg" for number in range(9)]
    fill(tmp_path, map(apart, names))
    assert [lists.find(tmp_path / name).name for name in names] == list(map(apart, names))
    assert lists.find(tmp_path / "à.jpg") == tmp_path / "à.jpg"  # is not there
    assert read == [str(tmp_path)]


def test_names_of_all_kinds_are_found_in_a_folder_of_another_form(tmp_path, read):
    fill(tmp_path / apart("été"), ["a.jpg", apart("é.jpg"), "à.jpg"])
    os.utime(tmp_path, (0, 0))
    found = [lists.find(tmp_path / "été" / name) for name in ("a.jpg", "é.jpg", "à.jpg", "b.jpg", "ô.jpg")]
    there, not_there = tmp_path / apart("été"), tmp_path / "été"
    assert found == [there / "a.jpg", there / apart("é.jpg"), there / "à.jpg", not_there / "b.jpg", not_there / "ô.jpg"]
    assert read == [str(tmp_path), str(there)]


def test_a_file_that_comes_later_is_found(tmp_path):
    fill(tmp_path, [apart("é.jpg")])
    assert lists.find(tmp_path / "à.jpg") == tmp_path / "à.jpg"
    now = time.time_ns()
    for name in ("à.jpg", "ô.jpg"):
        (tmp_path / apart(name)).touch()
        os.utime(tmp_path, ns=(now, now))  # as where the clock is too coarse to tell the two
        assert lists.find(tmp_path / name) == tmp_path / apart(name)


def test_of_two_files_that_may_be_meant_none_is(tmp_path):
    letters = unicodedata.normalize("NFD", "ệ")
    fill(tmp_path, [letters, letters[0] + letters[:0:-1]])
    assert lists.find(tmp_path / "ệ") == tmp_path / "ệ"


def test_a_path_that_no_disk_takes_is_itself(tmp_path):
    for path in (tmp_path / "a\0é" / "é.jpg", tmp_path / "a\0é" / "a.jpg", tmp_path / "none" / "é.jpg"):
        assert lists.find(path) == path


def test_a_name_whose_other_form_is_plain(tmp_path):
    (tmp_path / "K.png").touch()
    assert lists.find(tmp_path / "\u212a.png") == tmp_path / "K.png"  # the sign of the kelvin
