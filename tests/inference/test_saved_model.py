"""A folder that is no exported detector is refused before anything in it is loaded."""

import json
import os
import re

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.inference import saved_model
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.metadata import METADATA, WAY, DetectorError
from gsr_tf.inference.score_maps import ScoreError


def written(folder, signature, outputs, name="serving_default"):
    """A SavedModel of one signature that is called with `signature` and gives a zero under the names `outputs`."""
    module = tf.Module()
    module.zeros = tf.function(lambda x: dict.fromkeys(outputs, tf.zeros([1, 1, 1])), input_signature=[signature])
    tf.saved_model.save(module, str(folder), signatures={name: module.zeros})


NUMBER, PICTURE = tf.TensorSpec([], tf.float32, "x"), tf.TensorSpec([None, None, 3], tf.uint8, "image")
FLOATS = tf.TensorSpec([None, None, 3], tf.float32, "image")
ONE_SIZE, BATCH = (tf.TensorSpec(shape, tf.uint8, "image") for shape in ([64, 48, 3], [None, None, None, 3]))


@pytest.mark.parametrize(
    ("signature", "outputs", "name", "message"),
    [
        (PICTURE, ["probability"], "other", "a SavedModel, but not a detector: no signature serving_default"),
        (NUMBER, ["probability"], "serving_default", "serving_default takes x, expected one picture, uint8"),
        (FLOATS, ["probability"], "serving_default", "serving_default takes image, expected one picture, uint8"),
        (ONE_SIZE, ["probability"], "serving_default", r"takes \[64, 48, 3\], expected one picture, .* of any size"),
        (BATCH, ["probability"], "serving_default", r"takes \[\?, \?, \?, 3\], expected one picture, .* of any size"),
        (PICTURE, ["class", "box"], "serving_default", "serving_default gives box, class, expected probability"),
    ],
)
def test_another_model_is_refused_unloaded(tmp_path, monkeypatch, signature, outputs, name, message):
    written(tmp_path / "model", signature, outputs, name)
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(DetectorError, match=f"--saved_model={tmp_path}/model: .*{message}; python -m gsr_tf.export"):
        saved_model.load(tmp_path / "model")


class Own(tf.Module):
    """A detector that someone made without this project: the map of a picture's levels, [h, w, 1] in 0..1."""

    def __init__(self, change=lambda levels: levels):
        super().__init__()
        self.change = change

    @tf.function(autograph=False, input_signature=[PICTURE])
    def __call__(self, image):
        levels = tf.reduce_mean(tf.cast(image, tf.float32), -1, keepdims=True) / 255.0
        return {"probability": self.change(levels), "levels": tf.reduce_mean(levels)}


def saved(folder, change):
    tf.saved_model.save(Own(change), str(folder))
    return folder


RANDOM = np.random.default_rng(0).integers(0, 256, [30, 40, 3], np.uint8)
LEVELS = RANDOM.mean(-1) / 255


@pytest.mark.parametrize("dtype", [tf.float32, tf.float16, tf.bfloat16, tf.float64])
def test_a_detector_of_ones_own_gives_its_map(tmp_path, dtype):
    maps = Detector.load(saved(tmp_path / "own", lambda levels: tf.cast(levels, dtype))).maps(RANDOM)
    assert list(maps) == ["probability"] and maps["probability"].dtype == np.float32
    np.testing.assert_allclose(maps["probability"], LEVELS, atol=1e-6 if dtype.size > 2 else 4e-3)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"config": {"resize_mode": "crop"}}, True),
        ({"config": {"resize_mode": "crop"}, "way": WAY - 1}, True),
        ({"config": {"resize_mode": "crop"}, "way": WAY}, False),
        ({"config": {"resize_mode": "crop", "method": "rgbn"}}, False),
        ({"config": {"resize_mode": "squash"}}, False),
        ({}, False),
    ],
)
def test_a_model_that_sees_pictures_at_sizes_of_another_version_is_named(tmp_path, capsys, metadata, said):
    path = saved(tmp_path / "own", lambda levels: levels) / METADATA
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(metadata))
    Detector.load(tmp_path / "own")
    line = f"--saved_model={tmp_path}/own: exported by another version, which sees pictures at other sizes: "
    assert capsys.readouterr().err.startswith(line) == said


