"""One training step beside the authors': losses, outputs and gradient norms.

    python -m benchmarks.release_parity

The networks of flags/release.cfg are given the weights and pictures that the authors' released graph was given, and
run for one step; what the graph found is in tests/goldens (see its README). Exit code 1 when a loss differs by more
than 1e-4, an output by 1e-3 of its mean magnitude, a gradient norm by 1e-2.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from absl import flags

from gsr_tf import command
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import refine
from gsr_tf.data.image_ops import boundary
from gsr_tf.models.gsr_net import GSRNet
from gsr_tf.models.segmenter import predicted_boundary
from gsr_tf.models.weights import named_variables
from tests.goldens import release_step
from tests.goldens.release_step import Golden, output_error, relative


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("golden", str(release_step.FILE), "The .npz of the authors' step.", flag_values=values)


class Row(NamedTuple):
    """One line of the comparison; outputs have an error only."""

    name: str
    ours: float | None
    theirs: float | None
    error: float


class GradientNorms:
    """Stands in for an optimizer: keeps each gradient's Euclidean norm and moves nothing.

    Attributes:
        norms: by the variables' names; 0 where a step gives no gradient, as of a bias before a normalisation.
    """

    def __init__(self, variables: dict[str, tf.Variable]):
        self.norms = {name: tf.Variable(0.0) for name in variables}
        self._names = {variable.ref(): name for name, variable in variables.items()}

    def apply_gradients(self, pairs: Iterable[tuple[tf.Tensor, tf.Variable]]) -> None:
        """Writes the norms down."""
        for gradient, variable in pairs:
            self.norms[self._names[variable.ref()]].assign(tf.norm(gradient))


class GoldenBoundaryNet(GSRNet):
    """GSR-Net whose P on S is the file's, since single pixels of P may tip where its two logits nearly tie."""

    golden_p: tf.Tensor

    def _segment(self, streams, last):
        passed = super()._segment(streams, last)
        given = [self.golden_p if stream.name == "source" else p for stream, p in zip(streams, passed.p)]
        return passed._replace(p=given)


def outputs(net: GSRNet, batch: Batch, p: tf.Tensor) -> dict[str, np.ndarray]:
    """The step's intermediate tensors at full size, under the golden file's names."""
    g_m = net.generate(batch).g_m
    refined, k_prime = refine(batch.s, batch.k, p, batch.a)
    pictures = {"source": batch.s, "pasted": batch.m, "generated": g_m, "refined": refined}
    logits = {name: net.segmenter(image, training=True) for name, image in pictures.items()}
    (k_256,) = net._at_256(batch.k)
    return {
        "generated": g_m,
        "pasted": batch.m,
        "refined": refined,
        "d_real": tf.sigmoid(net._discriminate(batch.t, k_256)),
        "d_fake": tf.sigmoid(net._discriminate(g_m, k_256)),
        "boundary_prediction": predicted_boundary(logits["source"]["boundary"]),
        "refined_mask/sum": tf.reduce_sum(k_prime),
        "boundary_label/sum": tf.reduce_sum(boundary(batch.k)),
        "refined_boundary_label/sum": tf.reduce_sum(boundary(k_prime)),
        **{f"seg_{name}": value["segmentation"] for name, value in logits.items()},
        **{f"edge_{name}": value["boundary"] for name, value in logits.items()},
    }


def compare(golden: Golden) -> tuple[list[Row], list[Row], list[Row]]:
    """Runs the step; rows of losses, outputs and gradient norms."""
    batch, p = release_step.batch(golden), tf.constant(release_step.boundary_prediction(golden))
    net = release_step.release_net(golden, GoldenBoundaryNet)
    net.golden_p = p
    computed = {name: value.numpy() for name, value in outputs(net, batch, p).items()}
    recorders = {"generator": "joint", "segmenter": "joint", "discriminator": "discriminator"}
    for network in recorders:
        setattr(net, f"{network}_optimizer", GradientNorms(named_variables(getattr(net, network))))
    losses = release_step.under_its_names(net.train_step(batch))
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


def _action(args: flags.FlagValues) -> int:
    """Prints the comparison and its worst errors."""
    summary = {}
    kinds = (
        ("loss", release_step.LOSS_TOLERANCE),
        ("output", release_step.OUTPUT_TOLERANCE),
        ("gradient", release_step.GRADIENT_TOLERANCE),
    )
    for (kind, tolerance), rows in zip(kinds, compare(release_step.read(Path(args.golden)))):
        print(f"{kind + ' (ours, release, relative difference)':58s} tolerance {tolerance:g}")
        for row in rows:
            values = "" if row.ours is None else f"{row.ours:14.6f} {row.theirs:14.6f}"
            print(f"  {row.name:52s} {values:29s} {row.error:.1e}{'' if row.error <= tolerance else '   <-- beyond'}")
        summary[f"max_{kind}_error"] = float(np.max([row.error for row in rows]))  # NaN, if any is
    passed = all(summary[f"max_{kind}_error"] <= tolerance for kind, tolerance in kinds)
    print(json.dumps({**summary, "losses": 15, "golden": Path(args.golden).name, "passed": passed}))
    return 0 if passed else 1


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
