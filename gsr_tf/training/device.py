"""What a run computes on, and how exactly."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import tensorflow as tf

from gsr_tf.inference.device import DEVICE_HELP, DEVICES, choose, gpus
from gsr_tf.models.keras import keras
from gsr_tf.settings import Checked, setting
from gsr_tf.training.workers import Workers, join

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Device(Checked):
    """Process-wide settings; each field's help says what it is."""

    device: str = setting("auto", DEVICE_HELP, choices=DEVICES, may_change=True)
    precision: str = setting(
        "float32",
        "float32; tensorfloat32 for GPUs that have it; mixed_bfloat16 for GPUs, and CPUs with AMX.",
        choices=("float32", "tensorfloat32", "mixed_bfloat16"),
    )
    deterministic: bool = setting(False, "Bit-equal repetitions on one machine, somewhat slower.")


def set_up(device: Device, seed: int) -> None:
    """Device, seeds, precision and determinism of the process, before any network is built.

    Raises:
        DeviceError: there is no GPU, and one was asked for.
    """
    choose(device.device)
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_tensor_float_32_execution(device.precision != "float32")
    # For a GPU TensorFlow would rewrite a step in tensorfloat32 to channels first, though tensor cores want them last:
    # a tenth of what it then read and wrote would be transposes (docs/performance.md). Float32 has no tensor cores.
    tf.config.optimizer.set_experimental_options({"layout_optimizer": device.precision == "float32"})
    # Else TensorFlow turns what it normalises to channels first and back, in each of cuDNN's normalisations.
    os.environ.setdefault("TF_USE_CUDNN_BATCHNORM_SPATIAL_PERSISTENT", "1")
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if device.precision == "mixed_bfloat16" else "float32")
    if device.deterministic:
        tf.config.experimental.enable_op_determinism()


def kept_ahead(batches: Iterable[T], device: str = "/GPU:0") -> Iterable[T]:
    """The next batch is copied to the GPU by a thread of its own while a step is made, instead of when a step wants it.

    Without a GPU they stay as they are, and where a strategy deals them out, which does the same.

    Args:
        batches: named tuples of tensors, or of None, as `Batch`.
        device: where to.
    """
    return _copied_ahead(batches, device) if gpus() and isinstance(batches, tf.data.Dataset) else batches


def _copied_ahead(batches: tf.data.Dataset, device: str) -> Iterator:
    iterator = iter(batches)

    def following() -> tuple | None:
        batch = next(iterator, None)
        with tf.device(device):
            return None if batch is None else type(batch)(*(x if x is None else tf.identity(x) for x in batch))

    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(following)
        while (batch := waiting.result()) is not None:
            waiting = thread.submit(following)
            yield batch


@functools.cache  # two in one process number their collective operations alike, and take each other's for their own
def build_strategy(workers: Workers) -> tf.distribute.Strategy:
    """One for the process: all GPUs that may be used, of all workers, as replicas, or the one device there is.

    Raises as `join` where there are several workers.
    """
    if workers.several:
        return join(workers)
    return tf.distribute.MirroredStrategy() if len(gpus()) > 1 else tf.distribute.get_strategy()
