"""MFCN's weights by name, and its edge threshold with them: what an .npz of them holds."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.models.keras import keras
from gsr_tf.models.weights import assign, named_variables, read_npz


def stored_variables(network: keras.Model) -> dict[str, tf.Variable]:
    """{canonical name: variable} of the weights, and `mfcn/edge_threshold`."""
    return {**named_variables(network), f"{network.name}/edge_threshold": network.edge_threshold}


def load_weights(network: keras.Model, path: str, flag: str) -> None:
    """Fills a network from an .npz of arrays by canonical name.

    Raises:
        WeightsError: no such file, damaged, or weights missing or of another shape.
    """
    source = f"{flag}={path}"
    assign(stored_variables(network), read_npz(path, source), source)
