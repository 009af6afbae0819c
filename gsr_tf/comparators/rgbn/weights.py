"""RGB-N's weights by name, and the ResNets of Keras into both streams."""

from __future__ import annotations

import re

import tensorflow as tf

from gsr_tf.models.imagenet import pretrained
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import assign

WHERE = (
    "--resnet_weights takes: 'imagenet' (Keras downloads it), Keras's .h5 of --backbone without top "
    "(resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5), or, for --backbone=tiny, 'random'"
)
# Starts at random, with its normalisation, as in the authors' code: ImageNet's is for colours.
FRESH = "noise_conv1_"


def stored_variables(network: keras.Model) -> dict[str, tf.Variable]:
    """{canonical name: variable} of all weights, the frozen ones and the moments of normalisation too."""
    return {f"{network.name}/{re.sub('_bn/', '/bn_', v.name.split(':')[0])}": v for v in network.variables}


def initialize_resnet(network: keras.Model, backbone: str, source: str) -> None:
    """Fills the ResNet of each stream but for the noise's first layer; everything else keeps its random start.

    Args:
        network: with this backbone.
        backbone: "resnet101" or "resnet50"; of another one nothing is done.
        source: see `WHERE`.

    Raises:
        WeightsError: no such weights, or weights that do not fit; says where to get them.
    """
    kinds = {"resnet101": keras.applications.ResNet101, "resnet50": keras.applications.ResNet50}
    if backbone not in kinds:
        return
    flag = f"--resnet_weights={source}"
    values = pretrained(kinds[backbone], source, flag, WHERE)
    wanted = {v.name: v for v in network.variables if re.match(r"(rgb|noise)_conv", v.name)}
    streams = {name: v for name, v in wanted.items() if not name.startswith(FRESH)}
    assign(streams, {name: values[name.partition("_")[2]] for name in streams}, flag)
