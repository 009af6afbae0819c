"""The paper's three pixel equations: copy-paste and refinement."""

from __future__ import annotations

import tensorflow as tf


def copy_paste(s: tf.Tensor, k: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """M: the region K of S pasted on T (Eq. 1).

    Args:
        s: [..., h, w, 3] float32, S.
        k: [..., h, w, 1] float32, K in [0, 1]; fractional values blend.
        t: [..., h, w, 3] float32, T, in S's range.

    Returns:
        [..., h, w, 3] float32, M.
    """
    return k * s + (1.0 - k) * t


def refine(m: tf.Tensor, k: tf.Tensor, p: tf.Tensor, t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """M', K': authentic pixels put back where a boundary was predicted (Eq. 8, 9).

    Args:
        m: [b, h, w, 3] float32, the picture to refine: M, G(M) or S.
        k: [b, h, w, 1] float32, its mask.
        p: [b, h, w, 1] float32, P, 1 where a boundary was predicted.
        t: [b, h, w, 3] float32, the authentic picture around the pasted region.

    Returns:
        M' [b, h, w, 3] and K' [b, h, w, 1].
    """
    m_prime = t * p + m * (1.0 - p)
    k_prime = k - k * p
    return m_prime, k_prime
