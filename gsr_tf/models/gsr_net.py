"""GSR-Net: three networks and the one step that alternates their updates (Figure 2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, Optional

import tensorflow as tf

from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste, refine
from gsr_tf.data.image_ops import boundary, resize
from gsr_tf.models import generator as generator_lib
from gsr_tf.models import losses as loss_lib
from gsr_tf.models.discriminator import build_discriminator
from gsr_tf.models.losses import Losses
from gsr_tf.models.networks import Networks
from gsr_tf.models.optimizers import Adam, Optimization
from gsr_tf.models.segmenter import build_segmenter
from gsr_tf.settings import ConfigError, check_bounds, setting

PICTURES = ("source", "pasted", "generated")
Scalars = dict[str, tf.Tensor]  # {"loss/...": scalar}


@dataclasses.dataclass(frozen=True)
class Step:
    """What a training step does; each field's help says what it is."""

    segment_on: tuple[str, ...] = setting(
        PICTURES,
        "Pictures that the segmenter is trained on (Table 2's rows). Empty: generator and discriminator alone learn, "
        "which in the paper nothing of the segmenter's flows into (Section 3.1).",
        choices=PICTURES,
    )
    refine_on: tuple[str, ...] = setting(
        ("pasted", "generated"),
        "Which of them are refined (Eq. 8). The paper: M or G(M), with T's pixels; the release: source, with the "
        "pixels of S's own authentic picture.",
        choices=PICTURES,
    )
    refine_steps: int = setting(1, "Rounds of refinement (Section 3.3); 0: none.", least=0)
    alternation: str = setting(
        "simultaneous",
        "Whose pictures and weights an update of the step sees. simultaneous: all gradients are those of the weights "
        "at the step's start (release). sequential: G is updated first, then D and the segmenter see the new G(M) "
        "(paper, whose three networks are updated in turn).",
        choices=("simultaneous", "sequential"),
    )
    segmentation_gradient: bool = setting(
        False, "The release's joint update: the segmenter's loss on G(M) also moves the generator."
    )
    jit_compile: bool = setting(False, "Compile the step with XLA: for GPUs; slower on CPUs.", may_change=True)

    def __post_init__(self):
        check_bounds(self)
        missing = set(self.refined) - set(self.segment_on)
        if missing:
            raise ConfigError(f"--refine_on={','.join(sorted(missing))} is not in --segment_on: P is predicted there")
        if self.segmentation_gradient and "generated" not in self.segment_on:
            raise ConfigError("--segmentation_gradient needs 'generated' in --segment_on")
        if self.segmentation_gradient and self.alternation == "sequential":
            raise ConfigError(
                "--segmentation_gradient is one update of segmenter and generator, from the same weights: set "
                "--alternation=simultaneous"
            )

    @property
    def generates(self) -> bool:
        """Whether generator and discriminator learn."""
        return not self.segment_on or "generated" in self.segment_on

    @property
    def refined(self) -> tuple[str, ...]:
        """The pictures that are refined."""
        return self.refine_on if self.refine_steps else ()


class Generation(NamedTuple):
    """What one forward pass of the generator leaves: G(M) at the batch's size, Eq. 7's total, and its parts."""

    g_m: tf.Tensor
    total: tf.Tensor
    losses: Scalars


class Pass(NamedTuple):
    """What one pass of the segmenter leaves: losses, a gradient a variable, P, and the picture's gradient or None."""

    losses: Scalars
    gradients: Sequence[Optional[tf.Tensor]]  # noqa: UP045 (evaluated on Python 3.9)
    p: Optional[tf.Tensor]  # noqa: UP045
    image_gradient: Optional[tf.Tensor]  # noqa: UP045


