import errno
import functools
import gc
import json
import os
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.training.checkpoint_folder import CheckpointError
from gsr_tf.training.checkpoints import Checkpoints, NonFiniteWeights
from gsr_tf.training.restored import last_step, restore_generation, restore_generators, restore_network
from gsr_tf.training.run_dir import this_code, write_facts

PARTS = ("generator", "discriminator", "segmenter")


def module(size, value):
    found = tf.Module()
    found.weight = tf.Variable(tf.fill([size], float(value)))
    return found


class SmallNet(SimpleNamespace):
    networks, frozen, criterion = PARTS, (), "f1"


def small_net(value=0, size=3):
    """Anything with the parts of a GSRNet; every weight is `value`."""
    parts = {name: module(size, value) for part in PARTS for name in (part, f"{part}_optimizer")}
    return SmallNet(**parts, step=tf.Variable(value, dtype=tf.int64))


def weights(net):
    return {part.weight.numpy()[0] for name, part in vars(net).items() if name != "step"}


def set_all(net, value):
    net.step.assign(value)
    for name, part in vars(net).items():
        if name != "step":
            part.weight.assign(tf.fill([3], float(value)))


def test_everything_comes_back(tmp_path):
    Checkpoints(small_net(7), tmp_path, keep=2).save()
    net = small_net()
    assert Checkpoints(net, tmp_path, keep=2).restore()
    assert weights(net) == {7.0}
    assert int(net.step) == 7


def test_what_is_frozen_comes_back_too(tmp_path):
    nets = [small_net(7), small_net()]
    for net, value in zip(nets, (5, 0)):
        net.frozen, net.harmonizer = ("harmonizer",), module(3, value)
    Checkpoints(nets[0], tmp_path, keep=2).save()
    assert Checkpoints(nets[1], tmp_path, keep=2).restore()
    assert nets[1].harmonizer.weight.numpy()[0] == 5


@pytest.mark.parametrize("larger", ["run", "checkpoint"])
def test_a_run_is_restored_whole_or_not_at_all(tmp_path, larger):
    saved, net = small_net(7), small_net()
    (net if larger == "run" else saved).segmenter.bias = tf.Variable(0.0)
    Checkpoints(saved, tmp_path, keep=2).save()
    with pytest.raises(CheckpointError, match="ckpt-7 does not fit this configuration's networks"):
        Checkpoints(net, tmp_path, keep=2).restore()


def test_a_new_run_has_nothing_to_restore(tmp_path):
    assert not Checkpoints(small_net(), tmp_path, keep=2).restore()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_no_use_are_not_saved(tmp_path, value):
    net = small_net(7)
    checkpoints = Checkpoints(net, tmp_path, keep=2)
    checkpoints.save()
    net.step.assign(8)
    net.generator.weight.assign([1.0, value, 1.0])
    for save in (checkpoints.save, lambda: checkpoints.save_if_best(0.5), checkpoints.check_finite):
        with pytest.raises(NonFiniteWeights, match="step 8: weights of the generator are NaN .*--learning_rate"):
            save()
    assert last_step(tmp_path) == 7
    net.generator.weight.assign([1.0, 1.0, 1.0])
    net.generator.moving_variance = tf.Variable([value], trainable=False)
    with pytest.raises(NonFiniteWeights, match="weights of the generator"):
        checkpoints.check_finite()
    net.generator.moving_variance = tf.Variable([2**62], trainable=False)  # whole numbers are no weights
    checkpoints.check_finite()


def test_the_newest_are_kept(tmp_path):
    net = small_net()
    checkpoints = Checkpoints(net, tmp_path, keep=2)
    for step in (1, 2, 3, 10):
        set_all(net, step)
        checkpoints.save()
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("*.index")) == ["ckpt-10.index", "ckpt-3.index"]


