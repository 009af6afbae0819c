r"""How much of a process's speed is left when two train one run together?

    python -m benchmarks.weak_scaling --flagfile=flags/gsr_net.cfg --vgg16_weights=random \
        --width=.1 --input_size=128 --batch_size=2

Each process has a core of its own and one thread for computing, and --batch_size pictures a step. In turns, so that a
machine whose speed drifts slows all alike, train

* one process by itself,
* two at a time that know nothing of each other: what the machine itself takes, whose cores share caches and memory,
* two that train one run together, as two machines would, and call each other on this machine's own network.

The best of each counts. Prints one JSON line: pictures a second and process of the three, scaling (together / alone),
of_the_machine (apart / alone), and of_what_it_leaves (together / apart): what is left of it all after the talking.
Weights are random; pictures are noise.
"""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import os
import socket
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection

import tensorflow as tf
from absl import flags
from tqdm import tqdm

from benchmarks.machine import seconds
from benchmarks.train_step import noise_batch
from gsr_tf import command
from gsr_tf import config as config_lib
from gsr_tf.config import Config
from gsr_tf.training.device import build_strategy, set_up
from gsr_tf.training.workers import find_workers


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("rounds", 5, "Rounds of all three.", 1, flag_values=values)
    flags.DEFINE_integer("steps_a_round", 5, "Training steps of each in a round.", 1, flag_values=values)
    config_lib.define_flags(values)


def _action(args: flags.FlagValues) -> None:
    print(json.dumps(measure(config_lib.from_flags(args), args.rounds, args.steps_a_round)))


def measure(config: Config, rounds: int, steps: int) -> dict[str, float]:
    """Starts all processes, lets them train in turns, and compares the best rounds."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    config = config.changed(device="cpu")
    with contextlib.ExitStack() as stack:
        apart = [stack.enter_context(_process(config, core, "")) for core in cores]
        together = [
            stack.enter_context(_process(config, core, tf_config)) for core, tf_config in zip(cores, _tf_configs())
        ]
        for process in [*apart, *together]:
            process.recv()
        groups = {"alone": apart[:1], "apart": apart, "together": together}
        best = dict.fromkeys(groups, float("inf"))
        for _ in tqdm(range(rounds), unit="round"):
            for name, processes in groups.items():
                best[name] = min(best[name], _seconds_per_step(processes, steps))
    rates = {f"{name}_pictures_per_second": config.optimization.batch_size / best[name] for name in best}
    return {
        **rates,
        "scaling": best["alone"] / best["together"],
        "of_the_machine": best["alone"] / best["apart"],
        "of_what_it_leaves": best["apart"] / best["together"],
    }


def _tf_configs() -> list[str]:
    """TF_CONFIG of two workers at free ports of this machine."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in opened]
    task = {"type": "worker"}
    return [json.dumps({"cluster": {"worker": addresses}, "task": {**task, "index": index}}) for index in range(2)]


@contextlib.contextmanager
def _process(config: Config, core: int, tf_config: str):
    """A process that trains so many steps as it is sent, and answers with the seconds of one; at 0 it ends."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    here, there = context.Pipe()
    process = context.Process(target=_train, args=(config, core, tf_config, there))
    process.start()
    there.close()  # so that a process that fails is no longer waited for
    try:
        yield here
    finally:
        with contextlib.suppress(BrokenPipeError):
            here.send(0)
        process.join()


def _train(config: Config, core: int, tf_config: str, calls: Connection) -> None:
    os.sched_setaffinity(0, {core})
    os.environ["TF_CONFIG"] = tf_config
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    set_up(config.device, config.preparation.seed)
    with build_strategy(find_workers()).scope():
        net = config.build()
    batch = noise_batch(config)

    def step() -> tf.Tensor:
        return net.train_step(batch)["loss/segmenter"]

    step()
    calls.send("ready")
    while steps := calls.recv():
        calls.send(seconds(step, steps))


def _seconds_per_step(processes: Sequence[Connection], steps: int) -> float:
    """Of the slowest, when all begin at once."""
    for process in processes:
        process.send(steps)
    return max(process.recv() for process in processes)


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
