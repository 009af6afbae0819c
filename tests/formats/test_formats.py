"""ONNX and TensorFlow Lite say what the network says, on real pictures."""

import errno
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.data.image_ops import resize
from gsr_tf.data.temporary import TemporaryError
from gsr_tf.formats import named_weights, onnx, saved_model, single_file, tflite, weights
from gsr_tf.formats.agreement import ExportError, largest_difference, require_agreement, trial_pictures
from gsr_tf.formats.facts import read_beside
from gsr_tf.formats.signatures import portable, shrink
from gsr_tf.formats.single_file import write_with_facts
from gsr_tf.inference import shipped
from gsr_tf.inference.module import PICTURE, DetectorModule
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter
from tests.networks import one_convolution

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


@pytest.fixture(scope="module")
def squashing_tflite(squashing):
    return tflite.convert(squashing)


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
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"--format=onnx needs more packages \(onnxruntime\): pip install 'gsr_tf"):
        onnx.runner(b"")


def test_what_onnx_runtime_answers_has_its_names_and_what_it_cannot_run_is_said(monkeypatch):
    class Session:
        def __init__(self, model, providers):
            assert (model, providers) == (b"model", ["CPUExecutionProvider"])

        def get_outputs(self):
            return [SimpleNamespace(name=name) for name in ("boundary", "probability")]

        def run(self, names, inputs):
            picture = inputs[PICTURE.name]
            if picture.ndim != 3:
                raise RuntimeError("Invalid rank")
            return [picture + (name == "probability") for name in names]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    maps = onnx.runner(b"model")
    assert {name: found.item() for name, found in maps(np.zeros([1, 1, 1])).items()} == {
        "boundary": 0,
        "probability": 1,
    }
    with pytest.raises(ExportError, match=r"ONNX Runtime cannot run the model on \(2, 3\): Invalid rank"):
        maps(np.zeros([2, 3]))


@pytest.mark.parametrize("resize_mode", ["squash", "crop"])
def test_tflite_is_the_network(resize_mode, squashing, squashing_tflite):
    network, model = squashing, squashing_tflite
    if resize_mode == "crop":
        model = tflite.convert(network := detector(75, resize_mode))
    maps = tflite.runner(model)
    assert largest_difference(network, maps, [*PICTURES, *trial_pictures()]) <= tflite.TOLERANCE
    operations = {op["op_name"] for op in tf.lite.Interpreter(model_content=model)._get_ops_details()}
    assert not {name for name in operations if name.startswith("Flex") or name == "CUSTOM"}


@pytest.mark.parametrize("quantize", tflite.QUANTIZATIONS)
def test_tflite_without_room_for_temporary_files_names_their_variable(quantize, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *_, **__: str(tmp_path / "file" / "no folder"))
    with pytest.raises(TemporaryError, match="on its way to TensorFlow Lite: no temporary file.*; set TMPDIR to"):
        tflite.convert(one_convolution(), quantize, PICTURES)


def test_litert_which_takes_tflites_place_answers_the_same(squashing_tflite):
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="LiteRT is not installed: it comes with TensorFlow 2.21"
    )
    signature = litert.Interpreter(model_content=squashing_tflite).get_signature_runner()
    for picture in PICTURES:
        for name, values in tflite.runner(squashing_tflite)(picture).items():
            np.testing.assert_allclose(signature(image=picture)[name], values, atol=tflite.TOLERANCE)


