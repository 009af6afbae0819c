"""The processes that train one run together, its workers: which they are, and what they tell one another.

The environment names them: TF_CONFIG, or Slurm's variables in a step of several tasks. The first one is the chief: it
alone reads and writes the run's folder. Every worker computes its share of each batch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import tensorflow as tf

from gsr_tf.errors import UserError, first_line
from gsr_tf.inference.device import gpus
from gsr_tf.settings import ConfigError
from gsr_tf.training.trained import Trained

TF_CONFIG_EXAMPLE = '{"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 0}}'
ADDRESS = re.compile(r"\S+:\d+")
SLURM_NEEDS = ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE", "SLURM_PROCID", "SLURM_LOCALID", "SLURMD_NODENAME")
PORTS_OF_A_JOB = 16  # the most tasks of one job on one node
GROUP, INSTANCE = 2**30, 1  # of `somewhere`'s collective operation; far from the numbers that strategies give


class WorkerLost(UserError):
    """Another worker of the run has ended or cannot be reached."""


class Workers(NamedTuple):
    """The workers of a run.

    Attributes:
        addresses: "HOST:PORT" of each, the chief's first; of a run of one process none is needed.
        index: this process's place among them.
    """

    addresses: tuple[str, ...] = ("",)
    index: int = 0

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return len(self.addresses) > 1

    @property
    def is_chief(self) -> bool:
        """Whether this process reads and writes the run's folder."""
        return self.index == 0

    def __str__(self) -> str:
        """This worker, as messages name it."""
        return f"worker {self.index} of {len(self.addresses)} ({self.addresses[self.index]})"


def find_workers() -> Workers:
    """The workers that the environment names; one without any.

    Raises:
        ConfigError: TF_CONFIG or Slurm's variables are not whole.
    """
    if os.environ.get("TF_CONFIG"):
        return _of_tf_config()
    if int(os.environ.get("SLURM_STEP_NUM_TASKS") or "1") > 1:
        return _of_slurm()
    return Workers()


def _of_tf_config() -> Workers:
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        jobs, job, index = resolver.cluster_spec().as_dict(), resolver.task_type, resolver.task_id
        if not jobs or index is None:
            raise ValueError("no cluster" if not jobs else "no task")
        if set(jobs) - {"chief", "worker"}:
            raise ValueError(f"jobs {', '.join(sorted(jobs))}")
        before = len(jobs.get("chief", [])) if job == "worker" else 0
        workers = Workers((*jobs.get("chief", []), *jobs.get("worker", [])), before + index)
        if not 0 <= index < len(jobs[job]):
            raise ValueError(f"no {job} {index}")
        if wrong := [one for one in workers.addresses if not ADDRESS.fullmatch(str(one))]:
            raise ValueError(f"no NAME:PORT: {', '.join(map(repr, wrong))}")
        if len(set(workers.addresses)) < len(workers.addresses):
            raise ValueError("an address is there twice")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"TF_CONFIG={os.environ['TF_CONFIG']}: {error}; expected a list of workers, the chief first, and this "
            f"process's place in it, as {TF_CONFIG_EXAMPLE}"
        ) from error
    return workers


def _of_slurm() -> Workers:
    """Its place is where its own node's name is in the list: Slurm and TensorFlow may order nodes differently."""
    missing = [name for name in SLURM_NEEDS if name not in os.environ]
    if missing:
        raise ConfigError(f"{', '.join(missing)} is not set; start each worker with srun, or set TF_CONFIG")
    job = int(os.environ.get("SLURM_JOB_ID", "0"))
    first_port = 20_000 + job % 500 * PORTS_OF_A_JOB  # two jobs on a node seldom meet
    try:
        # The numbers of GPUs only keep the resolver from asking nvidia-smi: Slurm shows each task its own.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=first_port, gpus_per_node=PORTS_OF_A_JOB, gpus_per_task=1, auto_set_gpu=False
        )
    except (ValueError, RuntimeError) as error:
        nodes, tasks = (f"{name}={os.environ[name]}" for name in SLURM_NEEDS[:2])
        raise ConfigError(
            f"{nodes}, {tasks}: expected a list as node[1-4],other and at most {PORTS_OF_A_JOB} tasks a node; else set "
            "TF_CONFIG"
        ) from error
    addresses = tuple(resolver.cluster_spec().as_dict()["worker"])
    own = f"{os.environ['SLURMD_NODENAME']}:{first_port + int(os.environ['SLURM_LOCALID'])}"
    if own not in addresses:
        raise ConfigError(f"{own} is not among Slurm's tasks {', '.join(addresses)}; set TF_CONFIG instead")
    return Workers(addresses, addresses.index(own))


