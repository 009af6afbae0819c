"""What the segmenter learns from in a step: kinds of pictures, their losses, and what a pass over them leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from gsr_tf.data.composition import refine
from gsr_tf.data.image_ops import boundary
from gsr_tf.models.losses import Losses, cross_entropy, soft_cross_entropy

Scalars = dict[str, tf.Tensor]  # {"loss/...": scalar}


class Stream(NamedTuple):
    """Pictures of one kind that the segmenter learns from.

    Attributes:
        kind: one of `step.PICTURES`.
        image: [b, h, w, 3].
        k: [b, h, w, 1].
        authentic: [b, h, w, 3], what Eq. 8 puts back; None where nothing is refined.
        round: how many times it has been refined.
    """

    kind: str
    image: tf.Tensor
    k: tf.Tensor
    authentic: tf.Tensor | None
    round: int = 0

    @property
    def name(self) -> str:
        """In the names of losses."""
        return f"{self.kind}_refined_{self.round}" if self.round else self.kind

    def refined(self, p: tf.Tensor) -> Stream:
        """M' and K' (Eq. 8, 9)."""
        image, k = refine(self.image, self.k, p, self.authentic)
        return self._replace(image=image, k=k, round=self.round + 1)


class Pass(NamedTuple):
    """What one pass of the segmenter leaves.

    Attributes:
        losses: by name.
        gradients: one a variable.
        p: P of each stream; empty without a boundary branch.
        image_gradient: of G(M) in the joint update, or None.
    """

    losses: Scalars
    gradients: Sequence[tf.Tensor | None]
    p: Sequence[tf.Tensor] = ()
    image_gradient: tf.Tensor | None = None

    def after(self, image: tf.Tensor) -> tf.Tensor:
        """The image, once this pass is over: only one pass's activations are in memory at a time."""
        with tf.control_dependencies([gradient for gradient in self.gradients if gradient is not None]):
            return tf.identity(image)


def sum_of_gradients(of_passes: Sequence[tf.Tensor | None]) -> tf.Tensor | None:
    """One variable's gradients, added; None where no pass has one, as of a bias before a normalisation."""
    found = [gradient for gradient in of_passes if gradient is not None]
    return tf.add_n(found) if found else None


def cross_entropies(
    streams: Sequence[Stream],
    logits: dict[str, tf.Tensor],
    said: dict[str, tf.Tensor],
    settings: Losses,
    teachers_share: float,
) -> Scalars:
    """Of segmentation and boundary, on K and in their share on what the teachers said, of each stream.

    Args:
        streams: of b pictures each.
        logits: the segmenter's of all their pictures, [streams * b, h, w, 2] float32 by name.
        said: what the teachers say of them, [streams * b, h, w, 1] float32 by the same names; {} without teachers.
        settings: how K's boundary is taken, and what it weighs.
        teachers_share: in [0, 1].

    Returns:
        {"loss/NAME/STREAM": scalar}, the mean of the stream's pictures.
    """
    k = tf.concat([stream.k for stream in streams], 0)
    found = {"segmentation": cross_entropy(logits["segmentation"], k)}
    if "boundary" in logits:
        e = boundary(k, settings.boundary_size)
        found["boundary"] = cross_entropy(logits["boundary"], e, settings.boundary_class_weights)
    if said:
        soft = {f"taught_{name}": teachers_share * soft_cross_entropy(logits[name], said[name]) for name in said}
        found = {name: (1 - teachers_share) * entropy for name, entropy in found.items()} | soft
    return {
        f"loss/{name}/{stream.name}": mean
        for name, of_pictures in found.items()
        for stream, mean in zip(streams, _means(of_pictures, len(streams)))
    }


def _means(of_pictures: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Of so many equal parts of [b], a scalar each."""
    return tf.unstack(tf.reduce_mean(tf.reshape(of_pictures, [count, -1]), axis=1))