def types(model):
    """{operation: types of the numbers that it takes and gives} of a TFLite model."""
    interpreter = tf.lite.Interpreter(model_content=model)
    of_tensor = {tensor["index"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    found = {}
    for operation in interpreter._get_ops_details():
        tensors = [*operation["inputs"][:2], *operation["outputs"]]  # the third is a bias
        found.setdefault(operation["op_name"], set()).update(of_tensor[one] for one in tensors if one in of_tensor)
    return found


@pytest.mark.parametrize("quantize", ["float16", "int8"])
def test_a_quantized_model_is_smaller_and_near(squashing, squashing_tflite, quantize, monkeypatch):
    debugger, represented = tf.lite.experimental.QuantizationDebugger, []

    def quantized(converter, **settings):
        represented.extend(converter.representative_dataset())
        return debugger(converter=converter, **settings)

    monkeypatch.setattr(tf.lite.experimental, "QuantizationDebugger", quantized)
    small = tflite.convert(squashing, quantize, PICTURES)
    assert len(small) < len(squashing_tflite)
    assert all(set(one) == {PICTURE.name} for one in represented)
    np.testing.assert_equal([one[PICTURE.name] for one in represented], PICTURES if quantize == "int8" else [])
    found = types(small)
    products = [found.pop(name) for name in ("CONV_2D", "FULLY_CONNECTED")]
    assert products == [{np.int8 if quantize == "int8" else np.float32}] * 2
    stored = {np.int8 if quantize == "int8" else np.float16, np.float32}
    assert stored == found.pop("DEQUANTIZE") == found.pop("QUANTIZE", stored)
    assert not {np.int8, np.float16} & set().union(*found.values())  # all else is in floats
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
    np.testing.assert_equal(trial_pictures(), pictures)  # every export is tried on the same ones
    assert all(np.ptp(picture, axis=-1).max() > 20 for picture in pictures[:2])  # in colour
    for picture in pictures[:2]:  # from dark to light, without a jump as where a level was too large for its byte
        columns = picture.mean((0, 2))
        assert columns[0] < 40 and columns[-1] > 215 and np.abs(np.diff(columns)).max() < 10


def test_the_input_is_one_picture(squashing):
    assert portable(squashing).get_concrete_function().structured_input_signature[0] == (PICTURE,)


def test_folders_of_a_saved_model_are_as_the_umask_says(tmp_path):
    before = os.umask(0o002)
    try:
        saved_model.save(one_convolution(), tmp_path / "model", {})
    finally:
        os.umask(before)
    folders = [tmp_path / "model" / name for name in ("", "assets", "variables")]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o775}


def half(picture):
    """The maps of a detector that sees nothing: .5 everywhere."""
    return {"probability": np.full([*picture.shape[:2], 1], 0.5)}


@pytest.fixture(params=["saved_model", "tflite", "onnx", "weights"])
def save(request, monkeypatch):
    """save(output, read, pictures): an export of `half` that, read again, answers as `read`; and its tolerance."""

    def save(output, read, pictures=()):
        if request.param == "saved_model":
            monkeypatch.setattr(saved_model, "_write", lambda detector, folder, facts: folder.mkdir())
            monkeypatch.setattr(tf.saved_model, "load", lambda path: read)
            return saved_model.save(half, output, {}, pictures)
        if request.param == "weights":
            monkeypatch.setattr(weights, "add", lambda detector, name, facts, folder: (folder / name).touch())
            monkeypatch.setattr(shipped, "load", lambda name, folder: (read, {}))
            return weights.save(half, output, {}, pictures)
        form = {"tflite": tflite, "onnx": onnx}[request.param]
        monkeypatch.setattr(form, "convert", lambda detector: b"model")
        monkeypatch.setattr(form, "runner", lambda model: read)
        return single_file.save(half, output, request.param, {}, pictures)

    return save, {"saved_model": 1e-5, "tflite": 1e-4, "onnx": 1e-4, "weights": 0.02}[request.param]


def off(by, shape=None):
    """`half`, but for so much, on pictures of one shape alone."""
    return lambda picture: {"probability": half(picture)["probability"] + by * (shape in (None, picture.shape))}


@pytest.mark.parametrize("shape", [(2, 3, 3), (240, 320, 3), (1, 1, 3)], ids=["given", "first trial", "last trial"])
def test_what_disagrees_on_one_picture_gets_no_name(tmp_path, save, shape):
    with pytest.raises(ExportError, match="differs from the network by 0.25"):
        save[0](tmp_path / "model", off(0.25, shape), [np.zeros([2, 3, 3], np.uint8)])
    assert list(tmp_path.iterdir()) == []


def test_the_tolerance_decides_and_the_difference_is_said(tmp_path, save):
    write, tolerance = save
    with pytest.raises(ExportError, match=f"at most {tolerance:g} is right"):
        write(tmp_path / "model", off(1.1 * tolerance))
    assert list(tmp_path.iterdir()) == []
    assert write(tmp_path / "model", off(0.9 * tolerance)) == pytest.approx(0.9 * tolerance, rel=1e-6)
    assert (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "error", [tf.errors.ResourceExhaustedError(None, None, "disk full"), OSError(errno.ENOSPC, "disk full")]
)
def test_a_saved_model_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch, error):
    def write(detector, folder, facts):
        folder.mkdir()
        raise error

    monkeypatch.setattr(saved_model, "_write", write)
    with pytest.raises(ExportError, match=f"--output={tmp_path}/model: could not be written .*disk full"):
        saved_model.save(half, tmp_path / "model", {})
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_had_begun_is_no_part_of_the_next_one(tmp_path, monkeypatch):
    begun = tmp_path / ".model.tmp" / "variables"
    begun.mkdir(parents=True)
    monkeypatch.setattr(saved_model, "_write", lambda detector, folder, facts: folder.mkdir())
    monkeypatch.setattr(tf.saved_model, "load", lambda path: half)
    saved_model.save(half, tmp_path / "model", {})
    assert [path.name for path in tmp_path.rglob("*")] == ["model"]


