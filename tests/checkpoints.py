"""What a checkpoint holds, without building the networks that it is of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf


def values_in(checkpoint: str | Path, *networks: str) -> dict[str, np.ndarray]:
    """{name: value} of all variables, or of those of the networks, without their optimizers'.

    `checkpoint` may be a folder, whose newest one is read.
    """
    reader = tf.train.load_checkpoint(str(checkpoint))
    names = [name for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    if networks:
        names = [name for name in names if name.split("/")[0] in networks and "OPTIMIZER" not in name]
    assert names
    return {name: reader.get_tensor(name) for name in names}
