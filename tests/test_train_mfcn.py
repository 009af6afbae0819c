"""MFCN by the command that trains another method: a run, what is exported of it, and another that starts from it."""

import json
from pathlib import Path

import numpy as np
import pytest

from gsr_tf import evaluate, export, train
from gsr_tf.comparators.mfcn.weights import stored_variables
from gsr_tf.inference.detector import Detector
from tests import tiny
from tests.comparators import runs


@pytest.fixture(scope="module")
def command(sources, targets):
    small = ["--vgg16_weights=random", "--width=0.02", "--fc_channels=4", "--input_size=32"]
    return runs.command("mfcn", sources, targets, *small)


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of a run of two steps that went on for two more."""
    return runs.train_in_two_goes(command, tmp_path_factory.mktemp("runs") / "mfcn")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return runs.exported(trained, tmp_path_factory.mktemp("models") / "mfcn")


def test_what_a_run_leaves(trained):
    runs.assert_it_left(trained, "mfcn")


def test_an_interrupted_run_is_the_uninterrupted_one(command, trained, tmp_path):
    runs.assert_an_uninterrupted_run_is_the_same(command, trained, tmp_path)


def test_gsr_nets_command_does_not_go_on_with_it(trained, sources, capsys):
    arguments = [f"--source_records={sources.path}", f"--target_records={sources.path}", "--vgg16_weights=random"]
    assert train.main(["train", *arguments, f"--run_dir={trained}"]) == 1
    assert "settings of --method=mfcn, expected those of GSR-Net" in capsys.readouterr().err


def test_an_export_is_a_detector_and_says_what_it_is(trained, exported):
    detector = Detector.load(exported)
    assert detector.metadata["method"] == "mfcn" and detector.metadata["config"]["steps"] == 4
    assert detector.metadata["records"]["--source_records"]["path"] == "sources"
    assert detector.metadata["edge_threshold_chosen_by"] == "validation"
    network = export.load_run(trained, "newest")[0]
    assert detector.metadata["edge_threshold"] == pytest.approx(float(network.segmenter.edge_threshold.numpy()))
    picture = tiny.manipulated()[0].picture
    found = detector.segment(picture)
    np.testing.assert_allclose(found.map, network(picture)["probability"][..., 0], atol=1e-5)
    assert found.boundary.shape == found.map.shape == picture.shape[:2]


def test_it_is_evaluated_like_any_model_and_small_pictures_are_named(exported, tmp_path, capsys):
    runs.assert_small_pictures_are_named(exported, "mfcn", "mfcn", 32, tmp_path, capsys)


def test_it_sees_whole_pictures_alone(exported, sources, tmp_path, capsys):
    arguments = [f"--saved_model={exported}", f"--records={sources.path}", f"--output={tmp_path}", "--resolution=tile"]
    assert evaluate.main(["evaluate", *arguments]) == 1
    assert (
        "this model can only see a whole picture at scale 1 (--resolution=whole --scales=1): it is another method"
        in capsys.readouterr().err
    )


def test_the_mean_has_the_newest_ones_edge_threshold_and_says_so(trained, tmp_path):
    file = tmp_path / "mean.npz"
    arguments = [f"--run_dir={trained}", f"--output={file}", "--format=weights", "--checkpoint=mean"]
    assert export.main(["export", *arguments]) == 0
    said, newest = json.loads(Path(f"{file}.json").read_text()), export.load_run(trained, "newest")[0].segmenter
    assert said["checkpoint"] == "checkpoints/ckpt-{2,4}"
    assert said["edge_threshold"] == float(newest.edge_threshold.numpy())
    assert said["edge_threshold_chosen_by"] == "validation of the newest checkpoint"


def test_weights_by_name_start_another_run(command, trained, tmp_path):
    # The validation of the last step has chosen an edge threshold.
    said, weights = runs.assert_weights_by_name_start_another_run(
        command, trained, tmp_path, stored_variables, steps=1, but="edge_threshold"
    )
    assert (said["method"], said["run"]) == ("mfcn", "mfcn")
    assert weights["mfcn/edge_threshold"] == pytest.approx(said["edge_threshold"])
