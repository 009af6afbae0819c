"""By which paths TensorFlow finds no files of its own: asked of TensorFlow."""

import os
import shutil
import string
import subprocess
import sys

import pytest
import tensorflow as tf

from gsr_tf.data.unfindable import NO_UTF8, OTHER_ALPHABET, PATTERN, why_unfindable


@pytest.mark.parametrize("mark", sorted({*string.punctuation, " ", "é"} - {"/"}))
def test_a_path_is_a_pattern_where_tensorflow_finds_something_else_by_it(tmp_path, mark):
    for other in {mark, "-", ""}:
        (tmp_path / f"model{other}1]").mkdir()
    path = tmp_path / f"model{mark}1]"
    assert why_unfindable(path) == (PATTERN if tf.io.gfile.glob(str(path)) != [str(path)] else "")


def test_tensorflow_takes_no_path_that_is_not_utf8(tmp_path):
    path = tmp_path / os.fsdecode(b"model\xe9")
    assert why_unfindable(path) == NO_UTF8
    with pytest.raises(UnicodeEncodeError):
        tf.io.gfile.makedirs(str(path))


MAKES_FOLDERS = """
import os, sys
import tensorflow as tf
from gsr_tf.data.unfindable import why_unfindable
for name in ("plain", "caf\\xe9", "caf\\u0142"):
    tf.io.gfile.makedirs(name)
    found = name.encode(sys.getfilesystemencoding(), "replace") in os.listdir(b".")
    print(ascii(name), found, why_unfindable(name))
"""


@pytest.mark.skipif(not shutil.which("localedef"), reason="no localedef, which makes a locale")
@pytest.mark.parametrize("utf8", ["0", "1"])
def test_tensorflow_writes_elsewhere_where_names_are_in_another_alphabet(tmp_path, utf8):
    locales, folder = tmp_path / "locales", tmp_path / "folder"
    folder.mkdir()
    locales.mkdir()
    if subprocess.run(["localedef", "-i", "en_US", "-f", "ISO-8859-1", locales / "en_US"]).returncode:
        pytest.skip("localedef has no ISO-8859-1")
    latin = {"LOCPATH": str(locales), "LC_ALL": "en_US", "PYTHONUTF8": utf8}
    paths = {"PYTHONPATH": os.pathsep.join([os.getcwd(), *sys.path])}
    command = [sys.executable, "-c", MAKES_FOLDERS]
    said = subprocess.run(command, cwd=folder, env={**os.environ, **latin, **paths}, capture_output=True, check=True)
    why = "" if utf8 == "1" else OTHER_ALPHABET.format("iso8859-1")
    expected = ["'plain' True ", rf"'caf\xe9' {not why} {why}", rf"'caf\u0142' {not why} {why}"]
    assert said.stdout.decode().splitlines() == expected


def test_advice_is_about_the_alphabet_before_it_is_about_the_name(monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    assert why_unfindable("model") == ""
    assert why_unfindable(os.fsdecode(b"model\xe9")) == why_unfindable("caf\xe9") == OTHER_ALPHABET.format("ascii")
