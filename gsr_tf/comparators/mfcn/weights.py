"""MFCN's weights by name, and its edge threshold with them: what an .npz of them holds."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.models.keras import keras
from gsr_tf.models.weights import named_variables


def stored_variables(network: keras.Model) -> dict[str, tf.Variable]:
    """{canonical name: variable} of the weights, and `mfcn/edge_threshold`."""
    return {**named_variables(network), f"{network.name}/edge_threshold": network.edge_threshold}