def test_no_checkpoint_is_forgotten_when_the_clock_is_set_back(tmp_path, monkeypatch):
    net, now = small_net(), time.time()
    for stretch in range(3):  # each an hour before the one before
        monkeypatch.setattr(time, "time", functools.partial(float, now - 3600 * stretch))
        checkpoints = Checkpoints(net, tmp_path, keep=3)
        for step in (2 * stretch + 1, 2 * stretch + 2):
            set_all(net, step)
            checkpoints.save()
            checkpoints.save_if_best(step / 10)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*.index")}
    assert names == {*(f"checkpoints/ckpt-{step}.index" for step in (4, 5, 6)), "best/ckpt-6.index"}
    segmenter = module(3, 0)
    assert restore_network("segmenter", segmenter, tmp_path, "mean").endswith("ckpt-{4,5,6}")
    assert segmenter.weight.numpy()[0] == 5


def test_the_best_is_kept_beside_them_also_after_a_resume(tmp_path):
    net = small_net()
    kept = []
    for step, score in ((1, 0.2), (2, 0.5), (3, 0.5), (4, 0.4), (5, 0.6)):
        set_all(net, step)
        kept.append(Checkpoints(net, tmp_path, keep=1).save_if_best(score))
    assert kept == [True, True, False, False, True]
    assert Checkpoints(net, tmp_path, keep=1).best_score() == 0.6
    assert [path.name for path in (tmp_path / "best").glob("*.index")] == ["ckpt-5.index"]


@pytest.mark.parametrize("score", [0.0, -0.5])
def test_the_first_score_is_the_best_whatever_it_is(tmp_path, score):
    net = small_net(3)
    net.criterion = "improvement"
    checkpoints = Checkpoints(net, tmp_path, keep=1, validated_on=["a"])
    assert checkpoints.save_if_best(score) and not checkpoints.save_if_best(score)
    written = {"step": 3, "validation_improvement": score, "validated_on": ["a"]}
    assert json.loads((tmp_path / "best.json").read_text()) == written


def test_the_best_score_is_replaced_and_never_half_written(tmp_path):
    checkpoints = Checkpoints(small_net(3), tmp_path, keep=1)
    checkpoints.save_if_best(0.1)
    os.link(tmp_path / "best.json", tmp_path / "as it was")  # what was written over would be seen under both names
    checkpoints.save_if_best(0.2)
    scores = [json.loads((tmp_path / name).read_text())["validation_f1"] for name in ("as it was", "best.json")]
    assert scores == [0.1, 0.2]


def test_scores_on_other_data_decide_nothing(tmp_path, capsys):
    net, kept = small_net(), []
    for step, (score, data) in enumerate([(0.5, ["a"]), (0.2, ["a", "b"]), (0.1, ["a", "b"]), (0.3, ["a", "b"])], 1):
        set_all(net, step)
        kept.append(Checkpoints(net, tmp_path, keep=1, validated_on=data).save_if_best(score))
    assert kept == [True, True, False, True]
    assert capsys.readouterr().out.count("of other validation pictures; the best score starts anew") == 1


def test_a_best_score_of_an_earlier_version_counts(tmp_path):
    (tmp_path / "best.json").write_text('{"step": 2, "validation_f1": 0.4}')
    assert Checkpoints(small_net(), tmp_path, keep=1, validated_on=["a"]).best_score() == 0.4


def test_a_validation_is_owed_of_one_state_until_it_is_made(tmp_path):
    net = small_net(4)
    Checkpoints(net, tmp_path, keep=1).owe_validation(False)  # of a run that never owed one
    assert not Checkpoints(net, tmp_path, keep=1).owes_validation()
    Checkpoints(net, tmp_path, keep=1).owe_validation(True)
    assert Checkpoints(net, tmp_path, keep=1).owes_validation()
    net.step.assign(3)  # killed before it was saved: step 4 comes again, and with it its validation
    assert not Checkpoints(net, tmp_path, keep=1).owes_validation()
    net.step.assign(4)
    Checkpoints(net, tmp_path, keep=1).owe_validation(False)
    assert not Checkpoints(net, tmp_path, keep=1).owes_validation() and not any(tmp_path.glob("*step*"))


