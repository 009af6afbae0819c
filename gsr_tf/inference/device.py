"""What TensorFlow computes on, and in how many bits: chosen by every command before anything is computed.

TensorFlow is imported where it is asked: flags take their words from here, and need none of it.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from gsr_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

DEVICES = ("auto", "cpu", "gpu")
DEVICE_HELP = "auto: GPUs where TensorFlow sees any, else the CPU; cpu: GPUs stay untouched; gpu: an error without one."
PRECISIONS = ("float32", "bfloat16")
PRECISION_HELP = (
    "Of a model's convolutions. bfloat16: about three times as quick on CPUs with AMX (Intel's servers since 2023), "
    "refused elsewhere; probabilities change by .01 or so. float32: the same answers on all machines but for rounding."
)
CPU_FLAGS = Path("/proc/cpuinfo")
# TensorFlow's pass that lets convolutions and what lies between them take and give bfloat16, in graphs of any origin.
BFLOAT16_PASS = "auto_mixed_precision_onednn_bfloat16"


class DeviceError(UserError):
    """A device that is asked for and is not there, or that does not compute as it is asked to."""


def choose(device: str, precision: str = "float32") -> None:
    """Makes this process compute on a device; on GPUs it takes memory as it needs it.

    TensorFlow cannot change its devices once it has computed: a process that has keeps those that it has.

    Args:
        device: one of `DEVICES`.
        precision: one of `PRECISIONS`; what has been traced before keeps its own. The paper and the release compute in
            float32. With bfloat16 what convolutions take and give has 8 bits; sums, moments and probabilities have 24.

    Raises:
        DeviceError: there is no GPU, and one was asked for; or nothing that is quick in bfloat16.
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
    if precision == "bfloat16":
        _check_quick_in_bfloat16()
    tf.config.optimizer.set_experimental_options({BFLOAT16_PASS: precision == "bfloat16"})


def chosen_precision() -> str:
    """In which of `PRECISIONS` this process computes answers."""
    import tensorflow as tf

    return "bfloat16" if tf.config.optimizer.get_experimental_options().get(BFLOAT16_PASS) else "float32"


def has_amx() -> bool:
    """Whether this CPU multiplies matrices of bfloat16; only Linux tells."""
    return CPU_FLAGS.is_file() and "amx_bf16" in CPU_FLAGS.read_text().split()


def _check_quick_in_bfloat16() -> None:
    """Other CPUs take longer in bfloat16 than in float32, those without AVX-512 fail, and GPUs do not heed the pass."""
    if gpus():
        why = (
            "it is for CPUs, and there is a GPU, which computes in float32; give --device=cpu as well, or leave it out"
        )
    elif os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1").lower() in ("0", "false"):
        why = "TF_ENABLE_ONEDNN_OPTS in the environment takes away what computes in it"
    elif not has_amx():
        why = f"this CPU has no AMX (amx_bf16 in {CPU_FLAGS}) and would take longer in it; leave it out"
    else:
        return
    raise DeviceError(f"--precision=bfloat16: {why}")


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
