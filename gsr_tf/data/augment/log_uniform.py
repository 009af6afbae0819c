"""A number between two, all ratios equally likely."""

from __future__ import annotations

import tensorflow as tf


def log_uniform(bounds: tuple[float, float], random: tf.Tensor) -> tf.Tensor:
    """Log-uniform on bounds (low, high), both positive, by `random` numbers in [0, 1), whose shape it has."""
    low, high = bounds
    return low * (high / low) ** random
