"""What a SavedModel can be asked, and how: TensorFlow's own command, TensorFlow Serving's REST, batches."""

import base64
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from gsr_tf.data.image_ops import resize
from gsr_tf.data.pictures import decode_picture
from gsr_tf.formats import saved_model, signatures
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.metadata import METADATA as METADATA_FILE
from gsr_tf.inference.metadata import DetectorError, read_metadata
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter
from tests.formats.rest import serve
from tests.networks import one_convolution

SIDE = 48
METADATA = {"format": 1, "threshold": 0.25, "name": "Prüfling"}


def photographs():
    """Real pictures: landscape, portrait, square; [h, w, 3] uint8."""
    return [skimage.data.coffee()[:200, :310], skimage.data.cat()[:250, 100:290], skimage.data.astronaut()[:96, :96]]


def encoded(picture, format_="PNG", **settings):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format=format_, **settings)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def detector():
    keras.utils.set_random_seed(3)
    segmenter = build_segmenter(Networks(width=0.05))
    for variable in segmenter.trainable_variables:  # the heads' small weights would leave every map near .5
        if "head" in variable.name:
            variable.assign(60 * variable)
    return DetectorModule(segmenter, size=SIDE)


@pytest.fixture(scope="module")
def exported(detector, tmp_path_factory):
    """The folder of its SavedModel."""
    folder = tmp_path_factory.mktemp("models") / "model"
    assert saved_model.save(detector, folder, METADATA, photographs()) <= saved_model.TOLERANCE
    return folder


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported))


def test_a_rest_request_is_answered_as_the_detector_answers(loaded, exported):
    files = [encoded(photographs()[0]), encoded(photographs()[1], "JPEG", quality=80)]
    instances = [{"image_bytes": {"b64": base64.b64encode(data).decode()}} for data in files]
    answers = json.loads(serve(loaded, json.dumps({"signature_name": "encoded", "instances": instances})))
    detector = Detector.load(exported)
    for data, answer in zip(files, answers["predictions"]):
        expected = detector.segment(decode_picture(data).pixels)
        assert (answer["height"], answer["width"]) == expected.map.shape
        assert answer["score"] == pytest.approx(expected.score, abs=1e-7)
        levels = np.asarray(Image.open(io.BytesIO(base64.b64decode(answer["probability_bytes"]["b64"]))))
        assert np.ptp(levels) > 1000
        np.testing.assert_allclose(levels / 65535, expected.map, rtol=0, atol=0.51 / 65535)


@pytest.mark.parametrize("form", ["instances of one input", "columns"])
def test_other_forms_of_a_rest_request_are_the_same(loaded, form):
    picture = {"b64": base64.b64encode(encoded(photographs()[2])).decode()}
    request = {"instances": [{"image_bytes": picture}], "signature_name": "encoded"}
    (expected,) = json.loads(serve(loaded, json.dumps(request)))["predictions"]
    if form == "columns":
        answer = serve(loaded, json.dumps({"signature_name": "encoded", "inputs": {"image_bytes": [picture]}}))
        assert {name: column[0] for name, column in json.loads(answer)["outputs"].items()} == expected
    else:
        answer = serve(loaded, json.dumps({"signature_name": "encoded", "instances": [picture]}))
        assert json.loads(answer)["predictions"] == [expected]


def test_batch_mates_never_matter(loaded):
    files = [encoded(picture) for picture in photographs()]
    together = loaded.signatures["encoded"](image_bytes=tf.constant(files[::-1]))
    for place, data in enumerate(files[::-1]):
        alone = loaded.signatures["encoded"](image_bytes=tf.constant([data]))
        for name, values in together.items():
            np.testing.assert_array_equal(values[place], alone[name][0])

    squares = np.stack([resize(picture, [SIDE, SIDE]).numpy().round().astype(np.uint8) for picture in photographs()])
    for batch in (squares, squares[:1], squares[::-1]):
        maps = loaded.signatures["batch"](images=tf.constant(batch))
        for place, picture in enumerate(batch):
            for name, expected in loaded(picture).items():
                np.testing.assert_array_equal(maps[name][place], expected)


@pytest.mark.parametrize("shape", [(2, 41), (41, 2)])
def test_a_picture_that_would_be_very_long_is_refused(shape):
    """Of a network that keeps the aspect ratio; two pixels less are answered, and squashed any picture is."""
    longer = np.zeros([*shape, 3], np.uint8)
    for resize_mode, refuses in (("crop", True), ("squash", False)):
        module = one_convolution(size=SIDE, resize_mode=resize_mode)
        for name, given in (("serving_default", longer), ("encoded", tf.constant([encoded(longer)]))):
            ask = signatures.signatures(module)[name]
            if refuses:
                with pytest.raises(tf.errors.InvalidArgumentError, match="at most 20 times the short one"):
                    ask(given)
                ask(longer[:40, :40] if name == "serving_default" else tf.constant([encoded(longer[:40, :40])]))
            else:
                ask(given)