@pytest.mark.parametrize(
    ("change", "form"),
    [
        (lambda levels: levels[..., 0], r"\[\?, \?\] of float32"),
        (lambda levels: tf.concat([1 - levels, levels], -1), r"\[\?, \?, 2\] of float32"),
        (lambda levels: levels[tf.newaxis], r"\[1, \?, \?, 1\] of float32"),
        (lambda levels: tf.cast(255 * levels, tf.uint8), r"\[\?, \?, 1\] of uint8"),
    ],
    ids=["flat", "two classes", "a batch", "levels"],
)
def test_a_map_of_another_form_is_refused_unloaded(tmp_path, monkeypatch, change, form):
    folder = saved(tmp_path / "own", change)
    monkeypatch.setattr(tf.saved_model, "load", None)
    expected = r"expected \[h, w, 1\] of float32, in 0..1; python -m gsr_tf.export"
    with pytest.raises(DetectorError, match=f"in serving_default probability is {form}; {expected}"):
        saved_model.load(folder)


def test_a_form_that_a_signature_does_not_tell_is_refused_when_it_comes(tmp_path):
    def flat(levels):
        shape = tf.shape(levels)[:2]
        return tf.reshape(levels, tf.boolean_mask(shape, shape > 0))  # TensorFlow knows no rank of this

    detector = Detector.load(saved(tmp_path / "own", flat))
    with pytest.raises(DetectorError, match=r"the model's probability is \[30, 40\] of float32; expected \[h, w, 1\]"):
        detector.segment(RANDOM)


@pytest.mark.parametrize(
    ("change", "reached"),
    [
        (lambda levels: 20 * (levels - 0.5), 20 * (LEVELS.max() - 0.5)),
        (lambda levels: 255 * levels, 255 * LEVELS.max()),
        (lambda levels: levels - 0.3, LEVELS.min() - 0.3),
    ],
    ids=["logits", "levels", "below"],
)
def test_values_that_are_no_probabilities_are_no_answer(tmp_path, change, reached):
    detector = Detector.load(saved(tmp_path / "own", change))
    for ask in (detector.maps, detector.segment):
        with pytest.raises(ScoreError, match=r"map reaches \S+; expected probabilities in 0\.\.1") as refused:
            ask(RANDOM)
        assert float(str(refused.value).split("reaches ")[1].split(";")[0]) == pytest.approx(reached, abs=1e-4)


def test_the_last_bit_above_one_is_rounding(tmp_path):
    detector = Detector.load(saved(tmp_path / "own", lambda levels: levels * 0 + np.nextafter(np.float32(1), 2)))
    assert detector.segment(RANDOM).score == pytest.approx(1)


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


def test_a_detector_whose_weights_were_cut_short_is_damaged(tmp_path):
    written(tmp_path / "model", PICTURE, ["probability"])
    weights = tmp_path / "model/variables/variables.data-00000-of-00001"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(DetectorError, match="model: damaged (.|\n)*; export the model again"):
        saved_model.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["model[1]", "model\\1", os.fsdecode(b"model\xe9")])
def test_a_detector_in_a_folder_whose_name_tensorflow_cannot_use_is_not_called_damaged(tmp_path, name):
    written(tmp_path / "model", PICTURE, ["probability"])
    (tmp_path / "model").rename(tmp_path / name)
    with pytest.raises(DetectorError, match=re.escape(f"--saved_model={tmp_path / name}: ") + ".*TensorFlow.*rename"):
        saved_model.load(tmp_path / name)


def test_what_looks_like_a_detector_and_cannot_be_called_is_refused(tmp_path):
    written(tmp_path / "model", PICTURE, ["probability"])
    with pytest.raises(DetectorError, match="but not a detector: it cannot be called"):
        saved_model.load(tmp_path / "model")
