"""By which paths TensorFlow finds no files of its own: asked of TensorFlow."""

import os
import string

import pytest
import tensorflow as tf

from gsr_tf.data.unfindable import NO_UTF8, PATTERN, why_unfindable


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
