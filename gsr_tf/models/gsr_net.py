"""GSR-Net: three networks and the one step that alternates their updates (Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import tensorflow as tf
from tensorflow import keras

from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste, refine
from gsr_tf.data.image_ops import boundary, resize
from gsr_tf.models import generator as generator_lib
from gsr_tf.models import losses
from gsr_tf.models.discriminator import build_discriminator
from gsr_tf.models.segmenter import build_segmenter

Losses = dict[str, tf.Tensor]


class Generation(NamedTuple):
    """What one forward pass of the generator leaves: G(M) at the batch's size, Eq. 7's total, and its parts."""

    g_m: tf.Tensor
    total: tf.Tensor
    losses: Losses


class Pass(NamedTuple):
    """What one pass of the segmenter leaves: losses, a gradient a variable, P, and the picture's gradient or None."""

    losses: Losses
    gradients: Sequence[Optional[tf.Tensor]]  # noqa: UP045 (evaluated on Python 3.9)
    p: Optional[tf.Tensor]  # noqa: UP045
    image_gradient: Optional[tf.Tensor]  # noqa: UP045


class Adam(keras.optimizers.legacy.Adam):
    """Adam in its fused form (one pass over memory; the newer Keras class takes ten on a CPU).

    Slots are made at once, so that the training step is traced once. Epsilon is TF1's, as in the release.
    """

    def __init__(
        self, variables: Sequence[tf.Variable], learning_rate: float, beta_1: float = 0.9, *, decay_steps: int = 0
    ):
        """decay_steps: the rate falls to 0 along a cosine in so many updates; 0: it is fixed (Section 4.1)."""
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps) if decay_steps else learning_rate
        super().__init__(rate, beta_1=beta_1, epsilon=1e-8)
        self._create_all_weights(variables)


