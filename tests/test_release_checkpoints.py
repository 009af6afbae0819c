"""Published weights of other methods by the commands: a run that holds them, and what is exported of it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf import export, predict, train, train_comparator
from gsr_tf.comparators.exif.release import release_name
from gsr_tf.formats.provenance import trained_how
from gsr_tf.inference.metadata import read_metadata
from gsr_tf.training.exif import EXIFRun
from tests import tiny
from tests.comparators import narrow_resnet
from tests.tf1_checkpoint import write_tf1_checkpoint

NETWORK = {"trunk": "resnet50-slim", "feature_channels": 4, "fc_channels": (4, 4), "same_channels": 3}
FLAGS = [
    *["train_comparator", "--flagfile=comparators/exif-sc", "--trunk=resnet50-slim", "--feature_channels=4"],
    *["--fc_channels=4,4", "--same_channels=3", "--input_size=32", "--patches_across=2", "--batch_size=2"],
]


@pytest.fixture(scope="module", autouse=True)
def narrow():
    with pytest.MonkeyPatch.context() as patch:
        narrow_resnet.put_in_place(patch)
        yield


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The prefix of a checkpoint, and {our name: what it holds}."""
    random, values = np.random.default_rng(0), {}
    network = EXIFRun().changed(input_size=32, resnet50_weights="random", **NETWORK).build_segmenter()
    for variable in network.variables:
        if variable is not network.known:
            values[variable.name.partition(":")[0]] = random.uniform(0.1, 0.5, variable.shape).astype(np.float32)
    stored = {release_name(name): value for name, value in values.items()}
    name = "resnet_v2_50/logits/weights"
    stored[name] = stored[name][np.newaxis, np.newaxis]
    return write_tf1_checkpoint(tmp_path_factory.mktemp("release") / "exif_final.ckpt", stored), values


@pytest.fixture(scope="module")
def run_dir(released, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "exif"
    assert (
        train_comparator.main([*FLAGS, f"--release_checkpoint={released[0]}", "--steps=0", f"--run_dir={folder}"]) == 0
    )
    return folder


def test_without_steps_a_run_holds_the_released_weights_and_needs_no_records(run_dir, released):
    network = export.load_run(run_dir, "best")[0].segmenter
    found = {v.name.partition(":")[0]: v.numpy() for v in network.variables}
    for name in ("conv4_block2_2_conv/kernel", "features/kernel", "fc_2/kernel", "same/bias"):
        np.testing.assert_array_equal(found[name], released[1][name])
    assert json.loads((run_dir / "run.json").read_text())["records"] == {}


@pytest.mark.slow
def test_it_is_exported_and_asked_like_any_model_and_says_where_it_is_from(run_dir, tmp_path, capsys):
    model = tmp_path / "exif"
    assert export.main(["export", f"--run_dir={run_dir}", f"--output={model}"]) == 0
    assert "agrees with the network" in capsys.readouterr().out
    metadata = read_metadata(model)
    assert metadata["method"] == "exif-sc" and "attributes" not in metadata
    assert trained_how(metadata) == "the authors' checkpoint, not trained here"
    tf.io.write_file(str(tmp_path / "picture.png"), tf.io.encode_png(tiny.tile(0)))
    asked = [f"--saved_model={model}", f"--input={tmp_path / 'picture.png'}", f"--output={tmp_path / 'answers'}"]
    assert predict.main(["predict", *asked]) == 0
    assert (tmp_path / "answers" / "picture_map.png").exists()


def test_it_may_answer_otherwise_and_holds_no_other_weights(run_dir, released, capsys):
    again = [*FLAGS, "--steps=0", f"--run_dir={run_dir}", "--comparison=sparse"]
    assert train_comparator.main([*again, "--release_checkpoint=elsewhere"]) == 1
    assert "--release_checkpoint: " in capsys.readouterr().err
    assert train_comparator.main([*again, f"--release_checkpoint={released[0]}"]) == 0
    assert "exif at step 0. Next: python -m gsr_tf.export" in capsys.readouterr().out
    assert json.loads((run_dir / "config.json").read_text())["comparison"] == "sparse"


def test_training_goes_on_from_it_and_no_steps_leave_that_as_it_is(run_dir, released, sources, targets, capsys):
    """The last test: the run is another one afterwards."""
    same = [*FLAGS, f"--release_checkpoint={released[0]}", f"--run_dir={run_dir}"]
    assert train_comparator.main([*same, "--steps=1"]) == 1
    assert "--source_records is needed" in capsys.readouterr().err
    records = [f"--source_records={sources.path}", f"--target_records={targets.path}"]
    assert train_comparator.main([*same, "--steps=1", *records]) == 0
    assert (run_dir / "checkpoints" / "ckpt-1.index").exists()
    before = {path: path.read_bytes() for path in run_dir.glob("*.json")}
    assert len(before) == 2 and train_comparator.main([*same, "--steps=0"]) == 0
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_of_gsr_net_holds_what_it_begins_with_too(tmp_path, capsys):
    tiny_one = ["--width=0.05", "--vgg16_weights=random", "--input_size=32"]
    assert train.main(["train", *tiny_one, "--steps=0", f"--run_dir={tmp_path}"]) == 0
    assert f"done: {tmp_path} at step 0. Next: python -m gsr_tf.export" in capsys.readouterr().out
    assert export.load_run(tmp_path, "best")[2].endswith("ckpt-0")


def test_a_checkpoint_that_is_none_does_not_mark_the_folder(tmp_path, capsys):
    run = [*FLAGS, "--release_checkpoint=nowhere", "--steps=0", f"--run_dir={tmp_path / 'run'}"]
    assert train_comparator.main(run) == 1
    assert "--release_checkpoint=nowhere: not a TensorFlow checkpoint (give its prefix" in capsys.readouterr().err
    assert not (tmp_path / "run" / "config.json").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--method=exif-sc"], "--release_checkpoint=c needs --trunk=resnet50-slim, not --trunk=resnet50"),
        (["--method=rgbn", "--backbone=tiny"], "=c does not go with --backbone=tiny --streams=both: it holds two"),
        (["--method=rgbn", "--streams=rgb"], "=c does not go with --backbone=resnet101 --streams=rgb: it holds two"),
        (["--method=rgbn", "--initial_weights=w"], "--initial_weights and --release_checkpoint: give one of them"),
        (["--method=exif-sc", "--initial_weights=w"], "--initial_weights and --release_checkpoint: give one of them"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(flags, said, tmp_path, capsys):
    command = ["train_comparator", *flags, "--release_checkpoint=c", "--steps=0", f"--run_dir={tmp_path}"]
    assert train_comparator.main(command) == 1
    assert said in capsys.readouterr().err
