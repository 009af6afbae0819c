"""ONNX and TensorFlow Lite say what the network says, on real pictures."""

import errno
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.data.image_ops import resize
from gsr_tf.data.temporary import TemporaryError
from gsr_tf.formats import onnx, saved_model, tflite
from gsr_tf.formats.agreement import ExportError, largest_difference, require_agreement, trial_pictures
from gsr_tf.formats.signatures import portable, shrink
from gsr_tf.formats.single_file import write_with_facts
from gsr_tf.inference.module import PICTURE, DetectorModule
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter

PICTURES = [skimage.data.coffee()[:200, :310], skimage.data.cat()[:250, 100:290], skimage.data.astronaut()[:90, :90]]


def detector(size, resize_mode="squash", **settings):
    """One whose maps are not near .5 everywhere, as the heads' small initial weights would make them.

    The weights are the same in every run: one pixel has no variance to normalise by, and of some weights its rounding
    errors grow beyond every tolerance.
    """
    keras.utils.set_random_seed(3)
    segmenter = build_segmenter(Networks(width=0.06, **settings))
    for variable in segmenter.trainable_variables:
        if "head" in variable.name:
            variable.assign(30 * variable)
    return DetectorModule(segmenter, size=size, resize_mode=resize_mode)


@pytest.fixture(scope="module")
def squashing():
    """At 75 pixels, of which no layer's map is a whole fraction, as for 300."""
    return detector(75)


@pytest.mark.parametrize("length, target", [(640, 300), (427, 300), (90, 300), (1, 5), (300, 300)])
def test_a_picture_comes_to_the_networks_size_as_tensorflow_brings_it(length, target):
    picture = np.resize(skimage.data.astronaut(), [length, 30, 3])
    expected = tf.round(resize(picture, [target, 17]))
    found = tf.function(shrink)(tf.constant(picture), tf.constant([target, 17]))
    np.testing.assert_array_equal(found, expected)


def test_the_portable_form_is_the_network(squashing):
    form = portable(squashing)
    assert all(np.ptp(squashing(picture)["probability"]) > 0.05 for picture in PICTURES)
    for picture in [*PICTURES, *trial_pictures()]:
        for name, expected in squashing(picture).items():
            np.testing.assert_allclose(form(picture)[name], expected, rtol=0, atol=1e-6)


OTHER_NETWORK = {"head_kernel": 4, "half_pixel": False, "boundary_branch": False}


@pytest.mark.parametrize(
    "size, resize_mode, settings",
    [(75, "squash", {}), (75, "squash", OTHER_NETWORK), (onnx.SMALLEST_SHORT_SIDE, "crop", {})],
    ids=["squash", "other network", "crop"],
)
def test_onnx_is_the_network(size, resize_mode, settings):
    pytest.importorskip("onnxruntime")
    network = detector(size, resize_mode, **settings)
    maps = onnx.runner(onnx.convert(network))
    assert largest_difference(network, maps, [*PICTURES, *trial_pictures()]) <= onnx.TOLERANCE
    found, expected = maps(PICTURES[0]), network(PICTURES[0])
    assert set(found) == set(expected)
    assert all(found[name].shape == expected[name].shape for name in expected)


def test_what_onnx_cannot_do_is_an_error_that_says_so(squashing):
    pytest.importorskip("onnxruntime")
    with pytest.raises(ExportError, match="a short side of 96 pixels is too small; expected at least 97: --size=97"):
        onnx.convert(DetectorModule(squashing.segmenter, size=96, resize_mode="crop"))
    with pytest.raises(ExportError, match="ONNX Runtime cannot load the model"):
        onnx.runner(b"no model")


def test_onnx_without_its_packages_says_what_to_install(squashing, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(
        ExportError, match=r"--format=onnx needs more packages \(tf2onnx\): pip install 'gsr_tf\[onnx\]'"
    ):
        onnx.convert(squashing)


@pytest.mark.parametrize("resize_mode", ["squash", "crop"])
def test_tflite_is_the_network(resize_mode, squashing):
    network = squashing if resize_mode == "squash" else detector(75, resize_mode)
    model = tflite.convert(network)
    maps = tflite.runner(model)
    assert largest_difference(network, maps, [*PICTURES, *trial_pictures()]) <= tflite.TOLERANCE
    operations = {op["op_name"] for op in tf.lite.Interpreter(model_content=model)._get_ops_details()}
    assert not {name for name in operations if name.startswith("Flex") or name == "CUSTOM"}


@pytest.mark.parametrize("quantize", tflite.QUANTIZATIONS)
def test_tflite_without_room_for_temporary_files_names_their_variable(squashing, quantize, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *_, **__: str(tmp_path / "file" / "no folder"))
    with pytest.raises(TemporaryError, match="on its way to TensorFlow Lite: no temporary file.*; set TMPDIR to"):
        tflite.convert(squashing, quantize, PICTURES)


def test_litert_which_takes_tflites_place_answers_the_same(squashing):
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="LiteRT is not installed: it comes with TensorFlow 2.21"
    )
    signature = litert.Interpreter(model_content=(model := tflite.convert(squashing))).get_signature_runner()
    for picture in PICTURES:
        for name, values in tflite.runner(model)(picture).items():
            np.testing.assert_allclose(signature(image=picture)[name], values, atol=tflite.TOLERANCE)