class GSRNet(tf.Module):
    """The three networks, their optimizers and the training step.

    Attributes:
        generator, discriminator, segmenter: Keras models.
        generator_optimizer, discriminator_optimizer, segmenter_optimizer: each with its own network's slots.
        step: int64 variable, training steps done.
        generates: whether generator and discriminator learn.
    """

    def __init__(
        self,
        *,
        width: float = 1.0,
        head_kernel: int = 1,
        half_pixel: bool = True,
        boundary_branch: bool = True,
        boundary_size: int = 5,
        dropout: float = 0.5,
        # what the segmenter learns from
        segment_on: Sequence[str] = ("source", "pasted", "generated"),
        refine_on: Sequence[str] = ("pasted", "generated"),
        refine_steps: int = 1,
        # losses
        lambda_grad: float = 1.0,
        lambda_edge: float = 2.0,
        lambda_adv: float = 5.0,
        normalization: str = "region",
        laplacian_scale: float = 1.0,
        boundary_class_weights: Sequence[float] = (1.0, 1.0),
        weight_decay: float = 5e-5,
        segmentation_gradient: bool = False,
        # optimizers
        learning_rate: float = 1e-4,
        discriminator_learning_rate: float = 1e-4,
        discriminator_beta_1: float = 0.9,
        decay_steps: int = 0,
        jit_compile: bool = False,
    ):
        """Builds networks and optimizers; inside a strategy's scope, on all its replicas.

        Args:
            width: of all three networks.
            head_kernel: 1 (paper) or 4 (release).
            half_pixel: resize convention; False is the release's.
            boundary_branch: without it, the DeepLab rows of Table 2.
            boundary_size: side of the square that makes boundaries.
            dropout: after fc6 and fc7.
            segment_on: pictures that the segmenter is trained on: "source", "pasted", "generated". None: it rests, and
                generator and discriminator learn as they would beside it, to which no gradient of it flows.
            refine_on: of these, the ones that are refined (Eq. 8); each must be in segment_on. A refined source takes
                its pixels from its own authentic picture, the others from T.
            refine_steps: rounds of refinement; 0: none.
            lambda_grad: weight of L_grad in Eq. 7.
            lambda_edge: weight of L_edge.
            lambda_adv: weight of L_adv.
            normalization: "region" (Eq. 3-5) or "pixel" (release).
            laplacian_scale: factor on the Laplacian of Eq. 4.
            boundary_class_weights: of the boundary cross entropy.
            weight_decay: rate, on the segmenter's kernels.
            segmentation_gradient: the release's joint update: the segmenter's loss on G(M) also moves the generator.
                (One Adam on both networks and two of equal rates are the same.)
            learning_rate: Adam's, of generator and segmenter.
            discriminator_learning_rate: Adam's, of the discriminator.
            discriminator_beta_1: Adam's first decay, of the discriminator.
            decay_steps: all rates fall to 0 along a cosine in so many steps; 0: they are fixed (paper).
            jit_compile: compile the step with XLA.
        """
        super().__init__(name="gsr_net")
        self.half_pixel, self.boundary_size = half_pixel, boundary_size
        self.segment_on, self.refine_on, self.refine_steps = tuple(segment_on), tuple(refine_on), refine_steps
        self.generates = not self.segment_on or "generated" in self.segment_on
        self.lambda_grad, self.lambda_edge, self.lambda_adv = lambda_grad, lambda_edge, lambda_adv
        self.normalization, self.laplacian_scale = normalization, laplacian_scale
        self.boundary_class_weights = tuple(boundary_class_weights)
        self.weight_decay, self.segmentation_gradient = weight_decay, segmentation_gradient

        self.strategy = tf.distribute.get_strategy()
        self.generator = generator_lib.build_generator(width=width)
        self.discriminator = build_discriminator(width=width)
        self.segmenter = build_segmenter(
            width=width,
            head_kernel=head_kernel,
            half_pixel=half_pixel,
            boundary_branch=boundary_branch,
            dropout=dropout,
        )
        decay = {"decay_steps": decay_steps}
        self.generator_optimizer = Adam(self.generator.trainable_variables, learning_rate, **decay)
        self.segmenter_optimizer = Adam(self.segmenter.trainable_variables, learning_rate, **decay)
        self.discriminator_optimizer = Adam(
            self.discriminator.trainable_variables, discriminator_learning_rate, discriminator_beta_1, **decay
        )
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self._replica_step = tf.function(self._step, jit_compile=True) if jit_compile else self._step

    @tf.function
    def train_step(self, batch: Batch) -> Losses:
        """One alternation on one batch; returns {"loss/...": scalar}, replicas averaged."""
        losses_ = self.strategy.run(self._replica_step, (batch,))
        self.step.assign_add(1)
        return {name: self.strategy.reduce("mean", value, axis=None) for name, value in losses_.items()}

    def _step(self, batch: Batch) -> Losses:
        """Generate, segment, refine. All gradients are those of the weights at the start of the step."""
        if not self.generates:
            return self.update_segmenter(batch)[0]
        with tf.GradientTape() as tape:
            generation = self.generate(batch)
        discriminator_losses = self.update_discriminator(batch, generation.g_m)
        segmenter_losses, gradient = self.update_segmenter(batch, generation.g_m) if self.segment_on else ({}, None)
        self.update_generator(tape, generation, gradient)
        return {**generation.losses, **discriminator_losses, **segmenter_losses}

    # ---------------------------------------------------------------------------------------------- generate

    def generate(self, batch: Batch) -> Generation:
        """G(K, M) and its losses (Eq. 3-5, 7).

        S, K and T are resized to 256 and M is composed there, so that K is soft at its edges and D and G see the
        same (the release, where the paper is silent). K's boundary is taken at 256 too.
        """
        s, k, t = (self._resize_to_256(x) for x in (batch.s, batch.k, batch.t))
        output = self.generator([copy_paste(s, k, t), k], training=True)
        g_m = resize(output, batch.s.shape[1:3], half_pixel=self.half_pixel)
        fake_logits = self._discriminate(g_m, k)

        settings = {"normalization": self.normalization}
        parts = {
            "loss/background": losses.background_loss(output, t, k, **settings),
            "loss/gradient": losses.gradient_loss(output, s, k, laplacian_scale=self.laplacian_scale, **settings),
            "loss/edge": losses.edge_loss(output, s, boundary(k, self.boundary_size), **settings),
            "loss/adversarial": losses.adversarial_loss(fake_logits),
        }
        total = (
            parts["loss/background"]
            + self.lambda_grad * parts["loss/gradient"]
            + self.lambda_edge * parts["loss/edge"]
            + self.lambda_adv * parts["loss/adversarial"]
        )  # Eq. 7
        return Generation(g_m, total, {**parts, "loss/generator": total})

    def _resize_to_256(self, x: tf.Tensor) -> tf.Tensor:
        return resize(x, [generator_lib.SIZE, generator_lib.SIZE], half_pixel=self.half_pixel)

    def _discriminate(self, image: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        """D's logits of a picture of any size with K at 256."""
        return self.discriminator([self._resize_to_256(image), k], training=True)

    def update_generator(self, tape: tf.GradientTape, generation: Generation, gradient: tf.Tensor | None) -> None:
        """Moves G down Eq. 7, and with `segmentation_gradient` down the segmenter's loss on G(M) too.

        Args:
            tape: that recorded `generate`.
            generation: what it returned.
            gradient: [b, h, w, 3], of the segmenter's loss with respect to G(M), or None.
        """
        targets, weights = [generation.total], [tf.ones([])]
        if gradient is not None:
            targets, weights = [*targets, generation.g_m], [*weights, gradient]
        variables = self.generator.trainable_variables
        gradients = tape.gradient(targets, variables, output_gradients=weights)
        self._apply(self.generator_optimizer, gradients, variables)

    def update_discriminator(self, batch: Batch, g_m: tf.Tensor) -> Losses:
        """Moves D: T with K is real, G(M) with K is not (Eq. 6). As in the release, T is shown with the fake's K."""
        k = self._resize_to_256(batch.k)
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            real_logits = self._discriminate(batch.t, k)
            fake_logits = self._discriminate(tf.stop_gradient(g_m), k)
            loss = losses.discriminator_loss(real_logits, fake_logits)
        self._apply(self.discriminator_optimizer, tape.gradient(loss, variables), variables)
        return {"loss/discriminator": loss}

    # ---------------------------------------------------------------------------------------------- segment, refine

    def update_segmenter(self, batch: Batch, g_m: tf.Tensor | None = None) -> tuple[Losses, tf.Tensor | None]:
        """Moves the segmenter: S, M, G(M) and their refinements, each a pass with its own batch moments.

        The gradients of all passes are added and applied once (the release, where the paper is silent).

        Returns:
            The losses, and the gradient with respect to G(M) where `segmentation_gradient` asks for it.
        """
        pictures = {
            "source": (batch.s, batch.a),
            "pasted": (batch.m, batch.t),
            "generated": (g_m, batch.t),
        }
        passes = [self._decay()]
        for name in self.segment_on:
            image, authentic = pictures[name]
            passes += self._segment_and_refine(name, image, batch.k, authentic, passes[-1])
        gradients = [
            tf.add_n([g for g in of_variable if g is not None]) for of_variable in zip(*(p.gradients for p in passes))
        ]
        self._apply(self.segmenter_optimizer, gradients, self.segmenter.trainable_variables)
        parts = {name: value for p in passes for name, value in p.losses.items()}
        image_gradients = [p.image_gradient for p in passes if p.image_gradient is not None]
        return {**parts, "loss/segmenter": tf.add_n(list(parts.values()))}, next(iter(image_gradients), None)

    def _segment_and_refine(
        self, name: str, image: tf.Tensor, k: tf.Tensor, authentic: tf.Tensor, last: Pass
    ) -> list[Pass]:
        """A pass on one kind of picture, and one on each refinement of it. P is what the last pass predicted."""
        passes = [self._segment(name, _after(last, image), k)]
        for number in range(1, self.refine_steps + 1 if name in self.refine_on else 1):
            image, k = refine(image, k, passes[-1].p, authentic)  # Eq. 8, 9
            passes.append(self._segment(f"{name}_refined_{number}", _after(passes[-1], image), k))
        return passes

    def _segment(self, name: str, image: tf.Tensor, k: tf.Tensor) -> Pass:
        """One pass of the segmenter, forward and backward."""
        variables = list(self.segmenter.trainable_variables)
        # G(M)'s gradient is wanted in the joint update alone; elsewhere the pictures are the segmenter's given.
        joint = name == "generated" and self.segmentation_gradient
        image = image if joint else tf.stop_gradient(image)
        with tf.GradientTape() as tape:
            tape.watch([image] if joint else [])
            logits = self.segmenter(image, training=True)
            parts = {f"loss/segmentation/{name}": losses.cross_entropy(logits["segmentation"], k)}
            if "boundary" in logits:
                e = boundary(k, self.boundary_size)
                weights = self.boundary_class_weights
                parts[f"loss/boundary/{name}"] = losses.cross_entropy(logits["boundary"], e, weights)
            total = tf.add_n(list(parts.values()))
        gradients = tape.gradient(total, [*variables, image] if joint else variables)
        return Pass(parts, gradients[: len(variables)], predicted_boundary(logits), gradients[-1] if joint else None)

    def _decay(self) -> Pass:
        """Weight decay's share of loss and gradients."""
        variables = self.segmenter.trainable_variables
        with tf.GradientTape() as tape:
            loss = losses.weight_decay([v for v in variables if v.name.endswith("kernel:0")], self.weight_decay)
        return Pass({"loss/weight_decay": loss}, tape.gradient(loss, variables), None, None)

    def _apply(self, optimizer: Adam, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """Applies the mean of the replicas' gradients (the optimizer itself adds them)."""
        replicas = self.strategy.num_replicas_in_sync
        if replicas > 1:
            gradients = [gradient / replicas for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, variables))


def _after(last: Pass, image: tf.Tensor) -> tf.Tensor:
    """The image, once the last pass is over: only one pass's activations are in memory at a time."""
    with tf.control_dependencies([gradient for gradient in last.gradients if gradient is not None]):
        return tf.identity(image)


def predicted_boundary(logits: dict[str, tf.Tensor]) -> tf.Tensor | None:
    """P: [b, h, w, 1] float32, 1 where the boundary logit is the larger; None without a boundary branch."""
    if "boundary" not in logits:
        return None
    return tf.cast(logits["boundary"][..., 1:] > logits["boundary"][..., :1], tf.float32)