def test_an_empty_batch_has_an_empty_answer(loaded):
    assert loaded.signatures["batch"](images=np.zeros([0, SIDE, SIDE, 3], np.uint8))["probability"].shape[0] == 0
    assert loaded.signatures["encoded"](image_bytes=tf.zeros([0], tf.string))["score"].shape == [0]


@pytest.mark.parametrize(
    ("format_", "settings"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("JPEG", {"quality": 70, "subsampling": 2}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
    ],
    ids=["PNG", "BMP", "JPEG", "progressive JPEG"],
)
def test_pictures_are_decoded_as_pillow_decodes_them(format_, settings):
    data = encoded(photographs()[0], format_, **settings)
    np.testing.assert_array_equal(signatures.decode(tf.constant(data)), decode_picture(data).pixels)


def test_grey_alpha_and_16_bit_pictures_are_decoded_as_pillow_decodes_them():
    picture = photographs()[2]
    alpha = np.dstack([picture, picture[..., :1]])
    deep = picture[..., 0].astype(np.uint16) * 256 + picture[..., 1]
    for data in (encoded(picture[..., 0]), encoded(picture[..., 0], "JPEG"), encoded(alpha), encoded(deep)):
        np.testing.assert_array_equal(signatures.decode(tf.constant(data)), decode_picture(data).pixels)


@pytest.mark.parametrize("mode", ["1", "P"])
def test_a_bmp_of_colours_by_number_is_refused(mode):
    buffer = io.BytesIO()
    Image.fromarray(photographs()[2]).convert(mode).save(buffer, format="BMP")
    with pytest.raises(tf.errors.InvalidArgumentError, match="a BMP with a palette; expected one of 24 or 32 bits"):
        signatures.decode(tf.constant(buffer.getvalue()))


def test_the_first_frame_of_a_gif_is_taken():
    frames = [Image.fromarray(picture[:90, :90]).quantize(64) for picture in photographs()]
    buffer = io.BytesIO()
    frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(
        signatures.decode(tf.constant(buffer.getvalue())), np.asarray(frames[0].convert("RGB"))
    )


@pytest.mark.parametrize("shape", [(1, 1), (10, 15), (30, 40), (700, 1000)])
def test_the_score_is_the_mean_of_the_highest_hundredth(shape):
    values = np.random.default_rng(0).random(shape, np.float32)
    count = max(1, round(values.size / 100))
    expected = np.sort(values, axis=None)[-count:].mean(dtype=np.float64)
    assert float(signatures.describe(tf.constant(values[..., None]))["score"]) == np.float32(expected)


def test_saved_model_cli_runs_the_export(exported, detector, tmp_path):
    picture = photographs()[0]
    np.save(tmp_path / "picture.npy", picture)
    arguments = ["run", "--dir", str(exported), "--tag_set", "serve", "--signature_def", "serving_default"]
    arguments += ["--inputs", f"image={tmp_path / 'picture.npy'}", "--outdir", str(tmp_path)]
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for name, expected in detector(picture).items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, rtol=0, atol=saved_model.TOLERANCE)


def test_no_custom_operations(exported):
    graph = SavedModel.FromString((exported / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    known = set(tf.raw_ops.__dict__) | functions
    assert {node.op for node in nodes if not node.op.startswith("_")} <= known


def test_metadata_stays_when_tensorflow_saves_the_model_again(exported, loaded, tmp_path):
    assert read_metadata(exported) == METADATA
    tf.saved_model.save(loaded, str(tmp_path / "again"), signatures=loaded.signatures)
    assert read_metadata(tmp_path / "again") == METADATA
    assert Detector.load(tmp_path / "again").threshold == METADATA["threshold"]
    (tmp_path / "again" / METADATA_FILE).write_text("{")
    with pytest.raises(DetectorError, match="gsr_tf.json: damaged .*; export the model again"):
        Detector.load(tmp_path / "again")


def test_a_network_without_boundary_branch_is_served_too(tmp_path):
    saved_model.save(one_convolution(size=32), tmp_path / "model", {})
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    maps = loaded.signatures["batch"](images=photographs()[0][None, :32, :32])
    assert {name: found.shape for name, found in maps.items()} == {"probability": (1, 32, 32, 1)}
