"""A folder that is no exported detector is refused before anything in it is loaded."""

import re

import pytest
import tensorflow as tf

from gsr_tf.inference import saved_model
from gsr_tf.inference.saved_model import DetectorError


def written(folder, signature, outputs, name="serving_default"):
    """A SavedModel of one signature that is called with `signature` and gives zeros under the names `outputs`."""
    module = tf.Module()
    module.zeros = tf.function(lambda x: dict.fromkeys(outputs, tf.zeros([])), input_signature=[signature])
    tf.saved_model.save(module, str(folder), signatures={name: module.zeros})


NUMBER, PICTURE = tf.TensorSpec([], tf.float32, "x"), tf.TensorSpec([None, None, 3], tf.uint8, "image")
FLOATS = tf.TensorSpec([None, None, 3], tf.float32, "image")


@pytest.mark.parametrize(
    ("signature", "outputs", "name", "message"),
    [
        (PICTURE, ["probability"], "other", "a SavedModel, but not a detector: no signature serving_default"),
        (NUMBER, ["probability"], "serving_default", "serving_default takes x, expected one picture, uint8"),
        (FLOATS, ["probability"], "serving_default", "serving_default takes image, expected one picture, uint8"),
        (PICTURE, ["class", "box"], "serving_default", "serving_default gives box, class, expected probability"),
    ],
)
def test_another_model_is_refused_unloaded(tmp_path, monkeypatch, signature, outputs, name, message):
    written(tmp_path / "model", signature, outputs, name)
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(DetectorError, match=f"--saved_model={tmp_path}/model: .*{message}; python -m gsr_tf.export"):
        saved_model.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "saved_model.pb: No such file or directory"), (b"\xff\xff no model", "saved_model.pb is damaged")],
)
def test_a_folder_without_a_model_is_refused_unloaded(tmp_path, monkeypatch, content, message):
    if content:
        (tmp_path / "saved_model.pb").write_bytes(content)
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(DetectorError, match=f"{tmp_path}: not a SavedModel folder .{message}"):
        saved_model.load(tmp_path)


def test_a_detector_that_lost_its_weights_is_damaged(tmp_path):
    written(tmp_path / "model", PICTURE, ["probability"])
    (tmp_path / "model/variables/variables.index").unlink()
    with pytest.raises(DetectorError, match="model: damaged (.|\n)*; export the model again"):
        saved_model.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["model[1]", "model\\1"])
def test_a_detector_in_a_folder_that_tensorflow_takes_for_a_pattern_is_not_called_damaged(tmp_path, name):
    written(tmp_path / "model", PICTURE, ["probability"])
    (tmp_path / "model").rename(tmp_path / name)
    with pytest.raises(DetectorError, match=re.escape(f"--saved_model={tmp_path / name}: to TensorFlow ") + ".*rename"):
        saved_model.load(tmp_path / name)


def test_what_looks_like_a_detector_and_cannot_be_called_is_refused(tmp_path):
    written(tmp_path / "model", PICTURE, ["probability"])
    with pytest.raises(DetectorError, match="but not a detector: it cannot be called"):
        saved_model.load(tmp_path / "model")
