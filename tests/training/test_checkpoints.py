import errno
from types import SimpleNamespace

import pytest
import tensorflow as tf

from gsr_tf.training.checkpoints import CheckpointError, Checkpoints, restore_generation, restore_segmenter

PARTS = ("generator", "discriminator", "segmenter")


def module(size, value):
    found = tf.Module()
    found.weight = tf.Variable(tf.fill([size], float(value)))
    return found


def small_net(value=0, size=3):
    """Anything with the parts of a GSRNet; every weight is `value`."""
    parts = {name: module(size, value) for part in PARTS for name in (part, f"{part}_optimizer")}
    return SimpleNamespace(**parts, step=tf.Variable(value, dtype=tf.int64))


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


def test_a_new_run_has_nothing_to_restore(tmp_path):
    assert not Checkpoints(small_net(), tmp_path, keep=2).restore()


def test_the_newest_are_kept(tmp_path):
    net = small_net()
    checkpoints = Checkpoints(net, tmp_path, keep=2)
    for step in (1, 2, 3, 10):
        set_all(net, step)
        checkpoints.save()
    assert sorted(path.name for path in (tmp_path / "checkpoints").glob("*.index")) == ["ckpt-10.index", "ckpt-3.index"]


def test_the_best_is_kept_beside_them_also_after_a_resume(tmp_path):
    net = small_net()
    kept = []
    for step, score in ((1, 0.2), (2, 0.5), (3, 0.5), (4, 0.4), (5, 0.6)):
        set_all(net, step)
        kept.append(Checkpoints(net, tmp_path, keep=1).save_if_best(score))
    assert kept == [True, True, False, False, True]
    assert Checkpoints(net, tmp_path, keep=1).best_score() == 0.6
    assert [path.name for path in (tmp_path / "best").glob("*.index")] == ["ckpt-5.index"]


def test_export_takes_the_best_else_the_newest(tmp_path):
    net = small_net(1)
    checkpoints = Checkpoints(net, tmp_path, keep=1)
    checkpoints.save()
    assert restore_segmenter(net.segmenter, tmp_path, "best").endswith("checkpoints/ckpt-1")
    set_all(net, 2)
    checkpoints.save_if_best(0.1)
    segmenter = module(3, 0)
    assert restore_segmenter(segmenter, tmp_path, "best").endswith("best/ckpt-2")
    assert segmenter.weight.numpy()[0] == 2
    restore_segmenter(segmenter, tmp_path, "newest")
    assert segmenter.weight.numpy()[0] == 1


def test_export_takes_the_mean_of_those_that_were_kept(tmp_path):
    net = small_net()
    checkpoints = Checkpoints(net, tmp_path, keep=3)
    segmenter = module(3, 0)
    paths = []
    for step in (1, 2, 3, 10):
        set_all(net, step)
        checkpoints.save()
        paths.append(restore_segmenter(segmenter, tmp_path, "mean"))
    assert paths[0].endswith("checkpoints/ckpt-1") and paths[-1].endswith("checkpoints/ckpt-{2,3,10}")
    assert segmenter.weight.numpy().tolist() == [5.0, 5.0, 5.0]


@pytest.mark.parametrize("which", ["best", "newest", "mean"])
def test_nothing_to_export(which, tmp_path):
    with pytest.raises(CheckpointError, match=f"--run_dir={tmp_path}: no checkpoint there"):
        restore_segmenter(module(3, 0), tmp_path, which)


def test_another_runs_generator_and_discriminator_and_nothing_else(tmp_path):
    net = small_net(1)
    checkpoints = Checkpoints(net, tmp_path, keep=2)
    for step in (1, 2):
        set_all(net, step)
        checkpoints.save()
    fresh = small_net()
    restore_generation(fresh, tmp_path, "--initial_generator")
    found = {name: float(part.weight.numpy()[0]) for name, part in vars(fresh).items() if name != "step"}
    assert found == {**dict.fromkeys(found, 0.0), "generator": 2.0, "discriminator": 2.0}
    assert int(fresh.step) == 0


def test_no_generator_to_begin_from(tmp_path):
    with pytest.raises(CheckpointError, match=f"--initial_generator={tmp_path}: no checkpoint there"):
        restore_generation(small_net(), tmp_path, "--initial_generator")


def cut(run_dir):
    (data,) = (run_dir / "checkpoints").glob("*.data*")
    data.write_bytes(data.read_bytes()[:20])


@pytest.mark.parametrize(("size", "damage"), [(4, lambda _: None), (3, cut)], ids=["size", "cut"])
def test_what_does_not_fit_or_is_damaged_is_named(tmp_path, size, damage):
    Checkpoints(small_net(1), tmp_path, keep=1).save()
    damage(tmp_path)
    with pytest.raises(CheckpointError, match=f"{tmp_path}/checkpoints/ckpt-1 .*fit"):
        Checkpoints(small_net(size=size), tmp_path, keep=1).restore()
    with pytest.raises(CheckpointError, match=f"{tmp_path}/checkpoints/ckpt-1 .*fit"):
        restore_segmenter(module(size, 0), tmp_path, "newest")


def test_a_lost_checkpoint_is_not_a_new_run(tmp_path):
    Checkpoints(small_net(1), tmp_path, keep=1).save()
    for file in (tmp_path / "checkpoints").glob("ckpt*"):
        file.unlink()
    with pytest.raises(CheckpointError, match=f"{tmp_path}/checkpoints/ckpt-1 is damaged"):
        Checkpoints(small_net(), tmp_path, keep=1).restore()


def test_a_damaged_best_score_is_named(tmp_path):
    (tmp_path / "best.json").write_text("{")
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
