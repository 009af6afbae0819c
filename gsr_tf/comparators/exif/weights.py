"""EXIF-consistency's weights by name: what an .npz of them holds, and an ImageNet trunk."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.exif.network import TRUNK
from gsr_tf.models.imagenet import pretrained
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import assign

WHERE = (
    "--resnet50_weights takes: 'imagenet' (Keras downloads it), Keras's "
    "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5, or 'random'"
)


def stored_variables(network: keras.Model) -> dict[str, tf.Variable]:
    """{canonical name: variable} of the weights, of the moments of the normalisation, and `exif/known`."""
    return {f"{network.name}/{variable.name.split(':')[0]}": variable for variable in network.weights}


def initialize_trunk(network: keras.Model, source: str) -> None:
    """Fills the ResNet-50 v2; everything else keeps its random initialisation.

    Args:
        network: one whose trunk it is.
        source: "imagenet", the path of an .h5 (see `WHERE`), or "random", which does nothing.

    Raises:
        WeightsError: no such weights, or weights that do not fit; says where to get them.
    """
    if source == "random":
        return
    flag = f"--resnet50_weights={source}"
    values = pretrained(keras.applications.ResNet50V2, source, flag, WHERE)
    assign({v.name: v for v in network.get_layer(TRUNK).weights if v.name in values}, values, flag)
