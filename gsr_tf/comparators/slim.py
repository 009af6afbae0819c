"""Checkpoints of other methods' authors, who used TF-Slim: its names of ResNets' weights, and weights read by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.errors import first_of
from gsr_tf.models.release import open_tf1_checkpoint
from gsr_tf.models.weights import WeightsError, assign

EPSILON, KERAS_EPSILON = 1e-5, 1.001e-5  # of the ResNets' normalisation
_PARTS = {"preact": "preact", "0": "shortcut", "1": "conv1", "2": "conv2", "3": "conv3"}
_WEIGHTS = {"kernel": "weights", "bias": "biases"}


def weight_in(scope: str, weight: str) -> str:
    """TF-Slim's name of a weight that Keras calls `kernel`, `bias`, `gamma`, ..."""
    return f"{scope}/{_WEIGHTS.get(weight, weight)}"


def resnet_name(name: str, unit: str) -> str:
    """TF-Slim's name of a weight of Keras's ResNet, below the network's scope.

    `conv3_block2_1_bn/gamma` is `block2/unit_2/bottleneck_v1/conv1/BatchNorm/gamma`.

    Args:
        name: LAYER/WEIGHT, as Keras calls it.
        unit: "bottleneck_v1" or "bottleneck_v2".
    """
    layer, weight = name.split("/")
    part = re.fullmatch(r"conv(\d)_block(\d+)_(preact|\d)_(?:conv|bn)", layer)
    if part:
        scope = f"block{int(part[1]) - 1}/unit_{part[2]}/{unit}/{_PARTS[part[3]]}"
    else:
        scope = {"conv1_conv": "conv1", "conv1_bn": "conv1", "post_bn": "postnorm"}[layer]
    of_a_convolution = not scope.endswith(("preact", "postnorm"))
    return weight_in(f"{scope}/BatchNorm" if layer.endswith("_bn") and of_a_convolution else scope, weight)


def load_release_checkpoint(
    variables: Mapping[str, tf.Variable],
    path: str,
    place: Callable[[str], str | None],
    converted: Callable[[str, np.ndarray], np.ndarray],
) -> None:
    """Gives every variable its value from a TF1 checkpoint of a method's authors.

    Args:
        variables: by Keras's names, LAYER/WEIGHT.
        path: prefix of the checkpoint, without `.index`; what --release_checkpoint says.
        place: by such a name the one in the checkpoint; None: not there, it is to be 0.
        converted: by such a name and the stored value that of the variable; a moving variance is made one for Keras's
            epsilon before.

    Raises:
        WeightsError: not a checkpoint, or weights missing or of another shape; nothing has been assigned then.
    """
    source = f"--release_checkpoint={path}"
    reader = open_tf1_checkpoint(path, source)
    places = {name: place(name) for name in variables}
    _require(list(filter(None, places.values())), sorted(reader.get_variable_to_shape_map()), source)
    values = {}
    for name, stored in places.items():
        value = reader.get_tensor(stored) if stored else np.zeros(variables[name].shape)
        if name.endswith("/moving_variance"):
            value = value + (EPSILON - KERAS_EPSILON)
        values[name] = converted(name, value)
    assign(variables, values, source)


def _require(names: Sequence[str], there: Sequence[str], source: str) -> None:
    missing = sorted(set(names) - set(there))
    if missing:
        near = difflib.get_close_matches(missing[0], there, cutoff=0.0)
        raise WeightsError(
            f"{source}: {len(missing)} of {len(names)} weights are missing: {first_of(missing)}. Names that come near: "
            f"{first_of(near) or 'none'}; expected a checkpoint of the authors' code"
        )