class GSRNet(tf.Module):
    """The three networks, their optimizers and the training step.

    Attributes:
        generator, discriminator, segmenter: Keras models.
        generator_optimizer, discriminator_optimizer, segmenter_optimizer: each with its own network's slots.
        step: int64 variable, training steps done.
        settings: what a step does.
    """

    def __init__(self, networks: Networks, losses: Losses, optimization: Optimization, settings: Step):
        """Builds networks and optimizers; inside a strategy's scope, on all its replicas."""
        super().__init__(name="gsr_net")
        self.settings, self.losses, self.half_pixel = settings, losses, networks.half_pixel
        self.strategy = tf.distribute.get_strategy()
        self.generator = generator_lib.build_generator(width=networks.width)
        self.discriminator = build_discriminator(width=networks.width)
        self.segmenter = build_segmenter(networks)
        self.generator_optimizer = optimization.adam(self.generator.trainable_variables)
        self.segmenter_optimizer = optimization.adam(self.segmenter.trainable_variables)
        self.discriminator_optimizer = optimization.discriminator_adam(self.discriminator.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        self._replica_step = tf.function(self._step, jit_compile=True) if settings.jit_compile else self._step

    @tf.function
    def train_step(self, batch: Batch) -> Scalars:
        """One alternation on one batch; returns {"loss/...": scalar}, replicas averaged."""
        scalars = self.strategy.run(self._replica_step, (batch,))
        self.step.assign_add(1)
        return {name: self.strategy.reduce("mean", value, axis=None) for name, value in scalars.items()}

    def _step(self, batch: Batch) -> Scalars:
        """Generate, segment, refine.

        Paper: the three networks are updated alternately. Release: D in one run, segmenter and G jointly in another.
        Ours: one batch for all; with --alternation=sequential G moves first and D and the segmenter see what it makes
        then, with simultaneous every gradient is that of the weights at the start of the step.
        """
        if not self.settings.generates:
            return self.update_segmenter(batch)[0]
        with tf.GradientTape() as tape:
            generation = self.generate(batch)
        if self.settings.alternation == "sequential":
            self.update_generator(tape, generation)
            g_m = self._at_size_of(batch.s, self._blend(*self._at_256(batch)))
            discriminator_losses = self.update_discriminator(batch, g_m)
            segmenter_losses, _ = self.update_segmenter(batch, g_m)
        else:
            discriminator_losses = self.update_discriminator(batch, generation.g_m)
            segmenter_losses, gradient = self.update_segmenter(batch, generation.g_m)
            self.update_generator(tape, generation, gradient)
        return {**generation.losses, **discriminator_losses, **segmenter_losses}

    # ---------------------------------------------------------------------------------------------- generate

    def generate(self, batch: Batch) -> Generation:
        """G(K, M) and its losses (Eq. 3-5, 7).

        S, K and T are resized to 256 and M is composed there, so that K is soft at its edges and D and G see the
        same (the release, where the paper is silent). K's boundary is taken at 256 too. D sees G(M) as the segmenter
        does, at the batch's size, and resizes it to 256 once more (the release).
        """
        s, k, t = self._at_256(batch)
        output = self._blend(s, k, t)
        g_m = self._at_size_of(batch.s, output)
        fake_logits = self._discriminate(g_m, k)

        settings = self.losses
        how = {"normalization": settings.loss_normalization}
        parts = {
            "loss/background": loss_lib.background_loss(output, t, k, **how),
            "loss/gradient": loss_lib.gradient_loss(output, s, k, laplacian_scale=settings.laplacian_scale, **how),
            "loss/edge": loss_lib.edge_loss(output, s, boundary(k, settings.boundary_size), **how),
            "loss/adversarial": loss_lib.adversarial_loss(fake_logits),
        }
        total = (
            parts["loss/background"]
            + settings.lambda_grad * parts["loss/gradient"]
            + settings.lambda_edge * parts["loss/edge"]
            + settings.lambda_adv * parts["loss/adversarial"]
        )  # Eq. 7
        return Generation(g_m, total, {**parts, "loss/generator": total})

    def _blend(self, s: tf.Tensor, k: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """G(K, M), of the generator as it is now, from S, K and T at 256 (Eq. 1)."""
        return self.generator([copy_paste(s, k, t), k], training=True)

    def _at_256(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        s, k, t = (self._resize_to_256(x) for x in (batch.s, batch.k, batch.t))
        return s, k, t

    def _at_size_of(self, like: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        return resize(output, like.shape[1:3], half_pixel=self.half_pixel)

    def _resize_to_256(self, x: tf.Tensor) -> tf.Tensor:
        return resize(x, [generator_lib.SIZE, generator_lib.SIZE], half_pixel=self.half_pixel)

    def _discriminate(self, image: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        """D's logits of a picture of any size with K at 256."""
        return self.discriminator([self._resize_to_256(image), k], training=True)

    def update_generator(
        self, tape: tf.GradientTape, generation: Generation, gradient: tf.Tensor | None = None
    ) -> None:
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

    def update_discriminator(self, batch: Batch, g_m: tf.Tensor) -> Scalars:
        """Moves D: T with K is real, G(M) with K is not (Eq. 6). As in the release, T is shown with the fake's K."""
        k = self._resize_to_256(batch.k)
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            real_logits = self._discriminate(batch.t, k)
            fake_logits = self._discriminate(g_m, k)
            loss = loss_lib.discriminator_loss(real_logits, fake_logits)
        self._apply(self.discriminator_optimizer, tape.gradient(loss, variables), variables)
        return {"loss/discriminator": loss}

    # ---------------------------------------------------------------------------------------------- segment, refine

    def update_segmenter(self, batch: Batch, g_m: tf.Tensor | None = None) -> tuple[Scalars, tf.Tensor | None]:
        """Moves the segmenter: S, M, G(M) and their refinements, each a pass with its own batch moments.

        The gradients of all passes are added and applied once (the release, where the paper is silent).

        Returns:
            The losses, and the gradient with respect to G(M) where `segmentation_gradient` asks for it.
        """
        if not self.settings.segment_on:
            return {}, None
        pictures = {
            "source": (batch.s, batch.a),
            "pasted": (batch.m, batch.t),
            "generated": (g_m, batch.t),
        }
        passes = [self._decay()]
        for name in self.settings.segment_on:
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
        """A pass on one kind of picture, and one on each refinement of it.

        P is what the last pass predicted, the training pass itself with its dropout (the release; the paper is silent).
        """
        rounds = self.settings.refine_steps if name in self.settings.refine_on else 0
        passes = [self._segment(name, _after(last, image), k)]
        for number in range(1, 1 + rounds):
            image, k = refine(image, k, passes[-1].p, authentic)  # Eq. 8, 9
            passes.append(self._segment(f"{name}_refined_{number}", _after(passes[-1], image), k))
        return passes

    def _segment(self, name: str, image: tf.Tensor, k: tf.Tensor) -> Pass:
        """One pass of the segmenter, forward and backward."""
        variables = list(self.segmenter.trainable_variables)
        joint = name == "generated" and self.settings.segmentation_gradient
        with tf.GradientTape() as tape:
            if joint:
                tape.watch(image)
            logits = self.segmenter(image, training=True)
            parts = {f"loss/segmentation/{name}": loss_lib.cross_entropy(logits["segmentation"], k)}
            if "boundary" in logits:
                e = boundary(k, self.losses.boundary_size)
                weights = self.losses.boundary_class_weights
                parts[f"loss/boundary/{name}"] = loss_lib.cross_entropy(logits["boundary"], e, weights)
            total = tf.add_n(list(parts.values()))
        gradients = tape.gradient(total, [*variables, image] if joint else variables)
        return Pass(parts, gradients[: len(variables)], predicted_boundary(logits), gradients[-1] if joint else None)

    def _decay(self) -> Pass:
        """Weight decay's share of loss and gradients."""
        variables = self.segmenter.trainable_variables
        with tf.GradientTape() as tape:
            kernels = [v for v in variables if v.name.endswith("kernel:0")]
            loss = loss_lib.weight_decay(kernels, self.losses.weight_decay)
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
