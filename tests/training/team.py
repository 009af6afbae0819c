"""Several worker processes of one run on this machine: started, watched, and made to fail."""

from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

SECONDS = 500  # a run that takes longer hangs
PORT = 2222
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
# Its processes have TensorFlow's code and have not started it: a worker is ready in no time.
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["gsr_tf.train"])


class Ended(NamedTuple):
    """How a worker ended: as a shell would say it, and all that it printed."""

    code: int
    said: str


class Network(NamedTuple):
    """Where a worker lives: a network namespace, or none, and its address."""

    namespace: str | None
    address: str


def loopback(count: int) -> list[Network]:
    """Free ports of this machine."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [Network(None, f"127.0.0.1:{opened.getsockname()[1]}") for opened in sockets]


@contextlib.contextmanager
def two_machines():
    """Two network namespaces with a cable between them, as two machines have; ports where that is not permitted."""
    names = [f"gsr_tf_{os.getpid()}_{number}" for number in range(2)]

    def ip(*arguments: str, check: bool = True) -> None:
        subprocess.run(["ip", *arguments], check=check, capture_output=True)

    try:
        try:
            for name in names:
                ip("netns", "add", name)
            ip("link", "add", "cable", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", names[1])
            for number, name in enumerate(names):
                ip("-n", name, "addr", "add", f"10.99.0.{number + 1}/24", "dev", "cable")
                ip("-n", name, "link", "set", "cable", "up")
                ip("-n", name, "link", "set", "lo", "up")
        except (OSError, subprocess.CalledProcessError):
            yield loopback(2)
        else:
            yield [Network(name, f"10.99.0.{number + 1}:{PORT}") for number, name in enumerate(names)]
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                ip("netns", "del", name, check=False)


def run(
    networks: Sequence[Network],
    arguments: Sequence[str] | Callable[[int], Sequence[str]],
    log_dir: Path,
    fate: Callable[[int], None] | None = None,
) -> list[Ended]:
    """Runs the training command on every worker, to the end of all.

    Args:
        networks: one a worker, the chief's first.
        arguments: of gsr_tf.train, or a function of the worker's index that gives them.
        log_dir: where their output goes.
        fate: called in each worker with its index before it starts, to change what happens there.

    Returns:
        How each ended.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    workers = []
    for index, network in enumerate(networks):
        task = {"cluster": {"worker": [n.address for n in networks]}, "task": {"type": "worker", "index": index}}
        own = arguments(index) if callable(arguments) else arguments
        given = (network.namespace, json.dumps(task), list(own), str(log_dir / str(index)), fate, index)
        workers.append(_context.Process(target=_work, args=given))
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(SECONDS)
    hung = [worker for worker in workers if worker.is_alive()]
    for worker in hung:
        worker.kill()
        worker.join()
    assert not hung, [(log_dir / str(index)).read_text() for index in range(len(networks))]
    codes = [128 - worker.exitcode if worker.exitcode < 0 else worker.exitcode for worker in workers]
    return [Ended(code, (log_dir / str(index)).read_text()) for index, code in enumerate(codes)]


def _work(
    namespace: str | None,
    tf_config: str,
    arguments: list[str],
    log: str,
    fate: Callable[[int], None] | None,
    index: int,
) -> None:
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if namespace:
        with open(f"/var/run/netns/{namespace}") as opened:
            assert ctypes.CDLL(None, use_errno=True).setns(opened.fileno(), NEW_NETWORK) == 0
    from gsr_tf import train

    os.environ["TF_CONFIG"] = tf_config
    if fate:
        fate(index)
    sys.exit(train.main(["train", *arguments]))


def signal_in_step(number: signal.Signals, worker: int, step: int, index: int) -> None:
    """A fate: one worker sends itself a signal when its next step would be number `step`."""
    if index != worker:
        return
    from gsr_tf.models.gsr_net import GSRNet

    whole = GSRNet.train_step

    def signalled(net, batch):
        if int(net.step.numpy()) == step - 1:
            os.kill(os.getpid(), number)
        return whole(net, batch)

    GSRNet.train_step = signalled
