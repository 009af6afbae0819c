"""gsr_tf.train, whose libraries are loaded by a thread while its networks are built and its step is traced.

    python -m benchmarks.start --libraries_ahead --flagfile=flags/gsr_net.cfg --vgg16_weights=random

TensorFlow loads what a card computes with, cuDNN and cuBLAS, when a first operation needs it: in training, when the
first step has been traced. `benchmarks.start` times a run with and without this.
"""

from __future__ import annotations

import threading

import tensorflow as tf

from gsr_tf import train
from gsr_tf.inference.device import choose


def load() -> tf.Tensor:
    """A convolution with its gradients and a product, as small as can be, in both precisions; returns the last one."""
    for dtype in (tf.float32, tf.bfloat16):
        x, kernel = tf.ones([1, 8, 8, 8], dtype), tf.ones([3, 3, 8, 8], dtype)
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = tf.nn.conv2d(x, kernel, 1, "SAME")
        gradient, _ = tape.gradient(y, [x, kernel])
        product = tf.matmul(gradient[0, 0], y[0, 0])
    return product


def main(argv: list[str]) -> int:
    """gsr_tf.train's command line."""
    choose("auto")  # a process takes its devices once, and the thread is the first to use them
    threading.Thread(target=load, daemon=True).start()
    return train.main(argv)