def test_a_run_knows_how_far_it_has_come(tmp_path):
    assert last_step(tmp_path) == 0
    net = small_net(3)
    checkpoints = Checkpoints(net, tmp_path, keep=1)
    checkpoints.save_if_best(0.1)
    assert last_step(tmp_path) == 3
    set_all(net, 12)
    checkpoints.save()
    assert last_step(tmp_path) == 12


def test_export_takes_the_best_else_the_newest(tmp_path):
    net = small_net(1)
    checkpoints = Checkpoints(net, tmp_path, keep=1)
    checkpoints.save()
    assert restore_network("segmenter", net.segmenter, tmp_path, "best").endswith("checkpoints/ckpt-1")
    set_all(net, 2)
    checkpoints.save_if_best(0.1)
    segmenter = module(3, 0)
    assert restore_network("segmenter", segmenter, tmp_path, "best").endswith("best/ckpt-2")
    assert segmenter.weight.numpy()[0] == 2
    restore_network("segmenter", segmenter, tmp_path, "newest")
    assert segmenter.weight.numpy()[0] == 1


def test_export_takes_the_mean_of_those_that_were_kept(tmp_path):
    net = small_net()
    checkpoints = Checkpoints(net, tmp_path, keep=3)
    segmenter = module(3, 0)
    paths = []
    for step in (1, 2, 3, 10):
        set_all(net, step)
        checkpoints.save()
        paths.append(restore_network("segmenter", segmenter, tmp_path, "mean"))
    assert paths[0].endswith("checkpoints/ckpt-1") and paths[-1].endswith("checkpoints/ckpt-{2,3,10}")
    assert segmenter.weight.numpy().tolist() == [5.0, 5.0, 5.0]


def test_the_mean_is_rounded_once(tmp_path):
    net, segmenter = small_net(), module(3, 0)
    checkpoints = Checkpoints(net, tmp_path, keep=3)
    for step, value in ((1, 2.0**24), (2, 1.0), (3, 1.0)):  # 2^24 + 1 is no float32
        net.step.assign(step)
        net.segmenter.weight.assign([value] * 3)
        checkpoints.save()
    restore_network("segmenter", segmenter, tmp_path, "mean")
    assert segmenter.weight.numpy()[0] == (2**24 + 2) / 3


def test_of_what_is_no_weight_the_mean_has_the_newest(tmp_path):
    net, segmenter = small_net(), module(3, 0)
    for network in (net.segmenter, segmenter):
        network.threshold = tf.Variable(0.0, trainable=False)
        network.layer = tf.Module()
        network.layer.moments = tf.Variable(0.0, trainable=False)
    checkpoints = Checkpoints(net, tmp_path, keep=3)
    for step, threshold in ((1, 0.1), (2, 0.7), (3, 0.9)):
        set_all(net, step)
        net.segmenter.threshold.assign(threshold)
        net.segmenter.layer.moments.assign(step)
        checkpoints.save()
    restore_network("segmenter", segmenter, tmp_path, "mean")
    assert (segmenter.threshold.numpy(), segmenter.layer.moments.numpy()) == (np.float32(0.9), 2.0)
    assert segmenter.weight.numpy().tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("which", ["best", "newest", "mean"])
def test_nothing_to_export(which, tmp_path):
    with pytest.raises(CheckpointError, match=f"--run_dir={tmp_path}: no checkpoint there"):
        restore_network("segmenter", module(3, 0), tmp_path, which)


def test_another_runs_generator_and_discriminator_and_nothing_else(tmp_path):
    net = small_net(1)
    checkpoints = Checkpoints(net, tmp_path, keep=2)
    for step in (1, 2):
        set_all(net, step)
        checkpoints.save()
    fresh = small_net()
    restore_generation(fresh, tmp_path)
    found = {name: float(part.weight.numpy()[0]) for name, part in vars(fresh).items() if name != "step"}
    assert found == {**dict.fromkeys(found, 0.0), "generator": 2.0, "discriminator": 2.0}
    assert int(fresh.step) == 0


