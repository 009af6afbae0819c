"""What a user gets for wrong flags, folders and files: a message that names them, an exit code, and no traceback."""

import errno
import os
import re

import pytest
import tensorflow as tf

from gsr_tf import config, evaluate, export, figure, predict, serve, train
from gsr_tf.answers import answering
from tests import tiny

SMALL = ["--vgg16_weights=random", "--width=0.02", "--input_size=32", "--steps=1"]


@pytest.fixture
def training(sources, targets, tmp_path):
    """A good training command; a flag given again overrides it."""
    data = [f"--source_records={sources.path}", f"--target_records={targets.path}"]
    return ["train", *data, *SMALL, f"--run_dir={tmp_path / 'run'}"]


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        (["--blend=.5"], 2, "--blend: this version has no such setting, and does what --blend=0.0 did"),
        (["--novgg16_fc"], 2, "--vgg16_fc: this version has no such setting, and does what --vgg16_fc=False did"),
        (["--step=3"], 2, "Unknown command line flag 'step'. Did you mean: steps"),
        (["--steps=many"], 2, "flag --steps=many"),
        (["--resize_mode=stretch"], 2, "flag --resize_mode=stretch: .*squash|crop"),
        (["--flagfile=none.cfg"], 2, "none.cfg"),
        (["runs/new"], 2, "unexpected argument 'runs/new'; flags are written --name=value"),
        (["--run_dir="], 2, "--run_dir= is empty"),
        (["--batch_size=0"], 1, "--batch_size=0: expected at least 1"),
        (["--source_records="], 1, "--source_records is needed: .*data_prep"),
        (["--source_records=none"], 1, "--source_records=none: no such folder"),
        (["--validation_records=none"], 1, "--validation_records=none: no such folder"),
        (["--vgg16_weights=imagenet"], 1, "--vgg16_weights=imagenet fits --width=1 alone"),
        (["--release_checkpoint=none/ckpt"], 1, "none/ckpt: not a TensorFlow checkpoint"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_wrong_training_flags(training, tmp_path, capsys, wrong, code, message):
    assert train.main([*training, *wrong]) == code
    assert re.search(f"^error: .*{message}", capsys.readouterr().err)
    assert not list((tmp_path / "run").glob("[!.]*"))  # at most its lock


def test_records_that_cannot_be_validated_on_are_named(training, targets, capsys, monkeypatch):
    monkeypatch.setattr(config.Config, "build", None)  # refused before any network is built
    assert train.main([*training, f"--validation_records={targets.path}"]) == 1
    assert f"--validation_records={targets.path}: no pictures with a mask" in capsys.readouterr().err


def test_a_folder_of_another_run_is_left_alone(training, tmp_path, capsys):
    run_dir = tmp_path / "run"
    config.from_dict({"width": 0.5, "vgg16_weights": "random"}).write(run_dir)
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    assert train.main(training) == 1
    assert "--width: 0.5 there, 0.02 now" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in run_dir.iterdir()} == before


def test_a_file_where_the_run_should_be(training, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert train.main([*training, f"--run_dir={tmp_path / 'file'}"]) == 1
    assert f"--run_dir={tmp_path / 'file'}: a file; expected a folder" in capsys.readouterr().err


def test_help_teaches(capsys):
    assert train.main(["train", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "python -m gsr_tf.train --flagfile=gsr_net" in printed
    assert "Weight of L_edge (Eq. 7)" in printed


@pytest.mark.parametrize("command", [predict, evaluate, serve, figure], ids=lambda module: module.__name__)
def test_help_says_that_a_model_is_code(command, capsys):
    assert command.main(["gsr_tf", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "from a source you trust: a model is code" in words.partition("--saved_model: ")[2][:200]


@pytest.mark.parametrize(
    ("run_dir", "message"),
    [("none", "--run_dir=.*none: no config.json there"), ("new", "--run_dir=.*new: no checkpoint there")],
)
def test_a_run_that_cannot_be_exported(tmp_path, capsys, run_dir, message):
    config.from_dict({"vgg16_weights": "random", "width": 0.02}).write(tmp_path / "new")
    assert export.main(["export", f"--run_dir={tmp_path / run_dir}", f"--output={tmp_path / 'model'}"]) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "model").exists()


@pytest.fixture(scope="module")
def another_model(tmp_path_factory):
    """A SavedModel of something else."""
    folder = tmp_path_factory.mktemp("another") / "model"
    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([])])
    tf.saved_model.save(module, str(folder))
    return folder


def test_models_that_cannot_predict(another_model, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folder, message in ((tmp_path / "empty", "not a SavedModel folder"), (another_model, "but not a detector")):
        arguments = [f"--saved_model={folder}", f"--input={tmp_path}", f"--output={tmp_path / 'out'}"]
        (tmp_path / "a.png").touch()
        assert predict.main(["predict", *arguments]) == 1
        assert re.search(f"error: --saved_model={folder}: .*{message}", capsys.readouterr().err)


def test_a_full_disk_while_predicting_ends_with_a_message(tmp_path, monkeypatch, capsys):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(answering, "write_atomically", full)
    (tmp_path / "a.png").write_bytes(tf.io.encode_png(tiny.tile(0)).numpy())
    arguments = ["--method=all-positive", f"--input={tmp_path}", f"--output={tmp_path / 'out'}"]
    assert predict.main(["predict", *arguments]) == 1
    assert f"No space left on device: '{tmp_path}/out/a_map.png'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        (figure, "--figure=1", "--records=none", "x.png"),
        (export, "--run_dir=none", "--format=onnx", "x.onnx"),
        (export, "--run_dir=none", "model"),
    ],
    ids=["figure", "onnx", "saved_model"],
)
def test_where_nothing_can_be_written_is_told_before_any_work(line, tmp_path, capsys, monkeypatch):
    command, *rest, name = line
    file = tmp_path / "a"
    file.touch()
    assert command.main(["command", *rest, f"--output={file}/new/{name}"]) == 1
    expected = f"error: --output={file}/new/{name}: {file} is a file; expected a folder, or one that can be made"
    assert capsys.readouterr().err.startswith(expected)
    monkeypatch.setattr(os, "access", lambda place, _: place != tmp_path)
    assert command.main(["command", *rest, f"--output={tmp_path}/new/{name}"]) == 1
    expected = f"error: --output={tmp_path}/new/{name}: this user cannot write in {tmp_path}; give another place"
    assert capsys.readouterr().err.startswith(expected)
    assert list(tmp_path.iterdir()) == [file]


def test_a_figure_takes_the_place_of_files_alone(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    for output in (tmp_path, tmp_path / "pipe"):
        assert figure.main(["figure", "--figure=1", "--records=none", f"--output={output}"]) == 1
        expected = f"error: --output={output}: a folder or a device; expected the name of a PNG file"
        assert expected in capsys.readouterr().err


def test_nothing_is_exported_to_a_link_that_leads_nowhere(tmp_path, capsys):
    (tmp_path / "model").symlink_to("nowhere")
    assert export.main(["export", "--weights=gsr-net-coco", f"--output={tmp_path / 'model'}"]) == 1
    assert f"error: --output={tmp_path / 'model'} exists already" in capsys.readouterr().err
