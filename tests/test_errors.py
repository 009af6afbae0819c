"""What messages show of names that strangers gave."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf import command, predict
from gsr_tf.data.pictures import encode_png
from gsr_tf.errors import UserError, of_tensorflow, one_line

TITLE = "p\x1b]0;PWN\a\x1b[2K\rall answered.png"
ORDINARY = [
    "Łódź – 写真　1.png",
    "نامه\u200cها.png",
    "👩\u200d🔬 a\u00a0b\u202fc.png",
    r"C:\new\t.png",
    "'a' \"b\".png",
]


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stay_as_they_are(name):
    assert one_line(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (TITLE, r"p\x1b]0;PWN\x07\x1b[2K\rall answered.png"),
        ("a\nerror: b", r"a\nerror: b"),
        ("a\u2028b\x85c\x7f", r"a\u2028b\x85c\x7f"),
        ("gnp.\u202egpj\u202c", r"gnp.\u202egpj\u202c"),
        ("\udcff.png", r"\udcff.png"),
    ],
)
def test_what_speaks_to_a_terminal_is_written_out(name, shown):
    assert one_line(name) == shown


def test_errors_of_commands_are_one_line(capsys):
    def action(args):
        raise UserError(f"{TITLE}\nerror: nothing: damaged")

    assert command.main(action, "A test.", lambda values: None, ["test"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == rf"error: {one_line(TITLE)}\nerror: nothing: damaged"
    assert command.main(action, "A test.", lambda values: None, ["test", "--a\x1b[2K=1"]) == 2
    assert r"'a\x1b[2K'" in (said := capsys.readouterr().err) and "\x1b" not in said


def test_a_device_without_room_is_an_error_with_tensorflows_lines_and_its_other_errors_are_defects(capsys):
    def action(args):
        raise error(None, None, "OOM when allocating\n2 chunks")

    error = tf.errors.ResourceExhaustedError
    assert command.main(action, "A test.", lambda values: None, ["test"]) == 1
    assert capsys.readouterr().err == "error: OOM when allocating\n2 chunks\n"
    error = tf.errors.InvalidArgumentError
    with pytest.raises(error):
        command.main(action, "A test.", lambda values: None, ["test"])


def test_what_has_not_imported_tensorflow_has_none_of_its_errors(monkeypatch):
    assert of_tensorflow("AbortedError", "OutOfRangeError") == (tf.errors.AbortedError, tf.errors.OutOfRangeError)
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert of_tensorflow("AbortedError") == ()


def test_skipped_pictures_are_named_without_their_commands_to_the_terminal(tmp_path, capfd):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encode_png(np.zeros([8, 8, 3], np.uint8)))
    for name in (TITLE, "b\nerror: c.png"):
        (tmp_path / "in" / name).write_bytes(b"no picture")
    command_line = ["predict", "--method=all-positive", f"--input={tmp_path}/in", f"--output={tmp_path}/out"]
    assert predict.main(command_line) == 3
    said = capfd.readouterr().err
    assert rf"skipped {tmp_path}/in/{one_line(TITLE)}: not a picture" in said
    assert rf"skipped {tmp_path}/in/b\nerror: c.png: not a picture" in said
    assert "\x1b]" not in said and "\nerror" not in said