def test_generators_come_back_one_after_the_other_the_oldest_first(tmp_path):
    net, fresh = small_net(), small_net()
    checkpoints = Checkpoints(net, tmp_path, keep=2)
    for step in (1, 2, 3):
        set_all(net, step)
        checkpoints.save()
    found = [(step, fresh.generator.weight.numpy()[0]) for step in restore_generators(fresh, tmp_path)]
    assert found == [(2, 2.0), (3, 3.0)]
    with pytest.raises(CheckpointError, match="does not fit the configuration's generator"):
        next(restore_generators(small_net(size=4), tmp_path))
    with pytest.raises(CheckpointError, match="no checkpoint there"):
        next(restore_generators(fresh, tmp_path / "none"))


@pytest.mark.parametrize("name", ["model[1]", "model\\1"])
def test_in_a_folder_that_tensorflow_takes_for_a_pattern_nothing_is_called_damaged(tmp_path, name):
    Checkpoints(small_net(1), tmp_path / "run", keep=1).save()
    (tmp_path / "run").rename(tmp_path / name)
    expected = re.escape(f"{tmp_path / name}/checkpoints/ckpt-1 cannot be read: ") + ".*; rename the folder"
    with pytest.raises(CheckpointError, match=expected):
        restore_network("segmenter", module(3, 0), tmp_path / name, "newest")
    (tmp_path / name).rename(tmp_path / "model (1)")
    restore_network("segmenter", module(3, 0), tmp_path / "model (1)", "newest")


def test_in_a_folder_that_tensorflow_looks_for_under_another_name_nothing_is_called_damaged(tmp_path, monkeypatch):
    run = tmp_path / "café"
    Checkpoints(small_net(1), run, keep=1).save()
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    monkeypatch.setattr(tf.train, "get_checkpoint_state", lambda folder: None)  # of a folder that is not there
    expected = re.escape(f"{run}/checkpoints cannot be read: ") + "TensorFlow would look .*; set PYTHONUTF8=1"
    with pytest.raises(CheckpointError, match=expected):
        restore_network("segmenter", module(3, 0), run, "newest")


def test_no_generator_to_begin_from(tmp_path):
    with pytest.raises(CheckpointError, match=f"--initial_generator={tmp_path}: no checkpoint there"):
        restore_generation(small_net(), tmp_path)


def cut(run_dir):
    (data,) = (run_dir / "checkpoints").glob("*.data*")
    data.write_bytes(data.read_bytes()[:20])


@pytest.mark.parametrize(
    ("size", "damage", "message"),
    [(4, lambda _: None, "does not fit"), (3, cut, "is damaged: .*No checkpoint in .*/checkpoints is whole; .*step 0")],
    ids=["size", "cut"],
)
def test_what_does_not_fit_or_is_damaged_is_named(tmp_path, size, damage, message):
    Checkpoints(small_net(1), tmp_path, keep=1).save()
    damage(tmp_path)
    with pytest.raises(CheckpointError, match=f"{tmp_path}/checkpoints/ckpt-1 {message}"):
        Checkpoints(small_net(size=size), tmp_path, keep=1).restore()
    with pytest.raises(CheckpointError, match=f"{tmp_path}/checkpoints/ckpt-1 {message}"):
        restore_network("segmenter", module(size, 0), tmp_path, "newest")


def test_what_another_version_wrote_is_said_to_be_its_and_not_value_by_value(tmp_path, caplog, monkeypatch):
    Checkpoints(small_net(1), tmp_path, keep=1).save()
    write_facts(tmp_path, {})
    with pytest.raises(CheckpointError) as refusal:
        restore_network("segmenter", module(4, 0), tmp_path, "newest")
    assert "The run was trained" not in str(refusal.value)
    monkeypatch.setattr("gsr_tf.training.run_dir.source_commit", lambda: "f00d")
    code, larger = this_code(), module(3, 0)
    write_facts(tmp_path, {})
    monkeypatch.undo()
    larger.bias = tf.Variable(0.0)
    message = re.escape(f". The run was trained with {code}, which can go on with it and export it")
    monkeypatch.setattr(tf.get_logger(), "handlers", [caplog.handler])
    for network in (module(4, 0), larger):  # TensorFlow refuses the one at once, the other in the end
        with pytest.raises(CheckpointError, match=f"{tmp_path}/checkpoints/ckpt-1 does not fit .*{message}"):
            restore_network("segmenter", network, tmp_path, "newest")
    gc.collect()
    assert caplog.messages == []


