"""DIH from a file of its weights by name, which say by themselves which form of the network they are of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gsr_tf.comparators.dih.network import CHANNELS, build_network
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import WeightsError, assign, named_variables, read_npz


def load_harmonizer(path: str) -> keras.Model:
    """The network of a file, frozen.

    Args:
        path: what --harmonizer says: an .npz that python -m gsr_tf.export --format=weights made of a run of DIH.

    Raises:
        WeightsError: no such file, a damaged one, or weights of another network.
    """
    source = f"--harmonizer={path}"
    values = read_npz(path, source)
    channels = _channels(values)
    if not 1 <= len(channels) <= len(CHANNELS):
        raise WeightsError(
            f"{source}: no weights of DIH; expected an .npz of python -m gsr_tf.export --format=weights, of a run of "
            "python -m gsr_tf.train_comparator --method=dih"
        )
    network = build_network(channels, scene_decoder="dih/scene_0/kernel" in values)
    assign(named_variables(network), values, source)
    network.trainable = False
    return network


def _channels(values: Mapping[str, np.ndarray]) -> list[int]:
    """Of each level, as the encoder's kernels have them."""
    kernels = [values.get(f"dih/encoder_{number}/kernel") for number in range(1, len(values) + 1)]
    return [kernel.shape[-1] for kernel in kernels if kernel is not None and kernel.ndim == 4]
