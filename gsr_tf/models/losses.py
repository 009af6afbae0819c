"""Eq. 3-7, the cross entropies of Section 3.2, and weight decay.

Tensors in, scalars out; of the cross entropies one number a picture.

Units: pictures are in 0-255 (less the Caffe mean), as in the release: the lambdas (1, 2, 5) of Eq. 7 balance there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import tensorflow as tf

from gsr_tf.data.image_ops import laplacian
from gsr_tf.models.segmenter import log_odds
from gsr_tf.settings import Checked, setting


@dataclasses.dataclass(frozen=True)
class Losses(Checked):
    """Weights and conventions of the losses; each field's help says what it is."""

    lambda_grad: float = setting(1.0, "Weight of L_grad (Eq. 7).", least=0.0)
    lambda_edge: float = setting(2.0, "Weight of L_edge (Eq. 7).", least=0.0)
    lambda_adv: float = setting(5.0, "Weight of L_adv (Eq. 7).", least=0.0)
    loss_normalization: str = setting(
        "region",
        "Eq. 3-5 are means over their region (paper) or over all pixels (release).",
        choices=("region", "pixel"),
    )
    laplacian_scale: float = setting(
        1.0,
        "Factor on the Laplacian of Eq. 4 (ours, the operator as it stands; paper silent; release: 0.25).",
        least=0.0,
    )
    boundary_size: int = setting(5, "Side of the square that dilates and erodes K (release; paper silent).", least=2)
    boundary_class_weights: tuple[float, ...] = setting(
        (1.0, 1.0),
        "Weights of rest and boundary in the boundary's cross entropy; the release's are 0.3,0.7.",
        two="0.3,0.7",
        least=0.0,
    )
    weight_decay: float = setting(5e-5, "L2 rate on the segmenter's kernels (Section 4.1).", least=0.0)


def _masked_l1(x: tf.Tensor, y: tf.Tensor, region: tf.Tensor, normalization: str) -> tf.Tensor:
    """Mean L1 distance of x and y inside a region.

    Paper (Eq. 3-5): the sum of |x - y|_1 over the region's pixels, divided by their number N; here for each picture,
    then averaged, 0 for an empty region. Release: the mean over all pixels and channels, so that small regions
    weigh little. `normalization`: "region" or "pixel".
    """
    error = region * tf.abs(x - y)
    if normalization == "pixel":
        return tf.reduce_mean(error)
    area = tf.reduce_sum(region, axis=[1, 2, 3])
    return tf.reduce_mean(tf.math.divide_no_nan(tf.reduce_sum(error, axis=[1, 2, 3]), area))


def background_loss(g_m: tf.Tensor, t: tf.Tensor, k: tf.Tensor, *, normalization: str = "region") -> tf.Tensor:
    """L_bg: outside the pasted region G(M) is T (Eq. 3; its m is the generator's output).

    Args:
        g_m: [b, h, w, 3] float32, G(K, M), 0-255 units.
        t: [b, h, w, 3] float32, T, in the same range.
        k: [b, h, w, 1] float32, K in [0, 1].
        normalization: "region" (paper) or "pixel" (release).

    Returns:
        Scalar.
    """
    return _masked_l1(g_m, t, 1.0 - k, normalization)


def gradient_loss(
    g_m: tf.Tensor, s: tf.Tensor, k: tf.Tensor, *, normalization: str = "region", laplacian_scale: float = 1.0
) -> tf.Tensor:
    """L_grad: the pasted region keeps the Laplacian of S (Eq. 4).

    Args:
        g_m: [b, h, w, 3] float32, G(K, M), 0-255 units.
        s: [b, h, w, 3] float32, S, in the same range.
        k: [b, h, w, 1] float32, K in [0, 1].
        normalization: "region" (paper) or "pixel" (release).
        laplacian_scale: factor on the four-neighbour Laplacian: 1, or 0.25 in the release.

    Returns:
        Scalar; 0 where K is empty.
    """
    return laplacian_scale * _masked_l1(laplacian(g_m), laplacian(s), k, normalization)


def edge_loss(g_m: tf.Tensor, s: tf.Tensor, e: tf.Tensor, *, normalization: str = "region") -> tf.Tensor:
    """L_edge: on the boundary of the pasted region G(M) is S (Eq. 5).

    Args:
        g_m: [b, h, w, 3] float32, G(K, M), 0-255 units.
        s: [b, h, w, 3] float32, S, in the same range.
        e: [b, h, w, 1] float32, the boundary of K (`image_ops.boundary`).
        normalization: "region" (paper) or "pixel" (release).

    Returns:
        Scalar; 0 where the boundary is empty.
    """
    return _masked_l1(g_m, s, e, normalization)


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """-E_T[log D(K, T)] - E_M[log(1 - D(K, G(K, M)))] (Eq. 6, whose printed 1 - log D is a slip).

    2 log 2 = 1.39 when D cannot tell. On logits, stable; the release adds 1e-9 inside its logarithms instead.

    Args:
        real_logits: [b, 30, 30, 1] float32, for authentic pictures.
        fake_logits: [b, 30, 30, 1] float32, for generated ones.
    """
    return tf.reduce_mean(tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits))


def adversarial_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """L_adv: -log D(K, G(K, M)), the non-saturating form (the release; the paper names the term only).

    Args:
        fake_logits: [b, 30, 30, 1] float32, D's, for generated pictures.
    """
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def cross_entropy(logits: tf.Tensor, label: tf.Tensor, class_weights: Sequence[float] = (1.0, 1.0)) -> tf.Tensor:
    """Two-class softmax cross entropy (Section 3.2), of segmentation or boundary, averaged over each picture.

    Args:
        logits: [b, h, w, 2] float32.
        label: [b, h, w, 1] float32, 0 or 1.
        class_weights: of classes 0 and 1. The release weights its boundary loss (0.3, 0.7) and averages
            weight x entropy over all pixels, not dividing by the sum of weights.

    Returns:
        [b]; log 2 = 0.69 for equal logits and unit weights.
    """
    # Of two classes a softmax is a sigmoid of the difference: one operation, and quicker (docs/performance.md).
    entropy = tf.nn.softplus((1.0 - 2.0 * label) * log_odds(logits))
    if tuple(class_weights) != (1.0, 1.0):
        entropy *= class_weights[0] + (class_weights[1] - class_weights[0]) * label
    return tf.reduce_mean(entropy, axis=[1, 2, 3])


def soft_cross_entropy(logits: tf.Tensor, probability: tf.Tensor) -> tf.Tensor:
    """Cross entropy on probabilities instead of classes (Hinton et al., 2015, at temperature 1), of each picture.

    Args:
        logits: [b, h, w, 2] float32.
        probability: [b, h, w, 1] float32 in [0, 1], of class 1.

    Returns:
        [b]; for 0 and 1 that of `cross_entropy`.
    """
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(probability, log_odds(logits))
    return tf.reduce_mean(entropy, axis=[1, 2, 3])


def weight_decay(variables: Iterable[tf.Variable], rate: float) -> tf.Tensor:
    """rate x half the sum of squares of a network's kernels (Section 4.1: 5e-5); its other variables are spared.

    An L2 term inside the loss, which Adam rescales with the rest of the gradient: not the same as decoupled decay.
    """
    return rate * tf.add_n([tf.nn.l2_loss(v) for v in variables if v.name.endswith("kernel:0")])