def trained(run_dir, steps=(9, 80, 160)):
    """A run's folder with a checkpoint at each step, every weight of which is the step."""
    net = small_net()
    checkpoints = Checkpoints(net, run_dir, keep=5)
    for step in steps:
        set_all(net, step)
        checkpoints.save()
    return run_dir / "checkpoints"


def follow(message):
    """Does what a message says: to make a file of one line."""
    path, line = re.search(r"make (\S+) a file of this one line: (.*)$", message).groups()
    Path(path).write_text(line + "\n")


@pytest.mark.parametrize("state", [None, "", "no list {"], ids=["missing", "empty", "garbage"])
def test_checkpoints_without_their_list_are_no_new_run(tmp_path, state):
    folder = trained(tmp_path)
    (folder / "checkpoint").unlink()
    if state is not None:
        (folder / "checkpoint").write_text(state)
    before = sorted(path.name for path in folder.glob("ckpt*"))
    with pytest.raises(
        CheckpointError, match=f"{folder}/checkpoint, .*, is missing or damaged. .*is ckpt-160"
    ) as error:
        Checkpoints(small_net(), tmp_path, keep=1)
    for which in ("best", "newest", "mean"):
        with pytest.raises(CheckpointError, match="ckpt-160"):
            restore_network("segmenter", module(3, 0), tmp_path, which)
    assert sorted(path.name for path in folder.glob("ckpt*")) == before
    follow(str(error.value))
    net = small_net()
    assert Checkpoints(net, tmp_path, keep=1).restore()
    assert weights(net) == {160.0}


def test_a_damaged_list_of_nothing_is_no_new_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "checkpoint").write_text("no list {")
    with pytest.raises(CheckpointError, match="checkpoints/checkpoint, .*, is missing or damaged. No checkpoint in"):
        Checkpoints(small_net(), tmp_path, keep=1)


def killed_at_its_first(run_dir):
    """A run's folder with a first checkpoint, newest and best, that nothing lists yet."""
    checkpoints = Checkpoints(small_net(5), run_dir, keep=5)
    checkpoints.save()
    checkpoints.save_if_best(0.5)
    for path in ("checkpoints/checkpoint", "best/checkpoint", "best.json"):
        (run_dir / path).unlink()


def test_a_run_goes_on_from_a_first_checkpoint_that_was_not_listed_yet(tmp_path):
    killed_at_its_first(tmp_path)
    net = small_net()
    checkpoints = Checkpoints(net, tmp_path, keep=5)
    assert checkpoints.restore()
    assert weights(net) == {5.0} and int(net.step) == 5
    for which in ("best", "newest", "mean"):
        part = module(3, 0)
        restore_network("segmenter", part, tmp_path, which)
        assert part.weight.numpy()[0] == 5
    set_all(net, 6)
    checkpoints.save()
    assert checkpoints.save_if_best(0.1)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*.index")}
    assert names == {"checkpoints/ckpt-5.index", "checkpoints/ckpt-6.index", "best/ckpt-6.index"}


def test_the_mean_of_a_list_that_was_written_by_hand_is_the_newest(tmp_path):
    Checkpoints(small_net(5), tmp_path, keep=5).save()
    (tmp_path / "checkpoints" / "checkpoint").write_text('model_checkpoint_path: "ckpt-5"\n')
    part = module(3, 0)
    restore_network("segmenter", part, tmp_path, "mean")
    assert part.weight.numpy()[0] == 5


def test_a_first_checkpoint_that_is_damaged_is_not_listed(tmp_path):
    killed_at_its_first(tmp_path)
    cut(tmp_path)
    with pytest.raises(CheckpointError, match="checkpoints/checkpoint, .* is missing or damaged. No checkpoint in"):
        Checkpoints(small_net(), tmp_path, keep=5)
    assert not (tmp_path / "checkpoints" / "checkpoint").exists()


