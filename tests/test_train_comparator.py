"""The command that trains another method, and what becomes of its run: exported, evaluated, started from."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from gsr_tf import config, evaluate, export, predict, train, train_comparator
from gsr_tf.comparators.mfcn.weights import stored_variables
from gsr_tf.inference.detector import Detector
from gsr_tf.models.weights import read_npz
from tests import tiny
from tests.comparators import runs


@pytest.fixture(scope="module")
def command(sources, targets):
    """A training command, less its --run_dir and --steps."""
    return [
        *["train_comparator", "--flagfile=comparators/mfcn"],
        *[f"--source_records={sources.path}", f"--target_records={targets.path}"],
        *[f"--validation_records={sources.path}", "--validation_pictures=2", "--validate_every=2"],
        *["--vgg16_weights=random", "--width=0.02", "--fc_channels=4", "--input_size=32"],
        *["--log_every=1", "--panels_every=2", "--save_every=2", "--learning_rate=0.01"],
    ]


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of a run of two steps that went on for two more."""
    return runs.train_in_two_goes(command, tmp_path_factory.mktemp("runs") / "mfcn")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return runs.exported(trained, tmp_path_factory.mktemp("models") / "mfcn")


def test_what_a_run_leaves(trained):
    names = {str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file()}
    assert {"config.json", "run.json", "best.json", "checkpoints/ckpt-2.index", "checkpoints/ckpt-4.index"} <= names
    assert {"panels/0000002.png", "panels/0000004.png"} <= names
    assert json.loads((trained / "config.json").read_text())["method"] == "mfcn"


def test_an_interrupted_run_is_the_uninterrupted_one(command, trained, tmp_path):
    runs.assert_an_uninterrupted_run_is_the_same(command, trained, tmp_path, stored_variables)


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
    pairs = ["picture,mask"]
    for name, side in (("large", 48), ("small", 31)):
        example = tiny.manipulated()[2]
        for kind, array in (("picture", example.picture), ("mask", 255 * example.masks[0].astype(np.uint8))):
            Image.fromarray(array[:side, :side]).save(tmp_path / f"{name}_{kind}.png")
        pairs.append(f"{tmp_path}/{name}_picture.png,{tmp_path}/{name}_mask.png")
    (tmp_path / "pairs.csv").write_text("\n".join(pairs))
    output = tmp_path / "results"
    arguments = [
        f"--saved_model={exported}",
        "--method=mfcn",
        f"--pairs={tmp_path / 'pairs.csv'}",
        f"--output={output}",
    ]
    assert evaluate.main(["evaluate", *arguments, "--protocols=paper"]) == 3
    assert re.search("1 skipped, the first .*small.*: 31x31 pixels; mfcn needs at least 32", capsys.readouterr().out)
    summary = json.loads((output / "summary.json").read_text())
    assert (summary["pictures"]["scored"], summary["pictures"]["skipped"]) == (1, 1)
    asked = [
        f"--saved_model={exported}",
        "--method=mfcn",
        f"--input={tmp_path}/*_picture.png",
        f"--output={tmp_path / 'answers'}",
    ]
    assert predict.main(["predict", *asked]) == predict.SOME_SKIPPED
    assert "31x31 pixels; mfcn needs at least 32 on each side" in capsys.readouterr().err


def test_it_sees_whole_pictures_alone(exported, sources, tmp_path, capsys):
    arguments = [f"--saved_model={exported}", f"--records={sources.path}", f"--output={tmp_path}", "--resolution=tile"]
    assert evaluate.main(["evaluate", *arguments]) == 1
    assert (
        "this model can only see a whole picture at scale 1 (--resolution=whole): it is another method"
        in capsys.readouterr().err
    )


def test_weights_by_name_start_another_run(command, trained, tmp_path):
    file = tmp_path / "mfcn.npz"
    assert export.main(["export", f"--run_dir={trained}", f"--output={file}", "--format=weights"]) == 0
    said = json.loads((tmp_path / "mfcn.npz.json").read_text())
    assert (said["method"], said["run"]) == ("mfcn", "mfcn")
    stored = read_npz(str(file), "")
    assert stored["mfcn/edge_threshold"] == pytest.approx(said["edge_threshold"])
    still = ["--learning_rate=0", "--steps=1", f"--initial_weights={file}", f"--run_dir={tmp_path / 'run'}"]
    assert train_comparator.main([*command, *still]) == 0
    network = export.load_run(tmp_path / "run", "newest")[0].segmenter
    for name, variable in stored_variables(network).items():
        if not name.endswith("edge_threshold"):  # the validation of the last step has chosen one
            np.testing.assert_array_equal(variable.numpy(), stored[name], err_msg=name)


def test_help_has_its_settings_and_its_flagfiles(capsys):
    assert train_comparator.main(["train_comparator", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--edge_weight" in said and "comparators/sfcn: SFCN" in said and "table3/cp_s" not in said
    assert "--lambda_adv" not in said
    assert train.main(["train", "--help"]) == 0
    assert "comparators/sfcn" not in capsys.readouterr().out


def test_help_shows_every_setting_once():
    groups = config.groups("run_dir", kind=config.MFCNRun)
    shown = [name for group in groups for name in group.names]
    assert sorted(shown) == sorted(["run_dir", *config.MFCNRun.names()])
