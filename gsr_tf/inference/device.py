"""What TensorFlow computes on: chosen by every command before anything is computed.

TensorFlow is imported where it is asked: flags take their words from here, and need none of it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import cv2

from gsr_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

DEVICES = ("auto", "cpu", "gpu")
DEVICE_HELP = "auto: GPUs where TensorFlow sees any, else the CPU; cpu: GPUs stay untouched; gpu: an error without one."


class DeviceError(UserError):
    """A device that is asked for and is not there."""


def choose(device: str) -> None:
    """Makes this process compute on a device, in full float32; on GPUs it takes memory as it needs it.

    TensorFlow cannot change its devices once it has computed: a process that has keeps those that it has.

    Args:
        device: one of `DEVICES`.

    Raises:
        DeviceError: there is no GPU, and one was asked for.
    """
    import tensorflow as tf

    # Else TensorFlow rounds the factors of products to ten bits on GPUs that can, and answers differ from a CPU's.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    with contextlib.suppress(RuntimeError):
        if device == "cpu":
            tf.config.set_visible_devices([], "GPU")
        for gpu in gpus():
            tf.config.experimental.set_memory_growth(gpu, True)
    if device == "gpu" and not gpus():
        seen = ", ".join(one.name.removeprefix("/physical_device:") for one in tf.config.list_physical_devices())
        raise DeviceError(
            f"--device=gpu: TensorFlow {tf.__version__} sees {seen}, no GPU{_hidden()}. A GPU needs NVIDIA's driver "
            f'(nvidia-smi names the card) and pip install "tensorflow[and-cuda]=={tf.__version__}"; docs/gpu.md has '
            "the steps. --device=auto goes on without one"
        )


def bound_threads(count: int | None) -> None:
    """This process computes with so many threads; None: with one for each core. Before anything is computed."""
    if count is not None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)
        cv2.setNumThreads(count)


def gpus() -> list[tf.config.PhysicalDevice]:
    """The GPUs that this process may use."""
    import tensorflow as tf

    return tf.config.get_visible_devices("GPU")


def _hidden() -> str:
    hides = os.environ.get("CUDA_VISIBLE_DEVICES")
    return "" if hides is None else f" (CUDA_VISIBLE_DEVICES={hides} says which it may see)"
