"""A run of several workers is the run of one: the same examples, losses and weights, also when a worker is lost."""

import functools
import signal

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf import train
from gsr_tf.training import run
from gsr_tf.training.summaries import read_scalars
from tests.checkpoints import values_in
from tests.training import team

pytestmark = pytest.mark.slow
STEPS, LAST = 6, 9  # of two machines, and of the rest; more than all pictures once
# All agree to 1e-6, unless floats added in another order decide otherwise about a pixel of P, as without oneDNN: that
# refinements and their sum see at once and all else by the weights, of which Adam moves each by 1e-4 a step.
OF_LOSSES, OF_REFINED, OF_WEIGHTS = 1e-4, 1e-3, 3e-4
SAVES = "save_counter/.ATTRIBUTES/VARIABLE_VALUE"
# With each picture normalised by itself and nothing dropped, replicas of any size compute the same.
PICTURE_BY_PICTURE = ("--moments=picture", "--dropout=0", "--batch_size=6")


@pytest.fixture(scope="module")
def command(sources, targets):
    """Flags of a run of the whole alternating step, less --run_dir and --steps."""
    return [
        *[f"--source_records={sources.path}", f"--target_records={targets.path}"],
        *["--vgg16_weights=random", "--width=0.02", "--input_size=32", "--batch_size=2"],
        *["--segment_on=generated", "--refine_on=generated", "--alternation=sequential"],
        *["--log_every=1", "--panels_every=0", "--save_every=3"],
    ]


@pytest.fixture(scope="module")
def alone(command, tmp_path_factory):
    """The folder of a run of one process, picture by picture."""
    folder = tmp_path_factory.mktemp("alone")
    assert train.main(["train", *command, *PICTURE_BY_PICTURE, f"--run_dir={folder}", f"--steps={LAST}"]) == 0
    return folder


def newest(run_dir):
    """The step of the newest checkpoint."""
    return int(tf.train.latest_checkpoint(str(run_dir / "checkpoints")).rpartition("-")[2])


def weights(run_dir):
    """{name: value} of the networks at the run's end, not of the optimizers: where a gradient is 0 theirs are noise."""
    values = values_in(run_dir / "checkpoints")
    return {name: value for name, value in values.items() if "optimizer" not in name and name != SAVES}


def assert_same_run(found, expected):
    """Losses of every step, and what the run ends with, but for the order of additions."""
    curves, others = read_scalars(found), read_scalars(expected)
    losses = {name for name in others if name.startswith("loss/")}
    assert len(losses) >= 10
    for name in losses:
        assert list(curves[name]) == list(range(1, newest(expected) + 1)), name
        of_steps, wanted = list(curves[name].values()), list(others[name].values())
        tolerance = OF_REFINED if "refined" in name or name == "loss/segmenter" else OF_LOSSES
        np.testing.assert_allclose(of_steps, wanted, rtol=tolerance, err_msg=name)
    ends, others = weights(found), weights(expected)
    assert set(ends) == set(others)
    for name, value in others.items():
        np.testing.assert_allclose(ends[name], value, rtol=1e-4, atol=OF_WEIGHTS, err_msg=name)


def test_two_machines_are_two_replicas_of_one(command, sources, tmp_path, monkeypatch, two_replicas):
    """With moments of each replica's share, and each replica's own dropout."""
    flags = [*command, f"--steps={STEPS}", f"--validation_records={sources.path}", "--validation_pictures=2"]
    with team.two_machines() as networks:
        ended = team.run(networks, lambda index: [*flags, f"--run_dir={tmp_path / str(index)}"], tmp_path / "logs")
    assert [code for code, _ in ended] == [0, 0], ended
    assert f"done: {tmp_path / '0'} at step {STEPS}" in ended[0].said
    assert not (tmp_path / "1").exists(), "the chief alone writes"
    monkeypatch.setattr(run, "build_strategy", lambda _: two_replicas)
    assert train.main(["train", *flags, f"--run_dir={tmp_path / 'mirrored'}"]) == 0
    assert_same_run(tmp_path / "0", tmp_path / "mirrored")


def test_a_run_outlives_its_workers(command, alone, tmp_path):
    """Three workers, of which one is killed; then two, of which one is told to stop; then a single process."""
    run_dir = tmp_path / "run"
    flags = [*command, *PICTURE_BY_PICTURE, f"--run_dir={run_dir}", f"--steps={LAST}"]
    three, two = team.loopback(3), team.loopback(2)
    dies = functools.partial(team.signal_in_step, signal.SIGKILL, 1, STEPS + 2)
    killed = team.run(three, flags, tmp_path / "three", dies)
    assert [code for code, _ in killed] == [1, 128 + signal.SIGKILL, 1], killed
    for index in (0, 2):
        assert f"error: worker {index} of 3 ({three[index].address}): another worker" in killed[index].said
    assert newest(run_dir) == STEPS
    stops = functools.partial(team.signal_in_step, signal.SIGTERM, 1, STEPS + 1)
    stopped = team.run(two, flags, tmp_path / "two", stops)
    assert [code for code, _ in stopped] == [128 + signal.SIGTERM] * 2, stopped
    assert f"stopped and saved at step {STEPS + 1} of {LAST}" in stopped[0].said
    assert newest(run_dir) == STEPS + 1
    assert train.main(["train", *flags]) == 0
    assert_same_run(run_dir, alone)


def test_workers_of_other_settings_do_not_begin(command, tmp_path):
    def flags(index):
        return [*command, f"--run_dir={tmp_path / 'run'}", f"--seed={index}"]

    ended = team.run(team.loopback(2), flags, tmp_path / "logs")
    assert [code for code, _ in ended] == [1, 1], ended
    assert all("other workers have other settings" in said for _, said in ended)
    assert not (tmp_path / "run" / "config.json").exists()
