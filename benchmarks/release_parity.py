"""One training step beside the authors': losses, outputs and gradient norms.

    python -m benchmarks.release_parity --golden=FILE

FILE holds inputs, and what the authors' released graph computed from them with weights made by a rule (see
`rule_weights`). The networks of flags/release.cfg are built, filled by the same rule, and run for one step. Exit
code 1 when a loss differs by more than 1e-4, an output by 1e-3 of its mean magnitude, a gradient norm by 1e-2.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
import tensorflow as tf
from absl import app, flags

from gsr_tf.build import network_settings
from gsr_tf.config import from_flagfile
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste, refine
from gsr_tf.data.image_ops import boundary, to_network_range
from gsr_tf.models.gsr_net import GSRNet, predicted_boundary
from gsr_tf.models.weights import assign, named_variables

GOLDEN = flags.DEFINE_string("golden", None, "The .npz of the authors' step.", required=True)

LOSS_TOLERANCE, OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 1e-4, 1e-3, 1e-2
SAMPLED = (slice(None), slice(5, None, 10), slice(5, None, 10))  # which pixels of a 300x300 output a file holds
RELEASE_FLAGS = Path(__file__).parents[1] / "flags" / "release.cfg"


class Row(NamedTuple):
    """One line of the comparison; outputs have an error only."""

    name: str
    ours: Optional[float]  # noqa: UP045
    theirs: Optional[float]  # noqa: UP045
    error: float


class GradientNorms:
    """Stands in for an optimizer: keeps each gradient's Euclidean norm and moves nothing."""

    def __init__(self, variables: dict[str, tf.Variable]):
        self.norms = {name: tf.Variable(0.0) for name in variables}

    def apply_gradients(self, pairs) -> None:
        """Writes the norms down."""
        for norm, (gradient, _) in zip(self.norms.values(), pairs):
            norm.assign(tf.norm(gradient))


class GoldenBoundaryNet(GSRNet):
    """GSR-Net whose P on S is the file's, since single pixels of P may tip where its two logits nearly tie."""

    golden_p: tf.Tensor

    def _segment(self, name, image, k):
        passed = super()._segment(name, image, k)
        return passed._replace(p=self.golden_p) if name == "source" else passed


