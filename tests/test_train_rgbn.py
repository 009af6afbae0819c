"""RGB-N by the command that trains another method: a run, what is exported of it, and what cannot be."""

import json

import numpy as np
import pytest

from gsr_tf import evaluate, export
from gsr_tf.comparators.rgbn.weights import stored_variables
from gsr_tf.inference.detector import Detector
from tests import tiny
from tests.comparators import runs


@pytest.fixture(scope="module")
def command(sources, targets):
    small = [
        *["--backbone=tiny", "--resnet_weights=random", "--pooling_channels=16", "--anchor_scales=1,2"],
        *["--input_size=48", "--panels_every=4", "--validate_every=4"],
    ]
    return runs.command("rgbn", sources, targets, *small)


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of a run of two steps that went on for two more."""
    return runs.train_in_two_goes(command, tmp_path_factory.mktemp("runs") / "rgbn")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return runs.exported(trained, tmp_path_factory.mktemp("models") / "rgbn")


def test_what_a_run_leaves(trained):
    runs.assert_it_left(trained, "rgbn", panels=(4,))


@pytest.mark.slow
def test_an_interrupted_run_is_the_uninterrupted_one(command, trained, tmp_path):
    runs.assert_an_uninterrupted_run_is_the_same(command, trained, tmp_path)


def test_an_export_is_a_detector_and_says_what_it_is(trained, exported):
    detector = Detector.load(exported)
    assert detector.metadata["method"] == "rgbn" and detector.metadata["config"]["backbone"] == "tiny"
    picture = tiny.manipulated()[0].picture
    found = detector.segment(picture)
    network = export.load_run(trained, "newest")[0]
    np.testing.assert_allclose(found.map, network(picture)["probability"][..., 0], atol=1e-5)
    assert found.map.shape == picture.shape[:2] and found.map.max() > 0.1 and found.boundary is None


def test_it_is_evaluated_like_any_model(exported, sources, tmp_path, capsys):
    arguments = ["evaluate", f"--saved_model={exported}", f"--records={sources.path}"]
    assert evaluate.main([*arguments, f"--output={tmp_path / 'one'}", "--protocols=paper"]) == 0
    assert json.loads((tmp_path / "one" / "summary.json").read_text())["pictures"]["scored"] == 6  # with 7 masks
    assert evaluate.main([*arguments, f"--output={tmp_path / 'other'}", "--resolution=tile"]) == 1
    assert (
        "this model can only see a whole picture at scale 1 (--resolution=whole --scales=1): it is another method"
        in (capsys.readouterr().err)
    )


def test_weights_by_name_start_another_run(command, trained, tmp_path):
    said, _ = runs.assert_weights_by_name_start_another_run(command, trained, tmp_path, stored_variables)
    assert said["method"] == "rgbn"


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_a_form_that_cannot_hold_it_is_refused(trained, tmp_path, form, capsys):
    output = tmp_path / f"rgbn.{form}"
    assert export.main(["export", f"--run_dir={trained}", f"--output={output}", f"--format={form}"]) == 1
    assert f"--format={form}: rgbn has operations that this format has not" in capsys.readouterr().err
    assert not output.exists()
