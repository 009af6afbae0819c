"""The checkpoint of EXIF-consistency's authors into the network: their names.

Their outputs are 80 EXIF tags and three kinds of processing, in an order that they have not published. An answer does
not depend on it: it is "same", and the layers that make "same" of the outputs are in the checkpoint, too.
"""

from __future__ import annotations

import numpy as np

from gsr_tf.comparators import slim
from gsr_tf.models.keras import keras

_RESNET = "resnet_v2_50"
_HEADS = {
    "features": f"{_RESNET}/logits",
    "attributes": "predict/fc_out",
    "same_1": "classify/fc/fc_1",
    "same": "classify/fc_out",
}


def load_release_checkpoint(network: keras.Model, path: str) -> None:
    """Fills the network from the authors' TF1 checkpoint; which attributes were known stays as it was.

    Args:
        network: its trunk is "resnet50-slim".
        path: prefix of the checkpoint, without `.index`.

    Raises:
        WeightsError: not a checkpoint, or weights missing or of another shape; nothing has been assigned then.
    """
    variables = {v.name.partition(":")[0]: v for v in network.variables if v is not network.known}
    slim.load_release_checkpoint(variables, path, release_name, _converted)


def release_name(name: str) -> str:
    """Where the authors keep a weight, by its name in Keras."""
    layer, weight = name.split("/")
    if layer.startswith("fc_"):
        return slim.weight_in(f"predict/fc/{layer}", weight)
    if layer in _HEADS:
        return slim.weight_in(_HEADS[layer], weight)
    return f"{_RESNET}/{slim.resnet_name(name, 'bottleneck_v2')}"


def _converted(name: str, value: np.ndarray) -> np.ndarray:
    return value.reshape(value.shape[-2:]) if name == "features/kernel" else value  # theirs is a 1x1 convolution
