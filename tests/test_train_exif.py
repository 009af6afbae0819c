"""EXIF-consistency by the command that trains another method: a run, what is exported of it, and what cannot be."""

import shutil

import numpy as np
import pytest

from gsr_tf import evaluate, export, train_comparator
from gsr_tf.comparators.exif.weights import stored_variables
from gsr_tf.inference.detector import Detector
from tests import tiny
from tests.comparators import runs


@pytest.fixture(scope="module")
def command(sources, targets):
    small = [
        *["--trunk=tiny", "--resnet50_weights=random", "--input_size=32", "--feature_channels=8"],
        *["--fc_channels=8,8", "--same_channels=4", "--patches_across=4", "--batch_size=4"],
    ]
    return runs.command("exif-sc", sources, targets, *small)


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of a run of two steps that went on for two more."""
    return runs.train_in_two_goes(command, tmp_path_factory.mktemp("runs") / "exif")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return runs.exported(trained, tmp_path_factory.mktemp("models") / "exif")


def test_what_a_run_leaves(trained):
    runs.assert_it_left(trained, "exif-sc")


def test_an_interrupted_run_is_the_uninterrupted_one(command, trained, tmp_path):
    runs.assert_an_uninterrupted_run_is_the_same(command, trained, tmp_path)


def test_an_export_is_a_detector_and_says_what_it_is(trained, exported):
    detector = Detector.load(exported)
    assert (detector.metadata["method"], detector.metadata["config"]["steps"], detector.minimum_side) == (
        "exif-sc",
        4,
        33,
    )
    assert detector.metadata["attributes"] == ["re-JPEG", "blur", "resize"]
    assert detector.metadata["records"]["--target_records"]["pictures"] == 6
    network = export.load_run(trained, "newest")[0]
    picture = tiny.manipulated()[0].picture
    found = detector.segment(picture)
    assert found.map.shape == picture.shape[:2] and found.boundary is None
    np.testing.assert_allclose(found.map, network(picture)["probability"][..., 0], atol=1e-5)


def test_it_is_evaluated_like_any_model_and_small_pictures_are_named(exported, tmp_path, capsys):
    runs.assert_small_pictures_are_named(exported, "exif-sc", "exif", 33, tmp_path, capsys)


def test_what_cannot_be_is_refused(trained, exported, sources, tmp_path, capsys):
    arguments = [f"--saved_model={exported}", f"--records={sources.path}", f"--output={tmp_path}", "--resolution=tile"]
    assert evaluate.main(["evaluate", *arguments]) == 1
    assert "it is another method than GSR-Net" in capsys.readouterr().err
    for output, flag, said in (
        ("m.onnx", "--format=onnx", "--format=onnx: exif-sc has operations"),
        ("m", "--size=64", "--size=64: EXIF-consistency sees pictures at their own size"),
        ("m", "--average_with=gsr-net-coco", "--average_with: moments of EXIF-consistency's normalisation"),
        ("m", "--checkpoint=mean", "--checkpoint=mean: moments of EXIF-consistency's normalisation"),
    ):
        assert export.main(["export", f"--run_dir={trained}", f"--output={tmp_path / output}", flag]) == 1
        assert said in capsys.readouterr().err


def test_weights_by_name_start_another_run(command, trained, tmp_path):
    said, _ = runs.assert_weights_by_name_start_another_run(command, trained, tmp_path, stored_variables)
    assert said["method"] == "exif-sc"


def test_a_run_that_is_done_may_answer_otherwise(command, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    for comparison in ("dense", "sparse"):
        assert train_comparator.main([*command, f"--run_dir={run}", "--steps=4", f"--comparison={comparison}"]) == 0
        detector = export.load_run(run, "newest")[0]
        assert detector.answer.comparison == comparison
    assert detector(tiny.tile(0))["probability"].shape == (48, 64, 1)
