"""Pretrained VGG-16 convolutions into a network (Section 4.1: fine-tuned from ImageNet)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gsr_tf.models.imagenet import pretrained
from gsr_tf.models.keras import keras
from gsr_tf.models.release import open_tf1_checkpoint
from gsr_tf.models.weights import WeightsError, assign, named_variables, read_npz

WHERE = (
    "--vgg16_weights takes: 'imagenet' (Keras downloads it), Keras's "
    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5, an .npz with block1_conv1/kernel ... block5_conv3/bias, the "
    "prefix of a TF1 DeepLab-LargeFOV checkpoint (conv1_1/w ...), or 'random'"
)


def initialize_vgg16(network: keras.Model, source: str) -> None:
    """Fills a network's 13 VGG convolutions; everything else keeps its random initialisation.

    All sources are for BGR less the Caffe mean, which is the networks' range. As in the release, the batch
    normalisation, fc6, fc7 and the heads start afresh.

    Args:
        network: one with the convolutions conv1_1 to conv5_3, as the segmenter; at width 1.
        source: "imagenet", a path (see `WHERE`), or "random", which does nothing.

    Raises:
        WeightsError: no such weights, or weights that do not fit; says where to get them.
    """
    if source == "random":
        return
    values = {f"{network.name}/{name}": value for name, value in _read(source).items()}
    wanted = re.compile(rf"{network.name}/conv\d_\d/(kernel|bias)")
    variables = {name: v for name, v in named_variables(network).items() if wanted.fullmatch(name)}
    assign(variables, values, f"--vgg16_weights={source}")


def _read(source: str) -> dict[str, np.ndarray]:
    """{canonical name within a network: array} from any of the sources."""
    flag = f"--vgg16_weights={source}"
    if source == "imagenet" or source.endswith(".h5"):
        found = pretrained(keras.applications.VGG16, source, flag, WHERE)
        return {_canonical(name.split(":")[0]): value for name, value in found.items()}
    if source.endswith(".npz") and Path(source).exists():
        return {_canonical(name): value for name, value in read_npz(source, flag).items()}
    if Path(f"{source}.index").exists():
        reader = open_tf1_checkpoint(source, flag)
        names = [n for n in reader.get_variable_to_shape_map() if re.fullmatch(r"conv\d_\d/[wb]", n)]
        kind = {"w": "kernel", "b": "bias"}
        return {f"{n[:-2]}/{kind[n[-1]]}": reader.get_tensor(n) for n in names}
    why = "a file of none of these kinds" if Path(source).exists() else "no such file"
    raise WeightsError(f"{flag}: {why}. {WHERE}")


def _canonical(name: str) -> str:
    """block1_conv2/kernel, or a segmenter's own segmenter/conv1_2/kernel -> conv1_2/kernel."""
    return re.sub(r"block(\d)_conv(\d)/", r"conv\1_\2/", name.removeprefix("segmenter/"))