def rule_weights(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The weights of a variable by its canonical name, as the golden file's were made."""
    z = np.random.RandomState(zlib.crc32(f"{seed}:{name}".encode()) % 2**32).standard_normal(shape).astype(np.float32)
    if name.endswith("bn_gamma"):
        return 1 + np.float32(0.1) * z
    if name.endswith(("bias", "bn_beta")):
        return np.float32(0.1) * z
    if name.startswith(("generator/", "discriminator/")) or name.endswith("_head/kernel"):
        return np.float32(0.02) * z
    return z * np.float32(np.sqrt(2 / np.prod(shape[:3])))


def release_net(seed: int, p: tf.Tensor) -> GSRNet:
    """The release's networks, dropout off, with the rule's weights, and P on S given."""
    net = GoldenBoundaryNet(**network_settings(from_flagfile(RELEASE_FLAGS, dropout=0.0)))
    net.golden_p = p
    for network in (net.generator, net.discriminator, net.segmenter):
        variables = named_variables(network)
        assign(variables, {n: rule_weights(n, tuple(v.shape), seed) for n, v in variables.items()}, "rule")
    return net


def golden_batch(golden: dict[str, np.ndarray]) -> Batch:
    """The file's pictures as a training batch."""
    s, a, t = (to_network_range(golden[f"in/{name}"]) for name in ("source", "source_original", "target"))
    k = tf.cast(golden["in/mask"], tf.float32)
    return Batch(s, k, t, copy_paste(s, k, t), a)


def step_losses(net: GSRNet, batch: Batch) -> dict[str, float]:
    """One training step's losses under the golden file's names."""
    losses = {name[len("loss/") :]: float(value) for name, value in net.train_step(batch).items()}
    named = {
        "background": losses["background"],
        "gradient_plus_2edge": losses["gradient"] + 2 * losses["edge"],
        "adversarial_generator": losses["adversarial"],
        "generator_total": losses["generator"],
        "discriminator": losses["discriminator"],
        "weight_decay": losses["weight_decay"],
        "joint_total": losses["generator"] + losses["segmenter"],
    }
    pictures = {"source": "source", "pasted": "pasted", "generated": "generated", "refined": "source_refined_1"}
    for theirs, ours in pictures.items():
        named[f"ce_{theirs}"] = losses[f"segmentation/{ours}"]
        named[f"ce_edge_{theirs}"] = losses[f"boundary/{ours}"]
    return named


def outputs(net: GSRNet, batch: Batch, p: tf.Tensor) -> dict[str, np.ndarray]:
    """The step's intermediate tensors at full size, under the golden file's names."""
    g_m = net.generate(batch).g_m
    refined, k_prime = refine(batch.s, batch.k, p, batch.a)
    pictures = {"source": batch.s, "pasted": batch.m, "generated": g_m, "refined": refined}
    logits = {name: net.segmenter(image, training=True) for name, image in pictures.items()}
    k_256 = net._resize_to_256(batch.k)
    return {
        "generated": g_m,
        "pasted": batch.m,
        "refined": refined,
        "d_real": tf.sigmoid(net._discriminate(batch.t, k_256)),
        "d_fake": tf.sigmoid(net._discriminate(g_m, k_256)),
        "boundary_prediction": predicted_boundary(logits["source"]),
        "refined_mask/sum": tf.reduce_sum(k_prime),
        "boundary_label/sum": tf.reduce_sum(boundary(batch.k)),
        "refined_boundary_label/sum": tf.reduce_sum(boundary(k_prime)),
        **{f"seg_{name}": value["segmentation"] for name, value in logits.items()},
        **{f"edge_{name}": value["boundary"] for name, value in logits.items()},
    }


def relative(ours: float, theirs: float) -> float:
    """|ours - theirs| / |theirs|."""
    return abs(ours - theirs) / max(abs(theirs), 1e-12)


def output_error(name: str, ours: np.ndarray, golden: dict[str, np.ndarray]) -> float:
    """How far an output is from the file's: largest difference over mean magnitude; for P, the share of pixels."""
    if name == "boundary_prediction":
        return float(np.mean(ours != golden_boundary(golden)))
    theirs = golden[f"out/{name}"]
    if theirs.ndim == 0:
        return relative(float(ours), float(theirs))
    sampled = ours if ours.shape == theirs.shape else ours[SAMPLED]
    scale = golden.get(f"out/{name}/mean_abs", np.abs(theirs).mean())
    return float(np.max(np.abs(sampled - theirs)) / scale)


def golden_boundary(golden: dict[str, np.ndarray]) -> np.ndarray:
    """P of the file, [b, h, w, 1] float32."""
    shape = golden["shape/boundary_prediction"]
    return np.unpackbits(golden["out/boundary_prediction"])[: np.prod(shape)].reshape(shape).astype(np.float32)


def compare(golden: dict[str, np.ndarray]) -> tuple[list[Row], list[Row], list[Row]]:
    """Runs the step; rows of losses, outputs and gradient norms."""
    batch, p = golden_batch(golden), tf.constant(golden_boundary(golden))
    net = release_net(int(golden["seed"]), p)
    computed = {name: value.numpy() for name, value in outputs(net, batch, p).items()}
    recorders = {"generator": "joint", "segmenter": "joint", "discriminator": "discriminator"}
    for network in recorders:
        setattr(net, f"{network}_optimizer", GradientNorms(named_variables(getattr(net, network))))
    losses = step_losses(net, batch)
    norms = {
        f"{update}/{name}": float(norm)
        for network, update in recorders.items()
        for name, norm in getattr(net, f"{network}_optimizer").norms.items()
    }
    theirs = {name: float(value) for name, value in golden.items() if name.startswith(("loss/", "grad_norm_"))}
    return (
        [Row(n, losses[n[5:]], v, relative(losses[n[5:]], v)) for n, v in theirs.items() if n.startswith("loss/")],
        [Row(name, None, None, output_error(name, value, golden)) for name, value in computed.items()],
        [Row(n, norms[n[10:]], v, relative(norms[n[10:]], v)) for n, v in theirs.items() if n.startswith("grad")],
    )


def main(argv: list[str]) -> None:
    """Prints the comparison and its worst errors."""
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    with np.load(GOLDEN.value) as file:
        golden = {name: file[name] for name in file.files}
    summary = {}
    kinds = (("loss", LOSS_TOLERANCE), ("output", OUTPUT_TOLERANCE), ("gradient", GRADIENT_TOLERANCE))
    for (kind, tolerance), rows in zip(kinds, compare(golden)):
        print(f"{kind + ' (ours, release, relative difference)':58s} tolerance {tolerance:g}")
        for row in rows:
            values = "" if row.ours is None else f"{row.ours:14.6f} {row.theirs:14.6f}"
            print(f"  {row.name:52s} {values:29s} {row.error:.1e}{'' if row.error <= tolerance else '   <-- beyond'}")
        summary[f"max_{kind}_error"] = max(row.error for row in rows)
    passed = all(summary[f"max_{kind}_error"] <= tolerance for kind, tolerance in kinds)
    print(json.dumps({**summary, "losses": 15, "golden": Path(GOLDEN.value).name, "passed": passed}))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    app.run(main)