def test_a_quantized_file_says_what_it_costs(tmp_path, monkeypatch, capsys):
    """Of a network that finds the mask, and a smaller one that finds half of it."""
    mask, given = np.zeros([8, 8], np.uint8), []
    mask[:2] = 1
    network, small = ({"probability": (columns * mask)[..., None] / 1.0} for columns in (1, np.arange(8) < 4))
    monkeypatch.setattr(tflite, "convert", lambda *arguments: given.append(arguments) or b"model")
    monkeypatch.setattr(tflite, "runner", lambda model: lambda picture: small if picture.any() else half(picture))
    detector = lambda picture: network if picture.any() else half(picture)  # noqa: E731
    monkeypatch.setattr(single_file, "trial_pictures", lambda: [np.zeros([8, 8, 3], np.uint8)])
    pictures = [np.ones([8, 8, 3], np.uint8)]
    scored = [SimpleNamespace(read=lambda: (pictures[0], mask))]
    output = tmp_path / "m.tflite"
    assert single_file.save_quantized(detector, output, "int8", {"name": "m"}, pictures, scored) == 1.0
    assert given == [(detector, "int8", pictures)]
    said = json.loads((tmp_path / "m.tflite.json").read_text())
    assert (said["name"], said["quantization"]) == ("m", "int8")
    scores = {name: [round(one["f1"], 4), round(one["mcc"], 4)] for name, one in said["quantization_scores"].items()}
    assert scores == {"network": [1.0, 1.0], "int8": [0.6667, 0.6547]}  # MCC: sqrt(3/7)
    assert "int8: F1 0.6667, MCC 0.6547 (paper, 1 pairs)" in capsys.readouterr().out
    assert output.read_bytes() == b"model"


def test_int8_needs_pictures_and_float16_none(tmp_path, monkeypatch):
    with pytest.raises(ExportError, match="--quantize=int8 needs real pictures .*: give --pictures=FOLDER"):
        single_file.save_quantized(half, tmp_path / "m.tflite", "int8", {}, [], [])
    assert list(tmp_path.iterdir()) == []
    mask = np.eye(4, dtype=np.uint8)
    monkeypatch.setattr(tflite, "convert", lambda *_: b"model")
    monkeypatch.setattr(tflite, "runner", lambda model: half)
    scored = [SimpleNamespace(read=lambda: (np.zeros([4, 4, 3], np.uint8), mask))]
    assert single_file.save_quantized(half, tmp_path / "m.tflite", "float16", {}, [], scored) == 0


@pytest.mark.parametrize("changed", ["last bit", "one of two"])
def test_weights_by_name_are_read_again_to_the_bit(tmp_path, monkeypatch, changed):
    variables = {name: tf.Variable([0.1, -2.0]) for name in ("a/kernel", "b/bias")}
    named_weights.save(variables, tmp_path / "whole.npz", {"name": "Prüfling"})
    with np.load(tmp_path / "whole.npz") as found:
        assert {name: (found[name].dtype, found[name].tolist()) for name in found} == {
            name: (np.float32, variable.numpy().tolist()) for name, variable in variables.items()
        }
    assert json.loads((tmp_path / "whole.npz.json").read_text(encoding="utf-8")) == {"name": "Prüfling"}
    save = np.savez

    def other(file, **arrays):
        arrays["b/bias"] = np.nextafter(arrays["b/bias"], np.float32(1)) if changed == "last bit" else np.zeros(2)
        save(file, **arrays)

    monkeypatch.setattr(np, "savez", other)
    with pytest.raises(ExportError, match=f"--output={tmp_path}/m.npz: b/bias were read again as other weights"):
        named_weights.save(variables, tmp_path / "m.npz", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.npz", "whole.npz.json"]


@pytest.mark.parametrize("unwritten", ["model", "facts"])
def test_a_model_and_its_facts_are_written_both_or_not_at_all(tmp_path, monkeypatch, unwritten):
    whole = Path.write_bytes

    def write(path, data):
        whole(path, data[:100])
        if (len(data) > 100) == (unwritten == "model"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write)
        with pytest.raises(OSError, match="m.onnx"):
            write_with_facts(tmp_path / "m.onnx", bytes(1000), {"name": "m"})
    assert list(tmp_path.iterdir()) == []
    write_with_facts(tmp_path / "m.onnx", bytes(1000), {"name": "m"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx", "m.onnx.json"]


def test_what_a_file_says_of_itself_is_read_beside_it(tmp_path):
    file = tmp_path / "m.v2.npz"
    assert read_beside(file) == {}
    (tmp_path / "m.v2.npz.json").write_bytes('{"name": "Prüfling"}'.encode())
    assert read_beside(file) == {"name": "Prüfling"}
    (tmp_path / "m.v2.npz.json").write_text("{")
    with pytest.raises(
        ExportError, match=rf"{tmp_path}/m.v2.npz.json: damaged \(Expecting .*; export the weights again"
    ):
        read_beside(file)