@pytest.mark.parametrize("quantize", ["float16", "int8"])
def test_a_quantized_model_is_smaller_and_near(squashing, quantize):
    plain, small = tflite.convert(squashing), tflite.convert(squashing, quantize, PICTURES)
    assert len(small) < len(plain)
    maps, off = tflite.runner(small), []
    for picture in PICTURES:
        off.append(np.abs(maps(picture)["probability"] - squashing(picture)["probability"]).mean())
    # Random heads, thirty times too steep, magnify what 8 bits lose; unrelated maps would be .5 off.
    assert 0 < np.mean(off) < {"float16": 0.001, "int8": 0.1}[quantize]


def test_a_difference_above_the_tolerance_is_refused():
    def off(by, height):
        """Maps that are 0, but for those of pictures so many pixels high."""
        return lambda picture: {"probability": np.array(by if len(picture) == height else 0.0)}

    pictures, network = [np.zeros([3, 5, 3], np.uint8)], off(0.0, 3)
    assert require_agreement(network, off(1e-4, 3), pictures, 1e-4) == 1e-4
    for by, height in ((1e-3, 3), (np.nan, 3), (1e-3, 240)):  # 240: a trial picture's
        with pytest.raises(ExportError, match="differs from the network by .*; at most 0.0001 is right"):
            require_agreement(network, off(by, height), pictures, 1e-4)


def test_the_largest_difference_is_of_any_pixel_of_any_picture_either_way():
    network = lambda picture: {"probability": np.full(picture.shape, 0.5), "boundary": picture}  # noqa: E731
    other = lambda picture: {"probability": 0.5 - picture, "boundary": 9.0}  # noqa: E731
    pictures = [np.zeros([2, 3, 1]), np.array([[[0.0], [0.25], [0.125]]]), np.zeros([1, 1, 1])]
    assert largest_difference(network, other, pictures) == largest_difference(other, network, pictures) == 0.25
    nowhere = lambda picture: {"probability": np.full(picture.shape, np.nan if len(picture) == 1 else 0.5)}  # noqa: E731
    assert np.isnan(largest_difference(network, nowhere, pictures))


def test_trial_pictures_are_of_each_shape_that_a_detector_must_take():
    pictures = trial_pictures()
    assert [picture.shape for picture in pictures] == [(240, 320, 3), (333, 211, 3), (1, 1, 3)]
    assert all(picture.dtype == np.uint8 for picture in pictures)
    for picture in pictures[:2]:  # from dark to light, without a jump as where a level was too large for its byte
        columns = picture.mean((0, 2))
        assert columns[0] < 40 and columns[-1] > 215 and np.abs(np.diff(columns)).max() < 10


def test_the_input_is_one_picture(squashing):
    assert portable(squashing).get_concrete_function().structured_input_signature[0] == (PICTURE,)


def test_folders_of_a_saved_model_are_as_the_umask_says(squashing, tmp_path):
    before = os.umask(0o002)
    try:
        saved_model.save(squashing, tmp_path / "model", {})
    finally:
        os.umask(before)
    folders = [tmp_path / "model" / name for name in ("", "assets", "variables")]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o775}


def test_no_facts_of_a_model_that_could_not_be_written(tmp_path, monkeypatch):
    whole = Path.write_bytes

    def write(path, data):
        whole(path, data[:100])
        if len(data) > 100:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write)
        with pytest.raises(OSError, match="m.onnx"):
            write_with_facts(tmp_path / "m.onnx", bytes(1000), {"name": "m"})
    assert list(tmp_path.iterdir()) == []
    write_with_facts(tmp_path / "m.onnx", bytes(1000), {"name": "m"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.json"]
