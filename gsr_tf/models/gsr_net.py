"""GSR-Net: three networks and the one step that alternates their updates (Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import boundary, resize
from gsr_tf.models import losses as loss_lib
from gsr_tf.models.convolution import compiled
from gsr_tf.models.discriminator import build_discriminator
from gsr_tf.models.generator import build_generator
from gsr_tf.models.harmonization import at_its_size, harmonized
from gsr_tf.models.keras import keras
from gsr_tf.models.losses import Losses
from gsr_tf.models.networks import Networks
from gsr_tf.models.normalization import separate_moments
from gsr_tf.models.optimizers import Adam, Optimization
from gsr_tf.models.segmenter import build_segmenter, predicted_boundary
from gsr_tf.models.step import Step
from gsr_tf.models.streams import Pass, Scalars, Stream, cross_entropies, sum_of_gradients
from gsr_tf.models.teaching import taught


class Generation(NamedTuple):
    """What one forward pass of the generator leaves: G(M) at the batch's size, Eq. 7's total, and its parts."""

    g_m: tf.Tensor
    total: tf.Tensor
    losses: Scalars


class GSRNet(tf.Module):
    """The three networks, their optimizers and the training step.

    Attributes:
        generator, discriminator, segmenter: Keras models.
        generator_optimizer, discriminator_optimizer, segmenter_optimizer: each with its own network's slots.
        step: int64 variable, training steps done.
        settings: what a step does.
        networks: the networks' names, the one that answers first.
        harmonizer: makes the harmonised pictures and is not trained; None where there are none.
        teachers: segmenters that say what the segmenter is taught beside K, and are not trained; often none.
        frozen: names of the networks that are not trained.
        criterion: what validations are compared by.
    """

    networks = ("segmenter", "generator", "discriminator")
    criterion = "f1"

    def __init__(
        self,
        networks: Networks,
        losses: Losses,
        optimization: Optimization,
        settings: Step,
        harmonizer: keras.Model | None = None,
        teachers: Sequence[keras.Model] = (),
    ):
        """Builds networks and optimizers; inside a strategy's scope, on all its replicas."""
        super().__init__(name="gsr_net")
        self.settings, self.losses, self.half_pixel = settings, losses, networks.half_pixel
        self.strategy = tf.distribute.get_strategy()
        self.generator = build_generator(width=networks.width)
        self.discriminator = build_discriminator(width=networks.width)
        self.segmenter = build_segmenter(networks)
        self.harmonizer, self.teachers = harmonizer, teachers
        names = [f"teacher_{number}" for number in range(1, 1 + len(teachers))]
        for name, teacher in zip(names, teachers):
            setattr(self, name, teacher)
        self.frozen = tuple(names if harmonizer is None else [*names, "harmonizer"])
        self.generator_optimizer = optimization.adam(self.generator.trainable_variables)
        self.segmenter_optimizer = optimization.adam(self.segmenter.trainable_variables)
        self.discriminator_optimizer = optimization.discriminator_adam(self.discriminator.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")
        by_xla = tf.function(self._step, autograph=False, jit_compile=True)
        self._replica_step = by_xla if settings.jit_compile else self._step

    @tf.function(autograph=False)  # no Python branch hangs on a tensor, and converting the code doubles the start
    def train_step(self, batch: Batch) -> Scalars:
        """One alternation on one batch; returns {"loss/...": scalar}, replicas averaged."""
        scalars = self.strategy.run(self._replica_step, (batch,))
        self.step.assign_add(1)
        return {name: self.strategy.reduce("mean", value, axis=None) for name, value in scalars.items()}

    def _step(self, batch: Batch) -> Scalars:
        """Generate, segment, refine.

        Paper: the three networks are updated alternately. Release: D in one run, then segmenter and G jointly, on
        another batch and by the new D.
        Ours: one batch for all; with --alternation=sequential G moves first and D and the segmenter see what it makes
        then, with simultaneous every gradient is that of the weights at the start of the step.
        """
        if not self.settings.generates:
            return self.update_segmenter(batch)[0]
        with tf.GradientTape() as tape:
            generation = self.generate(batch)
        if self.settings.alternation == "sequential":
            self.update_generator(tape, generation)
            g_m = self._at_size_of(batch.s, self._blend(*self._at_256(batch.s, batch.k, batch.t)))
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
        s, k, t = self._at_256(batch.s, batch.k, batch.t)
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

    def _at_256(self, *pictures: tf.Tensor) -> list[tf.Tensor]:
        return at_its_size(self.generator, *pictures, half_pixel=self.half_pixel)

    def _at_size_of(self, like: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
        return resize(output, like.shape[1:3], half_pixel=self.half_pixel)

    def _discriminate(self, image: tf.Tensor, k: tf.Tensor) -> tf.Tensor:
        """D's logits of a picture of any size with K at 256."""
        return self.discriminator([*self._at_256(image), k], training=True)

    def harmonize(self, batch: Batch) -> tf.Tensor:
        """H(M, K) in G(M)'s place (Table 2's "DL + [32]"), or of it the region K, pasted on M."""
        h = tf.stop_gradient(harmonized(self.harmonizer, batch.m, batch.k, half_pixel=self.half_pixel))
        return copy_paste(h, batch.k, batch.m) if self.settings.composite_background else h

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
        (k,) = self._at_256(batch.k)
        variables = self.discriminator.trainable_variables
        with tf.GradientTape() as tape:
            logits = self._discriminate(tf.concat([batch.t, g_m], 0), tf.concat([k, k], 0))
            loss = loss_lib.discriminator_loss(*tf.split(logits, 2))
        self._apply(self.discriminator_optimizer, tape.gradient(loss, variables), variables)
        return {"loss/discriminator": loss}

    # ---------------------------------------------------------------------------------------------- segment, refine

    def update_segmenter(self, batch: Batch, g_m: tf.Tensor | None = None) -> tuple[Scalars, tf.Tensor | None]:
        """Moves the segmenter: S, M, G(M), H(M, K) and their refinements, each kind with its own batch moments.

        The gradients of all passes are added and applied once (the release, where the paper is silent).

        Returns:
            The losses, and the gradient with respect to G(M) where `segmentation_gradient` asks for it.
        """
        if not self.settings.segment_on:
            return {}, None
        pictures = {"source": (batch.s, batch.a), "pasted": (batch.m, batch.t), "generated": (g_m, batch.t)}
        if self.settings.harmonizes:
            pictures["harmonized"] = (self.harmonize(batch), batch.t)
        streams = [Stream(name, pictures[name][0], batch.k, pictures[name][1]) for name in self.settings.segment_on]
        passes = [self._decay()]
        for together in [streams] if self.settings.merged else [[stream] for stream in streams]:
            passes += self._segment_and_refine(together, passes[-1])
        gradients = [sum_of_gradients(of_variable) for of_variable in zip(*(p.gradients for p in passes))]
        self._apply(self.segmenter_optimizer, gradients, self.segmenter.trainable_variables)
        parts = {name: value for p in passes for name, value in p.losses.items()}
        image_gradient = next((p.image_gradient for p in passes if p.image_gradient is not None), None)
        return {**parts, "loss/segmenter": tf.add_n(list(parts.values()))}, image_gradient

    def _segment_and_refine(self, streams: Sequence[Stream], last: Pass) -> list[Pass]:
        """A pass on kinds of pictures, and one on each refinement of those that are refined.

        P is what the last pass predicted, the training pass itself, by its batch moments (the release; the paper is
        silent). Dropout has no part in it: the boundary branch sees VGG's blocks 2 to 4, and dropout comes later.
        """
        passes = [self._segment(streams, last)]
        for _ in range(self.settings.refine_steps):
            predicted = zip(streams, passes[-1].p)
            streams = [stream.refined(p) for stream, p in predicted if stream.kind in self.settings.refine_on]
            if streams:
                passes.append(self._segment(streams, passes[-1]))
        return passes

    def _segment(self, streams: Sequence[Stream], last: Pass) -> Pass:
        """One pass of the segmenter, forward and backward, after the last one."""
        variables, names = list(self.segmenter.trainable_variables), [stream.name for stream in streams]
        image = last.after(tf.concat([stream.image for stream in streams], 0))
        groups = image.shape[0] if self.settings.moments == "picture" else len(names)
        joint = self.settings.segmentation_gradient and "generated" in names
        said = taught(self.teachers, image)
        with tf.GradientTape() as tape:
            if joint:
                tape.watch(image)
            with separate_moments(groups), compiled(self.settings.jit_compile):
                logits = self.segmenter(image, training=True)
            parts = cross_entropies(streams, logits, said, self.losses, self.settings.teachers_share)
            loss = tf.add_n(list(parts.values()))
        gradients = tape.gradient(loss, [*variables, image] if joint else variables)
        of_g_m = tf.split(gradients.pop(), len(names))[names.index("generated")] if joint else None
        p = tf.split(predicted_boundary(logits["boundary"]), len(names)) if "boundary" in logits else ()
        return Pass(parts, gradients, p, of_g_m)

    def _decay(self) -> Pass:
        """Weight decay's share of loss and gradients."""
        variables = self.segmenter.trainable_variables
        with tf.GradientTape() as tape:
            loss = loss_lib.weight_decay(variables, self.losses.weight_decay)
        return Pass({"loss/weight_decay": loss}, tape.gradient(loss, variables))

    def _apply(self, optimizer: Adam, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
        """Applies the mean of the replicas' gradients (the optimizer itself adds them), where there is one."""
        moved = [(gradient, variable) for gradient, variable in zip(gradients, variables) if gradient is not None]
        replicas = self.strategy.num_replicas_in_sync
        if replicas > 1:
            moved = [(gradient / replicas, variable) for gradient, variable in moved]
        optimizer.apply_gradients(moved)