@pytest.mark.parametrize("damage", ["cut", "bit", "lost"])
def test_beside_a_damaged_newest_one_the_newest_whole_one_is_named(tmp_path, damage):
    folder = trained(tmp_path)
    (data,) = folder.glob("ckpt-160.data*")
    whole = data.read_bytes()
    if damage == "lost":
        data.unlink()
    else:
        data.write_bytes(whole[:20] if damage == "cut" else bytes(byte ^ 1 for byte in whole))
    with pytest.raises(CheckpointError, match=f"{folder}/ckpt-160 is damaged: .*newest whole .* is ckpt-80;") as error:
        Checkpoints(small_net(), tmp_path, keep=5).restore()
    with pytest.raises(CheckpointError, match="ckpt-160 is damaged: .*newest whole .* is ckpt-80;"):
        restore_network("segmenter", module(3, 0), tmp_path, "newest")
    follow(str(error.value))
    net = small_net()
    assert Checkpoints(net, tmp_path, keep=5).restore()
    assert weights(net) == {80.0}


def test_what_a_killed_run_had_begun_to_write_is_swept(tmp_path):
    trained(tmp_path)
    Checkpoints(small_net(160), tmp_path, keep=5).save_if_best(0.5)
    before = sorted(tmp_path.rglob("*"))
    for folder in (tmp_path / "checkpoints", tmp_path / "best"):
        (folder / "ckpt-240_temp").mkdir()
        (folder / "ckpt-240_temp" / "part-00000-of-00001.data-00000-of-00001").write_bytes(b"half")
        (folder / "checkpoint.tmp0123456789abcdef").touch()
    Checkpoints(small_net(), tmp_path, keep=5)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_lost_checkpoint_is_not_a_new_run(tmp_path):
    Checkpoints(small_net(1), tmp_path, keep=1).save()
    for file in (tmp_path / "checkpoints").glob("ckpt*"):
        file.unlink()
    with pytest.raises(CheckpointError, match=f"{tmp_path}/checkpoints/ckpt-1 is damaged"):
        Checkpoints(small_net(), tmp_path, keep=1).restore()


@pytest.mark.parametrize("text", ["{", "[1]", '{"step": 2}', '{"validation_f1": null}', '{"validation_f1": "high"}'])
def test_a_damaged_best_score_is_named(tmp_path, text):
    (tmp_path / "best.json").write_text(text)
    with pytest.raises(CheckpointError, match=f"{tmp_path}/best.json is damaged"):
        Checkpoints(small_net(), tmp_path, keep=1).best_score()


@pytest.mark.parametrize(
    "error", [tf.errors.ResourceExhaustedError(None, None, "disk full"), OSError(errno.ENOSPC, "disk full")]
)
def test_a_full_disk_says_what_is_safe_and_what_to_do(tmp_path, monkeypatch, error):
    checkpoints = Checkpoints(small_net(5), tmp_path, keep=1)

    def fail(**_):
        raise error

    monkeypatch.setattr(checkpoints.newest, "save", fail)
    with pytest.raises(
        CheckpointError, match=r"step 5 could not be saved in .*checkpoints \(.*disk full.*same command"
    ):
        checkpoints.save()


def test_a_folder_of_another_user_is_refused_before_the_first_step(tmp_path, monkeypatch):
    Checkpoints(small_net(5), tmp_path, keep=1).save()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "checkpoints")
    with pytest.raises(CheckpointError, match="checkpoints cannot be written by this user"):
        Checkpoints(small_net(), tmp_path, keep=1)


def test_folders_are_as_the_umask_says(tmp_path):
    before = os.umask(0o002)
    try:
        checkpoints = Checkpoints(small_net(5), tmp_path, keep=1)
        checkpoints.save()
        checkpoints.save_if_best(0.5)
    finally:
        os.umask(before)
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in ("checkpoints", "best")} == {0o775}
