"""RGB-N by the command that trains another method: a run, what is exported of it, and what cannot be."""

import json

import numpy as np
import pytest

from gsr_tf import config, evaluate, export, train_comparator
from gsr_tf.comparators.rgbn.weights import stored_variables
from gsr_tf.inference.detector import Detector
from gsr_tf.models.weights import read_npz
from tests import tiny
from tests.comparators import runs


@pytest.fixture(scope="module")
def command(sources, targets):
    """A training command, less its --run_dir and --steps."""
    return [
        *["train_comparator", "--flagfile=comparators/rgbn"],
        *[f"--source_records={sources.path}", f"--target_records={targets.path}"],
        *[f"--validation_records={sources.path}", "--validation_pictures=2", "--validate_every=4"],
        *["--backbone=tiny", "--resnet_weights=random", "--pooling_channels=16", "--anchor_scales=1,2"],
        *["--input_size=48", "--log_every=1", "--panels_every=4", "--save_every=2", "--learning_rate=0.01"],
    ]


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of a run of two steps that went on for two more."""
    return runs.train_in_two_goes(command, tmp_path_factory.mktemp("runs") / "rgbn")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return runs.exported(trained, tmp_path_factory.mktemp("models") / "rgbn")


def test_what_a_run_leaves(trained):
    names = {str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file()}
    assert {"config.json", "run.json", "best.json", "checkpoints/ckpt-4.index", "panels/0000004.png"} <= names
    assert json.loads((trained / "config.json").read_text())["method"] == "rgbn"


@pytest.mark.slow
def test_an_interrupted_run_is_the_uninterrupted_one(command, trained, tmp_path):
    runs.assert_an_uninterrupted_run_is_the_same(command, trained, tmp_path, stored_variables)


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
    assert json.loads((tmp_path / "one" / "summary.json").read_text())["pictures"]["scored"] == 7
    assert evaluate.main([*arguments, f"--output={tmp_path / 'other'}", "--resolution=tile"]) == 1
    assert "this model can only see a whole picture at scale 1 (--resolution=whole): it is another method" in (
        capsys.readouterr().err
    )


def test_weights_by_name_start_another_run(command, trained, tmp_path):
    file = tmp_path / "rgbn.npz"
    asked = ["export", f"--run_dir={trained}", f"--output={file}", "--format=weights", "--checkpoint=newest"]
    assert export.main(asked) == 0
    assert json.loads((tmp_path / "rgbn.npz.json").read_text())["method"] == "rgbn"
    stored = read_npz(str(file), "")
    still = ["--learning_rate=0", "--steps=1", f"--initial_weights={file}", f"--run_dir={tmp_path / 'run'}"]
    assert train_comparator.main([*command, *still]) == 0
    network = export.load_run(tmp_path / "run", "newest")[0].segmenter
    assert set(stored) == set(stored_variables(network))
    for name, variable in stored_variables(network).items():
        np.testing.assert_array_equal(variable.numpy(), stored[name], err_msg=name)


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_a_form_that_cannot_hold_it_is_refused(trained, tmp_path, form, capsys):
    output = tmp_path / f"rgbn.{form}"
    assert export.main(["export", f"--run_dir={trained}", f"--output={output}", f"--format={form}"]) == 1
    assert f"--format={form}: rgbn has operations that this format has not" in capsys.readouterr().err
    assert not output.exists()


def test_help_is_the_methods_that_is_named(capsys):
    for named in ("--method=rgbn", "--flagfile=comparators/rgbn"):
        assert train_comparator.main(["train_comparator", named, "--help"]) == 0
        said = capsys.readouterr().out
        assert "--anchor_scales" in said and "--edge_weight" not in said and "comparators/rgbn: RGB-N" in said


def test_a_method_or_a_file_that_is_not_there_is_named(capsys):
    assert train_comparator.main(["train_comparator", "--method=nothing", "--run_dir=x"]) == 2
    assert "--method=nothing: expected one of mfcn, rgbn" in capsys.readouterr().err
    assert train_comparator.main(["train_comparator", "--flagfile=comparators/rgbm", "--run_dir=x"]) == 2
    assert "nearest of those: comparators/rgbn" in capsys.readouterr().err


def test_help_shows_every_setting_once():
    shown = [name for group in config.groups("run_dir", kind=config.RGBNRun) for name in group.names]
    assert sorted(shown) == sorted(["run_dir", *config.RGBNRun.names()])
