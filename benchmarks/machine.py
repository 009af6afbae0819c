"""What the machine can do, measured: products a second in a precision, bytes a second, memory at peak, its name."""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from gsr_tf.config import Config
from gsr_tf.inference.device import gpus
from gsr_tf.models.convolution import on_gpu
from gsr_tf.models.keras import keras

MEBIBYTES = 256  # of the array that is read and written
IN_FLIGHT = 8  # operations that a GPU is given before the first one's end is waited for


def device_name() -> str:
    """The card's, else the processor's."""
    if on_gpu():
        return tf.config.experimental.get_device_details(gpus()[0])["device_name"]
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def circumstances(config: Config) -> dict[str, str | int]:
    """What a report on a training step says of where it was measured, and on what: device, precision, batch, passes."""
    return {
        "device": device_name(),
        "precision": config.device.precision,
        "batch_size": config.optimization.batch_size,
        "passes": "merged" if config.step.merged else "apart",
    }


def compute_dtype() -> tf.DType:
    """Of the products in the networks, by Keras's present policy."""
    return tf.as_dtype(keras.mixed_precision.global_policy().compute_dtype)


def seconds(compute: Callable[[], tf.Tensor], times: int = 1) -> float:
    """Wall-clock seconds a call, all started one after another, until the last one's value is on the host."""
    start = time.perf_counter()
    for _ in range(times):
        last = compute()
    last.numpy()
    return (time.perf_counter() - start) / times


def product() -> tuple[Callable[[], tf.Tensor], float]:
    """A square matrix product in the networks' precision, large enough to fill the device, and its FLOPs."""
    side = 8192 if on_gpu() else 4096
    matrix = tf.cast(tf.random.stateless_normal([side, side], [0, 0]), compute_dtype())
    multiply = tf.function(lambda: tf.cast(tf.matmul(matrix, matrix)[0, 0], tf.float32))
    return multiply, 2.0 * side**3


def product_seconds(multiply: Callable[[], tf.Tensor]) -> float:
    """Seconds a product, the better of two tries; on a GPU with several in flight."""
    return min(seconds(multiply, IN_FLIGHT if on_gpu() else 1) for _ in range(2))


def bytes_per_second() -> float:
    """Read and written by adding to a large array."""
    array = tf.Variable(tf.zeros([MEBIBYTES * 2**18]))
    add = tf.function(lambda: array.assign_add(tf.ones_like(array))[0])
    seconds(add)
    return 2.0 * MEBIBYTES * 2**20 / min(seconds(add, IN_FLIGHT) for _ in range(2))


def peak_memory_bytes() -> dict[str, int]:
    """The process's own, and on a GPU what TensorFlow had there, at their peaks."""
    peaks = {"peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    if on_gpu():
        peaks["peak_device_memory_bytes"] = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return peaks
