"""Which paths are patterns to TensorFlow: asked of TensorFlow."""

import string

import pytest
import tensorflow as tf

from gsr_tf.data.patterns import is_pattern


@pytest.mark.parametrize("mark", sorted({*string.punctuation, " ", "é"} - {"/"}))
def test_a_path_is_a_pattern_where_tensorflow_finds_something_else_by_it(tmp_path, mark):
    for other in {mark, "-", ""}:
        (tmp_path / f"model{other}1]").mkdir()
    path = tmp_path / f"model{mark}1]"
    assert is_pattern(path) == (tf.io.gfile.glob(str(path)) != [str(path)])
