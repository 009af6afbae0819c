"""One training step of the authors' released graph, in numbers: how they were made, what they are, how near is same.

The file holds pictures and what the graph made of them with weights that a rule gives; see README.md beside it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.config import from_flagfile
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import to_network_range
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.weights import assign, named_variables

FILE = Path(__file__).with_name("release_step_seed0.npz")
RELEASE_FLAGS = Path(__file__).parents[2] / "flags" / "release.cfg"
LOSS_TOLERANCE, OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 1e-4, 1e-3, 1e-2
SAMPLED = (slice(None), slice(5, None, 10), slice(5, None, 10))  # which pixels of a 300x300 output the file holds

Golden = dict[str, np.ndarray]


def read(path: Path = FILE) -> Golden:
    """The file's arrays by name."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def rule_weights(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The weights of a variable by its canonical name, as the file's were made."""
    z = np.random.RandomState(zlib.crc32(f"{seed}:{name}".encode()) % 2**32).standard_normal(shape).astype(np.float32)
    if name.endswith("bn_gamma"):
        return 1 + np.float32(0.1) * z
    if name.endswith(("bias", "bn_beta")):
        return np.float32(0.1) * z
    if name.startswith(("generator/", "discriminator/")) or name.endswith("_head/kernel"):
        return np.float32(0.02) * z
    return z * np.float32(np.sqrt(2 / np.prod(shape[:3])))


def release_net(golden: Golden, kind: type[GSRNet] = GSRNet) -> GSRNet:
    """The release's networks, dropout off, with the rule's weights."""
    config = from_flagfile(RELEASE_FLAGS, dropout=0.0)
    net = kind(config.networks, config.losses, config.optimization, config.step)
    for network in (net.generator, net.discriminator, net.segmenter):
        variables = named_variables(network)
        values = {name: rule_weights(name, tuple(v.shape), int(golden["seed"])) for name, v in variables.items()}
        assign(variables, values, "rule")
    return net


def batch(golden: Golden) -> Batch:
    """The file's pictures as a training batch."""
    s, a, t = (to_network_range(golden[f"in/{name}"]) for name in ("source", "source_original", "target"))
    k = tf.cast(golden["in/mask"], tf.float32)
    return Batch(s, k, t, copy_paste(s, k, t), a)


def boundary_prediction(golden: Golden) -> np.ndarray:
    """P of S, [b, h, w, 1] float32."""
    shape = golden["shape/boundary_prediction"]
    return np.unpackbits(golden["out/boundary_prediction"])[: np.prod(shape)].reshape(shape).astype(np.float32)


def under_its_names(losses: Mapping[str, tf.Tensor]) -> dict[str, float]:
    """A training step's losses under the file's names."""
    ours = {name[len("loss/") :]: float(value) for name, value in losses.items()}
    named = {
        "background": ours["background"],
        "gradient_plus_2edge": ours["gradient"] + 2 * ours["edge"],
        "adversarial_generator": ours["adversarial"],
        "generator_total": ours["generator"],
        "discriminator": ours["discriminator"],
        "weight_decay": ours["weight_decay"],
        "joint_total": ours["generator"] + ours["segmenter"],
    }
    pictures = {"source": "source", "pasted": "pasted", "generated": "generated", "refined": "source_refined_1"}
    for theirs, picture in pictures.items():
        named[f"ce_{theirs}"] = ours[f"segmentation/{picture}"]
        named[f"ce_edge_{theirs}"] = ours[f"boundary/{picture}"]
    return named


def relative(ours: float, theirs: float) -> float:
    """|ours - theirs| / |theirs|."""
    return abs(ours - theirs) / max(abs(theirs), 1e-12)


def output_error(name: str, ours: np.ndarray, golden: Golden) -> float:
    """How far an output is from the file's: largest difference over mean magnitude; for P, the share of pixels."""
    if name == "boundary_prediction":
        return float(np.mean(ours != boundary_prediction(golden)))
    theirs = golden[f"out/{name}"]
    if theirs.ndim == 0:
        return relative(float(ours), float(theirs))
    sampled = ours if ours.shape == theirs.shape else ours[SAMPLED]
    scale = golden.get(f"out/{name}/mean_abs", np.abs(theirs).mean())
    return float(np.max(np.abs(sampled - theirs)) / scale)
