import json
import re

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.settings import ConfigError
from gsr_tf.training.checkpoints import checkpoint_items
from gsr_tf.training.workers import WorkerLost, Workers, check_alike, find_workers, losses_named, share, somewhere
from tests.checkpoints import values_in
from tests.networks import tiny_net

SLURM = {
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_NODELIST": "node[9-10]",
    "SLURM_STEP_TASKS_PER_NODE": "1,2",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "1",
    "SLURMD_NODENAME": "node10",
    "SLURM_JOB_ID": "1503",
}


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No workers in the environment."""
    for name in ("TF_CONFIG", *SLURM):
        monkeypatch.delenv(name, raising=False)


def named(monkeypatch, cluster, task):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    return find_workers()


def test_a_process_by_itself():
    workers = find_workers()
    assert workers.is_chief and not workers.several


def test_tf_config_names_workers(monkeypatch):
    cluster = {"worker": ["a:1", "b:2", "c:3"]}
    assert named(monkeypatch, cluster, {"type": "worker", "index": 2}) == (("a:1", "b:2", "c:3"), 2)
    assert named(monkeypatch, cluster, {"type": "worker", "index": 0}).is_chief


def test_a_chief_is_the_first_worker(monkeypatch):
    cluster = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    assert named(monkeypatch, cluster, {"type": "worker", "index": 0}) == (("a:1", "b:2", "c:3"), 1)
    assert named(monkeypatch, cluster, {"type": "chief", "index": 0}) == (("a:1", "b:2", "c:3"), 0)


@pytest.mark.parametrize(
    ("cluster", "task", "said"),
    [
        ({"worker": ["a:1", "b:2"]}, {"type": "worker", "index": 2}, "no worker 2"),
        ({"worker": ["a:1", "b:2"]}, {"type": "worker", "index": -1}, "no worker -1"),
        ({"worker": ["a:1", "b:2"]}, {"type": "worker"}, "no task; expected a list of workers"),
        ({"worker": ["a:1", "b:2"]}, {}, "no task; expected a list of workers"),
        ({"worker": ["a:1"], "ps": ["b:2"]}, {"type": "worker", "index": 0}, "jobs ps, worker"),
        ({}, {"type": "worker", "index": 0}, "no cluster; expected a list of workers"),
        ([], {"type": "worker", "index": 0}, "expected a list of workers"),
        ({"worker": ["a:1", "b", ""]}, {"type": "worker", "index": 0}, "no NAME:PORT: 'b', ''; expected a list"),
        ({"worker": {"0": "a:1", "2": "b:2"}}, {"type": "worker", "index": 0}, "no NAME:PORT: 0, 2; expected a list"),
        ({"worker": ["a:1", "a:1"]}, {"type": "worker", "index": 0}, "an address is there twice; expected a list"),
    ],
)
def test_a_tf_config_that_makes_no_sense(monkeypatch, cluster, task, said):
    with pytest.raises(ConfigError, match=f"TF_CONFIG=.*{said}"):
        named(monkeypatch, cluster, task)


def test_a_tf_config_that_is_no_json(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "worker a, worker b")
    with pytest.raises(ConfigError, match="TF_CONFIG=worker a, worker b: .*expected a list of workers"):
        find_workers()


def test_slurm_names_workers_in_whatever_order(monkeypatch):
    """TensorFlow puts node10 before node9, Slurm after it; each task finds its own address."""
    found = []
    for name, local in (("node9", "0"), ("node10", "0"), ("node10", "1")):
        for variable, value in {**SLURM, "SLURMD_NODENAME": name, "SLURM_LOCALID": local}.items():
            monkeypatch.setenv(variable, value)
        found.append(find_workers())
    assert {workers.addresses for workers in found} == {("node10:20048", "node10:20049", "node9:20048")}
    assert [workers.addresses[workers.index] for workers in found] == ["node9:20048", "node10:20048", "node10:20049"]


def test_one_task_of_slurm_is_a_process_by_itself(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert not find_workers().several


def test_tf_config_goes_before_slurm(monkeypatch):
    for variable, value in SLURM.items():
        monkeypatch.setenv(variable, value)
    assert named(monkeypatch, {"worker": ["a:1"]}, {"type": "worker", "index": 0}).addresses == ("a:1",)


@pytest.mark.parametrize("missing", ["SLURM_STEP_NODELIST", "SLURMD_NODENAME"])
def test_what_slurm_has_not_set_is_named(monkeypatch, missing):
    for variable, value in SLURM.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigError, match=f"^{missing} is not set; .*srun"):
        find_workers()


def test_a_node_that_is_not_among_slurms(monkeypatch):
    for variable, value in {**SLURM, "SLURMD_NODENAME": "elsewhere"}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=r"elsewhere:20049 is not among Slurm's tasks node10:20048, .*TF_CONFIG"):
        find_workers()


@pytest.mark.parametrize(
    ("variable", "value"), [("SLURM_STEP_NODELIST", "rack[1-2]n[1-2]"), ("SLURM_STEP_TASKS_PER_NODE", "17,1")]
)
def test_tasks_that_slurm_may_have_and_we_cannot_name(monkeypatch, variable, value):
    for name, given in {**SLURM, variable: value}.items():
        monkeypatch.setenv(name, given)
    words = re.escape(f"{variable}={value}") + ".*: expected .* at most 16 tasks a node; else set TF_CONFIG"
    with pytest.raises(ConfigError, match=words):
        find_workers()


def test_workers_of_other_lists_do_not_begin():
    class Other:
        def reduce(self, operation, value, axis):
            raise tf.errors.InternalError(None, None, f"Device 1 is joining a {says}, but that group has size 2")

    says = "group with size3"
    with pytest.raises(ConfigError, match=r"worker 1 of 2 \(b:2\): .*other numbers of GPUs; expected"):
        check_alike(Workers(("a:1", "b:2"), 1), Other(), "facts")
    says = "queue"
    with pytest.raises(tf.errors.InternalError):  # a defect
        check_alike(Workers(("a:1", "b:2"), 1), Other(), "facts")


def held(net, folder):
    """{name: value} of all that a checkpoint holds."""
    return values_in(tf.train.Checkpoint(**checkpoint_items(net)).write(str(folder)))


@pytest.mark.parametrize(("index", "own"), [(0, 1), (1, 0)], ids=["chief", "other"])
def test_every_number_of_a_checkpoint_is_shared(tmp_path, index, own):
    """Of a strategy whose other worker has 5 everywhere, the chief adds its own numbers to the sums, others none."""

    class Fives:
        def reduce(self, operation, value, axis):
            assert operation == "sum" and axis is None
            return value + tf.cast(5, value.dtype)

    net = tiny_net(dropout=0.5)
    before = held(net, tmp_path / "before")
    share(Workers(("a:1", "b:2"), index), Fives(), net)
    after = held(net, tmp_path / "after")
    assert len(before) > 100 and any("random" in name for name in before) and any("OPTIMIZER_SLOT" in n for n in before)
    for name, value in after.items():
        np.testing.assert_allclose(value, own * before[name] + 5, rtol=1e-6, err_msg=name)


def test_alone_nobody_is_asked():
    assert somewhere(Workers()) is bool


def test_a_lost_worker_is_said():
    with (
        pytest.raises(WorkerLost, match=r"worker 1 of 2 \(b:2\): another worker .*same command"),
        losses_named(Workers(("a:1", "b:2"), 1)),
    ):
        raise tf.errors.UnavailableError(None, None, "Collective ops is aborted by: heartbeat timeout")


def test_alone_the_same_error_is_a_defect():
    with pytest.raises(tf.errors.UnavailableError), losses_named(Workers()):
        raise tf.errors.UnavailableError(None, None, "something else")
