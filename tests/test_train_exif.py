"""The command that trains EXIF-consistency, and what becomes of its run: exported, evaluated, asked."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from gsr_tf import config, evaluate, export, predict, train_comparator
from gsr_tf.comparators.exif.weights import stored_variables
from gsr_tf.inference.detector import Detector
from gsr_tf.models.weights import read_npz
from gsr_tf.training.exif import EXIFRun
from tests import tiny
from tests.comparators import runs


@pytest.fixture(scope="module")
def command(sources, targets):
    """A training command, less its --run_dir and --steps."""
    return [
        *["train_comparator", "--flagfile=comparators/exif-sc"],
        *[f"--source_records={sources.path}", f"--target_records={targets.path}"],
        *[f"--validation_records={sources.path}", "--validation_pictures=2", "--validate_every=2"],
        *["--trunk=tiny", "--resnet50_weights=random", "--input_size=32", "--feature_channels=8"],
        *["--fc_channels=8,8", "--same_channels=4", "--patches_across=4", "--batch_size=4"],
        *["--log_every=1", "--panels_every=2", "--save_every=2", "--learning_rate=0.01"],
    ]


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of a run of two steps that went on for two more."""
    return runs.train_in_two_goes(command, tmp_path_factory.mktemp("runs") / "exif")


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return runs.exported(trained, tmp_path_factory.mktemp("models") / "exif")


def test_what_a_run_leaves(trained):
    names = {str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file()}
    assert {"config.json", "run.json", "best.json", "checkpoints/ckpt-2.index", "checkpoints/ckpt-4.index"} <= names
    assert {"panels/0000002.png", "panels/0000004.png"} <= names
    assert json.loads((trained / "config.json").read_text())["method"] == "exif-sc"


def test_an_interrupted_run_is_the_uninterrupted_one(command, trained, tmp_path):
    runs.assert_an_uninterrupted_run_is_the_same(command, trained, tmp_path, stored_variables)


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
    pairs = ["picture,mask"]
    for name, side in (("large", 48), ("small", 32)):
        example = tiny.manipulated()[2]
        for kind, array in (("picture", example.picture), ("mask", 255 * example.masks[0].astype(np.uint8))):
            Image.fromarray(array[:side, :side]).save(tmp_path / f"{name}_{kind}.png")
        pairs.append(f"{tmp_path}/{name}_picture.png,{tmp_path}/{name}_mask.png")
    (tmp_path / "pairs.csv").write_text("\n".join(pairs))
    output = tmp_path / "results"
    arguments = [
        f"--saved_model={exported}",
        "--method=exif-sc",
        f"--pairs={tmp_path / 'pairs.csv'}",
        f"--output={output}",
    ]
    assert evaluate.main(["evaluate", *arguments, "--protocols=paper"]) == 3
    assert re.search("1 skipped, the first .*small.*: 32x32 pixels; exif needs at least 33", capsys.readouterr().out)
    summary = json.loads((output / "summary.json").read_text())
    assert (summary["pictures"]["scored"], summary["pictures"]["skipped"]) == (1, 1)
    asked = [
        f"--saved_model={exported}",
        "--method=exif-sc",
        f"--input={tmp_path}/*_picture.png",
        f"--output={tmp_path / 'answers'}",
    ]
    assert predict.main(["predict", *asked]) == predict.SOME_SKIPPED
    assert "32x32 pixels; exif needs at least 33 on each side" in capsys.readouterr().err


def test_what_cannot_be_is_refused(trained, exported, sources, tmp_path, capsys):
    arguments = [f"--saved_model={exported}", f"--records={sources.path}", f"--output={tmp_path}", "--resolution=tile"]
    assert evaluate.main(["evaluate", *arguments]) == 1
    assert "it is another method than GSR-Net" in capsys.readouterr().err
    for output, flag, said in (
        ("m.onnx", "--format=onnx", "--format=onnx: exif-sc has operations"),
        ("m", "--size=64", "--size=64: EXIF-consistency sees pictures at their own size"),
        ("m", "--average_with=gsr-net-coco", "--average_with: moments of EXIF-consistency's normalisation"),
    ):
        assert export.main(["export", f"--run_dir={trained}", f"--output={tmp_path / output}", flag]) == 1
        assert said in capsys.readouterr().err


def test_weights_by_name_start_another_run(command, trained, tmp_path):
    file = tmp_path / "exif.npz"
    assert export.main(["export", f"--run_dir={trained}", f"--output={file}", "--format=weights"]) == 0
    assert json.loads((tmp_path / "exif.npz.json").read_text())["method"] == "exif-sc"
    stored = read_npz(str(file), "")
    still = ["--learning_rate=0", "--steps=1", f"--initial_weights={file}", f"--run_dir={tmp_path / 'run'}"]
    assert train_comparator.main([*command, *still]) == 0
    for name, variable in stored_variables(export.load_run(tmp_path / "run", "newest")[0].segmenter).items():
        if "moving" not in name:  # moments of the one step
            np.testing.assert_array_equal(variable.numpy(), stored[name], err_msg=name)


def test_a_run_that_is_done_may_answer_otherwise(command, tmp_path):
    for comparison in ("dense", "sparse"):
        assert (
            train_comparator.main([*command, f"--run_dir={tmp_path}", "--steps=1", f"--comparison={comparison}"]) == 0
        )
        detector = export.load_run(tmp_path, "newest")[0]
        assert detector.answer.comparison == comparison
    assert detector(tiny.tile(0))["probability"].shape == (48, 64, 1)


def test_help_has_its_settings(capsys):
    assert train_comparator.main(["train_comparator", "--method=exif-sc", "--help"]) == 0
    said = capsys.readouterr().out
    assert (
        "--patches_across" in said and "--edge_weight" not in said and "comparators/exif-sc: EXIF-consistency" in said
    )


def test_help_shows_every_setting_once():
    shown = [name for group in config.groups("run_dir", kind=EXIFRun) for name in group.names]
    assert sorted(shown) == sorted(["run_dir", *EXIFRun.names()])


def test_a_method_that_is_none_says_which_there_are(capsys):
    assert train_comparator.main(["train_comparator", "--method=nope"]) == 2
    assert "--method=nope: expected one of mfcn, rgbn, exif-sc, dih" in capsys.readouterr().err
