"""The authors' TF1 checkpoints: what they call a weight, and weights from them into the networks."""

from __future__ import annotations

import re
from collections.abc import Iterable

import tensorflow as tf

from gsr_tf.models.keras import keras
from gsr_tf.models.weights import WeightsError, assign, named_variables


def release_name(name: str) -> tuple[str, str]:
    """Where the release's TF1 checkpoint keeps a canonical name: (first scope, end of the name).

    Its scope `discriminator` is the segmenter; its `discriminator1` the discriminator.
    """
    network, layer, weight = name.split("/")
    if network == "generator":
        return "generator", f"{layer}/{'conv' if layer.startswith('encoder') else 'deconv'}/filter"
    if network == "discriminator":
        return "discriminator1", f"{layer.replace('conv', 'encoder')}/conv/filter"
    heads = {"boundary_head": "fc8_voc12_edge", "interior_head": "fc8_voc12", "fusion_head": "fc9_voc12"}
    if layer in heads:
        return "discriminator", f"{heads[layer]}/filter"
    if weight.startswith("bn_"):
        block, number = re.fullmatch(r"conv(\d)_(\d)", layer).groups()
        return "discriminator", f"conv{block}_batchnorm{number}/{'scale' if weight == 'bn_gamma' else 'beta'}"
    return "discriminator", f"{layer}/{'w' if weight == 'kernel' else 'b'}"


def load_release_checkpoint(networks: Iterable[keras.Model], path: str) -> None:
    """Fills networks from a TF1 checkpoint of the authors' training script.

    Args:
        networks: any of generator, discriminator, segmenter (with 4x4 heads), at width 1.
        path: prefix of the checkpoint, without `.index`.

    Raises:
        WeightsError: not a checkpoint, or weights missing or of another shape.
    """
    source = f"--release_checkpoint={path}"
    reader = open_tf1_checkpoint(path, source)
    stored = [name for name in reader.get_variable_to_shape_map() if not re.search(r"/Adam(_1)?$", name)]
    for network in networks:
        variables = named_variables(network)
        found = {}
        for name in variables:
            scope, end = release_name(name)
            matches = [s for s in stored if s.startswith(f"{scope}/") and s.endswith(f"/{end}")]
            if len(matches) == 1:
                found[name] = reader.get_tensor(matches[0])
        assign(variables, found, source)


def open_tf1_checkpoint(path: str, source: str) -> tf.train.CheckpointReader:
    """A reader of the checkpoint with this prefix; raises WeightsError, naming `source`, when there is none."""
    try:
        return tf.train.load_checkpoint(path)
    except (tf.errors.OpError, ValueError) as error:
        raise WeightsError(f"{source}: not a TensorFlow checkpoint (give its prefix, without .index)") from error
