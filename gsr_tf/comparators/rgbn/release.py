"""A checkpoint of RGB-N's authors into the network: their names, and the order in which they keep things.

The colours' ResNet and the proposals are in `resnet_v1_101`, the noise's ResNet is in `noise` but for its first layer,
which is at the top, and what judges regions is in `noise_pred`. TF-Slim subsamples after the last block of a stage,
Keras in the first block of the next one; what comes out of that is the same.
"""

from __future__ import annotations

import re

import numpy as np

from gsr_tf.comparators import slim
from gsr_tf.data.image_ops import CAFFE_MEAN_BGR
from gsr_tf.models.keras import keras

MEAN_BGR = (102.9801, 115.9465, 122.7717)  # what the authors take off the colours
_HEADS = {
    "rpn_conv": "{resnet}/rpn_conv/3x3",
    "rpn_objectness": "{resnet}/rpn_cls_score",
    "rpn_deltas": "{resnet}/rpn_bbox_pred",
    "class": "noise_pred/cls_score",
    "box": "noise_pred/bbox_pred",
}


def load_release_checkpoint(network: keras.Model, backbone: str, path: str) -> None:
    """Fills the network of both streams from a TF1 checkpoint of the authors' training script.

    Args:
        network: with this backbone.
        backbone: "resnet101", the authors', or "resnet50".
        path: prefix of the checkpoint, without `.index`.

    Raises:
        WeightsError: not a checkpoint, or weights missing or of another shape; nothing has been assigned then.
    """
    variables = {v.name.partition(":")[0]: v for v in network.variables}
    slim.load_release_checkpoint(variables, path, lambda name: release_name(name, backbone), _converted)
    # Makes up for the other mean wherever the first layer sees nothing of what is beyond the border.
    mean = np.subtract(CAFFE_MEAN_BGR, MEAN_BGR)
    variables["rgb_conv1_conv/bias"].assign(mean @ variables["rgb_conv1_conv/kernel"].numpy().sum((0, 1)))


def release_name(name: str, backbone: str) -> str | None:
    """Where the authors keep a weight, by its name in Keras; None where TF-Slim's ResNet has none: before norms."""
    resnet = f"resnet_v1_{backbone.removeprefix('resnet')}"
    layer, weight = name.split("/")
    if layer in _HEADS:
        return slim.weight_in(_HEADS[layer].format(resnet=resnet), weight)
    if weight == "bias":
        return None
    stream, rest = re.fullmatch(r"(rgb|noise)_(.*)", name).groups()
    scope = {"rgb": f"{resnet}/", "noise": "" if rest.startswith("conv1_") else "noise/"}[stream]
    return scope + slim.resnet_name(rest, "bottleneck_v1")


def _converted(name: str, value: np.ndarray) -> np.ndarray:
    layer = name.split("/")[0]
    if layer == "rpn_objectness":  # "no" of all anchors, then "yes" of all
        return np.moveaxis(value.reshape(*value.shape[:-1], 2, -1), -2, -1).reshape(value.shape)
    if layer == "rpn_deltas":
        return _rows_first(value)
    if layer == "box":  # one set of deltas a class; that of "authentic" comes first, and is never used
        return _rows_first(value[..., 4:])
    return value


def _rows_first(deltas: np.ndarray) -> np.ndarray:
    """dx, dy, dw, dh, ... -> dy, dx, dh, dw, ..."""
    return deltas.reshape(*deltas.shape[:-1], -1, 2)[..., ::-1].reshape(deltas.shape)
