"""DIH from its command to its place in GSR-Net's step: trained, gone on with, exported as weights, used."""

import json

import numpy as np
import pytest

from gsr_tf import export, train, train_comparator
from gsr_tf.comparators.dih.weights import load_harmonizer
from gsr_tf.models.weights import read_npz
from gsr_tf.training.restored import restore_network
from tests.checkpoints import values_in
from tests.comparators import runs


@pytest.fixture(scope="module")
def command(sources, targets):
    small = ["--width=0.03", "--network_size=64", "--input_size=32", "--batch_size=2", "--learning_rate=0.003"]
    return runs.command("dih", sources, targets, *small)


@pytest.fixture(scope="module")
def trained(command, tmp_path_factory):
    """The folder of a run of two steps that went on for two more."""
    return runs.train_in_two_goes(command, tmp_path_factory.mktemp("runs") / "dih")


@pytest.fixture(scope="module")
def weights(trained, tmp_path_factory):
    return runs.exported(trained, tmp_path_factory.mktemp("models") / "dih.npz", "--format=weights")


@pytest.fixture(scope="module")
def gsr_net(sources, targets, weights):
    """The command of the row of Table 2, less its --run_dir and --steps."""
    return [
        *["train", "--flagfile=table2/dl_dih", f"--harmonizer={weights}"],
        *[f"--source_records={sources.path}", f"--target_records={targets.path}"],
        *["--vgg16_weights=random", "--width=0.02", "--input_size=32", "--batch_size=2", "--save_every=1"],
        *["--panels_every=2", "--dropout=0"],
    ]


def test_what_a_run_leaves(trained):
    runs.assert_it_left(trained, "dih")
    best = json.loads((trained / "best.json").read_text())
    assert set(best) == {"step", "validation_improvement", "validated_on"} and best["validation_improvement"] < 1


def test_an_interrupted_run_is_the_uninterrupted_one(command, weights, tmp_path, capsys):
    assert train_comparator.main([*command, f"--run_dir={tmp_path / 'run'}", "--steps=4"]) == 0
    assert "python -m gsr_tf.export --run_dir=" in (said := capsys.readouterr().out)
    assert said.strip().endswith("--format=weights --output=FILE.npz")
    output = runs.exported(tmp_path / "run", tmp_path / "dih.npz", "--format=weights")
    one, other = (read_npz(str(file), "") for file in (weights, output))
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], atol=1e-6, err_msg=name)


def test_the_weights_are_the_runs_and_say_what_they_are(trained, weights):
    network = load_harmonizer(str(weights))
    stored = {name: v.numpy() for name, v in zip(read_npz(str(weights), ""), network.variables)}
    restore_network("harmonizer", network, trained, "newest")
    np.testing.assert_equal({name: v.numpy() for name, v in zip(stored, network.variables)}, stored)
    said = json.loads((weights.parent / "dih.npz.json").read_text())
    assert (said["method"], said["run"], said["config"]["steps"]) == ("dih", "dih", 4)
    assert said["records"]["--target_records"]["path"] == "targets"


@pytest.mark.parametrize(("format_", "name"), [("saved_model", "model"), ("onnx", "m.onnx"), ("tflite", "m.tflite")])
def test_it_is_no_detector(trained, tmp_path, capsys, format_, name):
    output = tmp_path / name
    assert export.main(["export", f"--run_dir={trained}", f"--output={output}", f"--format={format_}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --format={format_}: {trained} is a run of dih, which is no detector; expected ")
    assert not output.exists()


@pytest.mark.parametrize("flag", ["--size=64", "--centre=0.4", "--threshold=0.3", "--scales=1,2"])
def test_what_is_for_detectors_is_refused(trained, tmp_path, capsys, flag):
    output = f"--output={tmp_path / 'dih.npz'}"
    assert export.main(["export", f"--run_dir={trained}", output, "--format=weights", flag]) == 1
    assert f"{flag.partition('=')[0]}: for detectors" in capsys.readouterr().err


def test_weights_start_another_run(command, weights, tmp_path):
    still = ["--learning_rate=0", "--steps=1", f"--initial_weights={weights}", f"--run_dir={tmp_path / 'run'}"]
    assert train_comparator.main([*command, *still]) == 0
    network = load_harmonizer(str(weights))
    before = [v.numpy() for v in network.variables]
    restore_network("harmonizer", network, tmp_path / "run", "newest")
    np.testing.assert_equal([v.numpy() for v in network.variables], before)


def test_weights_of_another_form_are_refused(command, weights, tmp_path, capsys):
    wide = [f"--initial_weights={weights}", "--width=0.1", "--steps=1", f"--run_dir={tmp_path / 'run'}"]
    assert train_comparator.main([*command, *wide]) == 1
    assert f"--initial_weights={weights}: dih/encoder_1/kernel is (4, 4, 4, 2)" in capsys.readouterr().err


@pytest.mark.slow
def test_gsr_net_goes_on_with_the_harmoniser_it_began_with(gsr_net, weights, tmp_path):
    """Interrupted or not; another file of that name, in between, does not change it."""
    interrupted, whole, file = tmp_path / "interrupted", tmp_path / "whole", tmp_path / "dih.npz"
    file.write_bytes(weights.read_bytes())
    command = [*gsr_net, f"--harmonizer={file}"]
    assert train.main([*command, f"--run_dir={interrupted}", "--steps=1"]) == 0
    assert train.main([*command, f"--run_dir={whole}", "--steps=2"]) == 0
    np.savez(file, **{name: 0 * values for name, values in read_npz(str(weights), "").items()})
    assert train.main([*command, f"--run_dir={interrupted}", "--steps=2"]) == 0
    one, other = (values_in(run / "checkpoints" / "ckpt-2", "segmenter") for run in (interrupted, whole))
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], atol=1e-6, err_msg=name)
    network = load_harmonizer(str(weights))
    before = [v.numpy() for v in network.variables]
    restore_network("harmonizer", network, interrupted, "newest")
    np.testing.assert_equal([v.numpy() for v in network.variables], before)
    assert (whole / "panels" / "0000002.png").exists()


def test_a_harmoniser_that_is_not_there_is_named_before_anything_is_written(gsr_net, tmp_path, capsys):
    run = tmp_path / "run"
    assert train.main([*gsr_net, "--harmonizer=nowhere.npz", f"--run_dir={run}", "--steps=1"]) == 1
    assert "error: --harmonizer=nowhere.npz: could not be read" in capsys.readouterr().err
    assert not (run / "config.json").exists()