def join(workers: Workers) -> tf.distribute.Strategy:
    """Meets the other workers; all GPUs of each are replicas, or its CPU is one.

    Before TensorFlow has computed anything in this process.

    Raises:
        ConfigError: this worker's address cannot be listened at.
        WorkerLost: the others do not come.
    """
    others = ", ".join(address for index, address in enumerate(workers.addresses) if index != workers.index)
    print(f"{workers}: waiting for {others}", flush=True)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(workers.addresses)}),
        task_type="worker",
        task_id=workers.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": len(gpus())},
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.UnknownError as error:
        raise ConfigError(
            f"{workers}: this address cannot be listened at ({first_line(error)}). Is another process "
            "using the port? Is it an address of this machine?"
        ) from error


def check_alike(workers: Workers, strategy: tf.distribute.Strategy, facts: object) -> None:
    """Raises ConfigError on every worker unless all were given the same.

    Args:
        workers: of the run.
        strategy: theirs.
        facts: what must be the same, printable.
    """
    number = int(hashlib.sha256(repr(facts).encode()).hexdigest()[:10], 16)  # so that sums do not overflow
    try:
        total = int(strategy.reduce("sum", tf.constant(number, tf.int64), axis=None))
    except tf.errors.InternalError as error:
        if "group with size" not in str(error):
            raise
        raise ConfigError(
            f"{workers}: other workers have another list of workers or other numbers of GPUs; expected the same on each"
        ) from error
    if total != number * len(workers.addresses):
        raise ConfigError(
            f"{workers}: other workers have other settings, records, numbers of GPUs or another version of gsr_tf; "
            "expected the same flags, --flagfile and records on each"
        )


def share(workers: Workers, strategy: tf.distribute.Strategy, net: Trained) -> None:
    """Gives every worker the chief's numbers: all that a checkpoint of the net holds."""
    for variable in _variables(net):
        value = variable.read_value() if workers.is_chief else tf.zeros_like(variable)
        variable.assign(strategy.reduce("sum", value, axis=None))


def _variables(net: Trained) -> list[tf.Variable]:
    """Each once, in the same order everywhere; of a network also the state of its dropout."""
    parts = [net.step, *(variable for name in net.frozen for variable in getattr(net, name).variables)]
    for name in net.networks:
        network, optimizer = getattr(net, name), getattr(net, f"{name}_optimizer")
        parts += [*tf.train.TrackableView(network).descendants(), *tf.train.TrackableView(optimizer).descendants()]
        parts += optimizer.variables()  # its slots, which are no descendants
    return list({id(part): part for part in parts if isinstance(part, tf.Variable)}.values())


def somewhere(workers: Workers) -> Callable[[bool], bool]:
    """A function that all workers call together: whether it was called with True on any of them.

    It adds numbers on the host and so never waits for a GPU, as `strategy.reduce` would.
    """
    if not workers.several:
        return bool

    @tf.function(autograph=False)
    def total(number: tf.Tensor) -> tf.Tensor:
        with tf.device(f"/job:worker/replica:0/task:{workers.index}/device:CPU:0"):
            return tf.raw_ops.CollectiveReduceV2(
                input=number,
                group_size=len(workers.addresses),
                group_key=GROUP,
                instance_key=INSTANCE,
                ordering_token=[],
                merge_op="Add",
                final_op="Id",
                communication_hint="ring",
            )

    return lambda here: bool(total(tf.constant(int(here))) > 0)


@contextlib.contextmanager
def losses_named(workers: Workers) -> Iterator[None]:
    """Within it, that another worker is gone is said as WorkerLost."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        if not workers.several:
            raise
        raise WorkerLost(
            f"{workers}: another worker has ended or cannot be reached; its own messages say why. What the run had "
            "saved is whole: the same command on all workers, or on another number of them, goes on from there"
        ) from error
